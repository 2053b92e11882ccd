"""Each attempt at a decision sees the current stream, and nothing of earlier attempts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from dynamo_es import Aggregate, Event, MemoryBackend, Repository, Snapshot, StreamId
from dynamo_es.aggregates.retries import RETRY_FOR
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    ConcurrentStreamWriteError,
    EnlistedWriteRefusedError,
    InputError,
    InvalidEnlistedWriteError,
)
from tests.aggregates.account import Account
from tests.aggregates.test_repository import Flaky
from tests.engine import Capability, DynamoEngine, needs
from tests.event_store.accounts import Deposited


class Begun(Event):
    __event_name__ = "list.begun"

    lines: list[str]


class Added(Event):
    __event_name__ = "list.added"

    line: str


class Lines(Snapshot):
    __event_name__ = "list.lines"

    lines: list[str]


class Listing(Aggregate):
    """Keeps the list that it was given, as few would not."""

    category = "list"
    lines: list[str]

    def begin(self, *lines: str) -> None:
        self._emit(Begun(lines=list(lines)))

    def add(self, line: str) -> None:
        self._emit(Added(line=line))

    def __apply__(self, event: Event) -> None:
        if isinstance(event, Begun | Lines):
            self.lines = event.lines
        elif isinstance(event, Added):
            self.lines.append(event.line)

    def __snapshot__(self) -> Snapshot:
        return Lines.model_construct(lines=self.lines)


class Time:
    """A clock that moves while somebody sleeps, and what is done meanwhile."""

    def __init__(self, meanwhile: Any = None) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self.meanwhile = meanwhile

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        if self.meanwhile:
            self.meanwhile()


@pytest.fixture
def others(engine):
    """The store of another process."""
    return engine.fresh_process().event_store


@pytest.fixture
def rivals(others):
    return Repository(others, Account)


def deposit(rivals, name):
    rivals.transact(name, lambda account: account.deposit(1))


# Objects of its own


@pytest.mark.parametrize("every", [None, 1])
@pytest.mark.parametrize("conflicts", [1, 2, 3])
def test_what_a_refused_attempt_changed_is_not_in_the_next(store, others, ann, every, conflicts):
    repository = Repository(store, Listing, every=every, sleep=lambda _: None)
    rival = Repository(others, Listing)
    repository.transact(ann, lambda listing: listing.begin("first"))
    seen = []

    def decide(listing):
        seen.append(list(listing.lines))
        if len(seen) <= conflicts:
            rival.transact(ann, lambda other: other.add(f"rival {len(seen)}"))
        listing.add("ours")

    repository.transact(ann, decide)

    theirs = [f"rival {number}" for number in range(1, conflicts + 1)]
    assert seen == [["first", *theirs[:number]] for number in range(conflicts + 1)]
    assert repository.load(ann).lines == ["first", *theirs, "ours"]
    events = store.load_stream(StreamId(name=ann, category="list"), 1)
    assert len(events) == 2 + conflicts


def test_a_factory_that_makes_the_same_object_again_is_refused(store, rivals, ann):
    account = Account()

    def decide(account):
        deposit(rivals, ann)
        account.deposit(5)

    with pytest.raises(InputError, match="A factory must return a new aggregate"):
        Repository(store, lambda: account).transact(ann, decide)


@pytest.mark.parametrize(
    "load", [Repository.load, lambda *given: Repository.aggregate(*given).__enter__()]
)
def test_an_aggregate_that_was_used_before_is_not_loaded_into(store, ann, load):
    repository = Repository(store, Account)
    with repository.aggregate(ann) as saved:
        saved.deposit(5)
    emitted = Account()
    emitted.deposit(5)

    for account in (saved, repository.load(ann), emitted):
        with pytest.raises(InputError, match="give a new one"):
            load(repository, ann, account)


def test_what_is_no_aggregate_is_refused(store, ann):
    with pytest.raises(InputError, match="aggregate must be an object of an Aggregate class"):
        Repository(store, dict).load(ann)  # type: ignore[type-var]


# Waiting before reading


def test_a_rival_that_appends_at_every_wait_hinders_nobody(store, rivals, ann):
    time = Time(meanwhile=lambda: deposit(rivals, ann))
    repository = Repository(store, Account, sleep=time.sleep, monotonic=time.monotonic)
    seen = []

    def decide(account):
        seen.append(account.balance)
        if len(seen) <= 2:
            deposit(rivals, ann)
        account.deposit(100)

    repository.transact(ann, decide)

    # The first time at once, on what the refusal brought; then after a wait, on what is there.
    assert seen == [0, 1, 3]
    assert len(time.waits) == 1
    assert repository.load(ann).balance == 103


def test_a_stream_that_is_created_again_during_a_wait_is_read_anew(store, others, rivals, ann):
    def create_again():
        others.delete_stream(StreamId(name=ann, category="account"))
        for _ in range(4):
            rivals.transact(ann, lambda account: account.deposit(10))

    time = Time(meanwhile=create_again)
    repository = Repository(store, Account, sleep=time.sleep, monotonic=time.monotonic)
    seen = []

    def decide(account):
        seen.append(account.balance)
        if len(seen) <= 2:
            deposit(rivals, ann)
        account.deposit(100)

    repository.transact(ann, decide)

    assert seen == [0, 1, 40]
    assert repository.load(ann).balance == 140


def test_it_goes_on_for_ten_seconds_unless_the_repository_says_otherwise(ann):
    store = MemoryBackend().event_store
    rivals = Repository(store, Account)
    given: Any
    for given, lasts in (
        ({}, RETRY_FOR),
        ({"retry_for": 0.5}, 0.5),
        ({"retry_for": timedelta(seconds=3)}, 3),
    ):
        time = Time()
        repository = Repository(store, Account, sleep=time.sleep, monotonic=time.monotonic, **given)

        def decide(account):
            deposit(rivals, ann)
            account.deposit(100)

        with pytest.raises(ConcurrentStreamWriteError):
            repository.transact(ann, decide)
        assert time.now == pytest.approx(lasts)
        assert max(time.waits) <= 1


def test_without_time_there_is_one_attempt(store, rivals, ann):
    seen = []

    def decide(account):
        seen.append(account.balance)
        deposit(rivals, ann)
        account.deposit(100)

    with pytest.raises(ConcurrentStreamWriteError):
        Repository(store, Account, retry_for=0).transact(ann, decide)
    assert seen == [0]


def test_lost_answers_are_asked_for_again_for_as_long(store, ann):
    time = Time()
    lost = AppendOutcomeUnknownError("s", 0, "the reply was lost.")
    flaky = Flaky(store, *[(lost, None)] * 1000)
    repository = Repository(flaky, Account, sleep=time.sleep, monotonic=time.monotonic)

    with pytest.raises(AppendOutcomeUnknownError):
        repository.transact(ann, lambda account: account.deposit(5))
    assert time.now == pytest.approx(RETRY_FOR)


@pytest.mark.ci
def test_thousands_of_attempts_are_no_problem(ann):
    store = MemoryBackend().event_store
    time = Time()
    repository = Repository(store, Account, sleep=lambda _: None, monotonic=time.monotonic)
    left = [2000]

    def decide(account):
        if left[0]:
            left[0] -= 1
            stream = StreamId(name=ann, category="account")
            store.delete_stream(stream)
            store.append(Deposited(amount=1), stream_id=stream)
        account.deposit(1)

    repository.transact(ann, decide)
    assert repository.load(ann).balance == 2


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "10", None, timedelta(-1)])
def test_the_time_is_a_number_of_seconds(store, seconds):
    with pytest.raises(InputError, match="retry_for must be a timedelta or a number"):
        Repository(store, Account, retry_for=seconds)


@pytest.mark.parametrize("attempts", [0, -1, 1.5, True, "3"])
def test_attempts_are_a_number_from_one(store, ann, attempts):
    with pytest.raises(InputError, match="attempts must be an integer of 1 or more"):
        Repository(store, Account).transact(ann, lambda account: None, attempts=attempts)


def test_a_decision_that_would_run_later_is_refused(store, ann):
    async def decide(account: Account) -> None:
        account.deposit(5)

    with pytest.raises(InputError, match="Give a plain function"):
        Repository(store, Account).transact(ann, decide)  # type: ignore[unused-coroutine]
    assert Repository(store, Account).load(ann).stored_version == 0


@pytest.mark.concurrent
@needs(Capability.CONCURRENCY, Capability.BILLS)  # moto serves one request after the other
def test_twenty_writers_all_succeed_with_what_is_set_by_default(engine, store, ann):
    twenty_writers(ann, [engine.fresh_process().event_store for _ in range(20)])
    assert Repository(store, Account).load(ann).balance == 40


@pytest.mark.concurrent
def test_twenty_writers_in_memory_all_succeed_too(ann):
    backend = MemoryBackend()
    twenty_writers(ann, [backend.event_store] * 20)
    assert Repository(backend.event_store, Account).load(ann).balance == 40


def twenty_writers(name, stores):
    together = Barrier(len(stores))

    def write(store):
        repository = Repository(store, Account)
        together.wait()
        for _ in range(2):
            repository.transact(name, lambda account: account.deposit(1))

    with ThreadPoolExecutor(len(stores)) as threads:
        list(threads.map(write, stores))


# Writes that go along


@pytest.fixture
def read_model(engine):
    """A table of the application's own, with one item a test."""
    assert isinstance(engine, DynamoEngine)
    table = f"balances-{engine.config_with().events_table}"
    names = engine.client.list_tables()["TableNames"]
    if table not in names:
        engine.client.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    return table


def balance_write(table, name, balance, **more):
    item = {"name": {"S": name}, "balance": {"N": str(balance)}}
    return {"Put": {"TableName": table, "Item": item, **more}}


def balance_in(engine, table, name):
    found = engine.client.get_item(TableName=table, Key={"name": {"S": name}})
    return int(found["Item"]["balance"]["N"]) if "Item" in found else None


@needs(Capability.REQUESTS)
def test_a_read_model_changes_with_the_decision(engine, store, rivals, ann, read_model):
    repository = Repository(store, Account)
    conflicts = [1]

    def decide(account):
        if conflicts:
            conflicts.pop()
            deposit(rivals, ann)
        account.deposit(5)

    repository.transact(
        ann,
        decide,
        transact_with=lambda account: [balance_write(read_model, ann, account.balance)],
    )
    assert balance_in(engine, read_model, ann) == 6

    with repository.aggregate(
        ann, transact_with=lambda account: [balance_write(read_model, ann, account.balance)]
    ) as account:
        account.deposit(10)
    assert balance_in(engine, read_model, ann) == 16

    account.deposit(1)
    repository.save(ann, account, transact_with=[balance_write(read_model, ann, 17)])
    assert balance_in(engine, read_model, ann) == 17


@needs(Capability.REQUESTS)
@pytest.mark.parametrize("once", [iter, tuple, lambda writes: (write for write in writes)])
def test_writes_that_can_be_listed_once_go_along_with_the_last_attempt(
    engine, store, rivals, ann, read_model, once
):
    conflicts = [1, 1]

    def decide(account):
        if conflicts:
            conflicts.pop()
            deposit(rivals, ann)
        account.deposit(5)

    Repository(store, Account, sleep=lambda _: None).transact(
        ann, decide, transact_with=once([balance_write(read_model, ann, 7)])
    )
    assert balance_in(engine, read_model, ann) == 7


@pytest.mark.parametrize("writes", [7, lambda _: 7, lambda _: None])
def test_what_is_no_list_of_writes_is_refused(store, ann, writes):
    repository = Repository(store, Account)
    with pytest.raises(InvalidEnlistedWriteError, match="transact_with must be a list"):
        repository.transact(ann, lambda account: account.deposit(5), transact_with=writes)
    assert repository.load(ann).stored_version == 0


@needs(Capability.REQUESTS)
def test_if_it_is_refused_nothing_is_decided(engine, store, ann, read_model):
    write = balance_write(read_model, ann, 5, ConditionExpression="attribute_exists(balance)")

    with pytest.raises(EnlistedWriteRefusedError):
        Repository(store, Account).transact(
            ann, lambda account: account.deposit(5), transact_with=[write]
        )

    assert Repository(store, Account).load(ann).stored_version == 0
    assert balance_in(engine, read_model, ann) is None


@needs(Capability.REQUESTS)
def test_of_a_command_it_changes_once(engine, store, ann, read_model):
    add = {
        "Update": {
            "TableName": read_model,
            "Key": {"name": {"S": ann}},
            "UpdateExpression": "ADD balance :amount",
            "ExpressionAttributeValues": {":amount": {"N": "5"}},
        }
    }
    for _ in range(2):
        Repository(store, Account).transact(
            ann, lambda account: account.deposit(5), transact_with=[add], command_id="c"
        )

    assert balance_in(engine, read_model, ann) == 5


def test_without_events_there_is_nothing_to_go_along_with(store, ann):
    writes = [balance_write("balances", ann, 5)]
    repository = Repository(store, Account)
    with pytest.raises(InvalidEnlistedWriteError, match="emitted no events"):
        repository.transact(ann, lambda account: None, transact_with=writes)
    with pytest.raises(InvalidEnlistedWriteError, match="emitted no events"):
        repository.save(ann, Account(), transact_with=lambda _: writes)

    repository.transact(ann, lambda account: None, transact_with=lambda _: [])
