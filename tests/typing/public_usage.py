"""Code as applications write it, which type checkers must accept at their strictest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, assert_type

from dynamo_es import (
    ANY_VERSION,
    Aggregate,
    AppendCost,
    Boundary,
    Context,
    DataSubject,
    Decided,
    Decision,
    DecisionModel,
    DynamoBackend,
    Encrypted,
    Event,
    EventStore,
    Found,
    MemoryBackend,
    Query,
    Recorded,
    Repository,
    Snapshot,
    StoredVersion,
    StreamId,
    Tag,
    WrappedEvent,
    upcaster,
)


class Opened(Event):
    __event_name__ = "account.opened"

    customer: Annotated[str, DataSubject]
    owner: Annotated[str, Encrypted(mask_value="(gone)")]


class Deposited(Event):
    __event_name__ = "account.deposited"
    __event_aliases__ = ("bank.Deposited",)
    __schema_version__ = 2

    cents: int

    @upcaster(from_version=1)
    @staticmethod
    def in_cents(data: dict[str, Any]) -> dict[str, Any]:
        return {"cents": data["amount"] * 100}


class Balance(Snapshot):
    __event_name__ = "account.balance"

    cents: int


class Account(Aggregate):
    category = "account"

    def __init__(self) -> None:
        self.cents = 0

    def deposit(self, cents: int) -> int:
        self._emit(Deposited(cents=cents))
        return self.cents

    def __apply__(self, event: Event) -> None:
        match event:
            case Deposited(cents=cents):
                self.cents += cents
            case _:
                pass

    def __snapshot__(self) -> Balance:
        return Balance(cents=self.cents)

    def __restore__(self, state: Balance) -> None:
        self.cents = state.cents


class Narrow(Aggregate):
    """Names the events that it applies."""

    category = "narrow"
    cents = 0

    def __apply__(self, event: Opened | Deposited) -> None:
        if isinstance(event, Deposited):
            self.cents += event.cents


class Request(Context):
    user: str


STREAM = StreamId(name="ann", category="account")


def wrapping() -> None:
    assert_type(WrappedEvent.wrap(Deposited(cents=5)), WrappedEvent[Deposited])
    wrapped = WrappedEvent.wrap(Deposited(cents=5), context=Context(user="ann"))
    assert_type(wrapped.event.cents, int)
    assert_type(wrapped.get_context(Request), Request)


def appending(store: EventStore) -> None:
    version = store.append(
        Deposited(cents=5),
        WrappedEvent.wrap(Deposited(cents=5)),
        stream_id=STREAM,
        expected_version=ANY_VERSION,
    )
    assert_type(version, StoredVersion | None)
    assert_type(store.append_cost(Deposited(cents=5), stream_id=STREAM), AppendCost)


def reading(store: EventStore) -> None:
    assert_type(store.version(STREAM), StoredVersion | None)
    assert_type(store.exists(STREAM), bool)
    assert_type(store.load_stream(STREAM), list[WrappedEvent[Any]])
    assert_type(store.load_stream(STREAM, events=Deposited), list[WrappedEvent[Deposited]])
    several: list[WrappedEvent[Opened | Deposited]]
    several = store.load_stream(STREAM, events=(Opened, Deposited))
    for one in several:
        assert_type(one.event, Opened | Deposited)
    newest = store.iter_stream(STREAM, newest_first=True, events=Deposited)
    assert_type(newest, Iterator[WrappedEvent[Deposited]])
    assert_type([one.event.cents for one in newest], list[int])


def deciding(store: EventStore) -> None:
    accounts = Repository(store, Account, every=100)
    assert_type(accounts.load("ann"), Account)
    assert_type(accounts.transact("ann", lambda account: account.deposit(5)), int)
    with accounts.aggregate("ann") as account:
        assert_type(account, Account)
    assert_type(Repository(store, Narrow).load("ann").cents, int)


def following(backend: DynamoBackend | MemoryBackend) -> None:
    def handle(recorded: Recorded) -> None:
        assert_type(recorded.position, int)

    backend.projection("balances", handle, category="account", events=[Deposited]).run_once()
    backend.in_tenant("acme").with_outbox().outbox.run_once(handle)


class Enrolled(Event):
    __event_name__ = "student.enrolled"

    student: Annotated[str, Tag("student")]
    courses: Annotated[list[str], Tag("course")]


class CoursesOf(DecisionModel):
    def __init__(self, student: str) -> None:
        self.query = Query(types=[Enrolled], tags=[Tag("student", student)])
        self.number = 0

    def __apply__(self, event: Enrolled) -> None:
        self.number += len(event.courses)


class Enrol(Decision):
    def __init__(self, student: str) -> None:
        self.student = student
        self.courses = self.use(CoursesOf(student))
        self.others = [self.use(CoursesOf(other)) for other in ("ann", "bob")]

    def decide(self) -> list[Enrolled]:
        assert_type(self.courses, CoursesOf)
        return [Enrolled(student=self.student, courses=["c1"])]


def bounding(backend: DynamoBackend | MemoryBackend) -> None:
    courses = backend.in_tenant("acme").boundary("courses")
    assert_type(courses, Boundary)
    found = courses.read(Query(types=["old.name"]) | Query(tags=[Tag("course", 5)]))
    assert_type(found, Found)
    event = Enrolled(student="ann", courses=[])
    assert_type(courses.append(event, fail_if=found.query, after=found.head), StoredVersion)
    courses.append(WrappedEvent.wrap(event), fail_if=Query.everything())
    decided = courses.decide(Enrol, "ann", command_id="x", context=Context(user="ann"))
    assert_type(decided, Decided)
    assert_type(decided.version, StoredVersion)
    courses.decide(Enrol, 5)  # type: ignore[arg-type]
