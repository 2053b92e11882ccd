"""Every operation, with every fault at every request, succeeds or raises a documented error.

Running it again ends in the right state.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from dynamo_es import (
    ANY_VERSION,
    NO_VERSIONING,
    DynamoBackend,
    DynamoConfig,
    ExplicitVersioning,
    RawEvent,
    StorageStrategy,
    StreamId,
    Versioning,
)
from dynamo_es.contracts import StreamAppend
from dynamo_es.contracts.boundaries import ConditionalAppend
from dynamo_es.dynamodb.emulator.emulator import Emulator
from dynamo_es.dynamodb.wire.client import make_client
from dynamo_es.dynamodb.wire.sending import sender_of
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    AppendsFailedError,
    ContentionError,
    EventStoreError,
    ThrottledError,
    UnavailableError,
)
from dynamo_es.testing.conformance.language import (
    a_snapshot,
    assert_same,
    events,
    heavy_events,
    numbered,
)
from dynamo_es.testing.faults import Fault, Network
from dynamo_es.values import Query, Tag
from tests.dynamodb.lean_emulated import lean_client
from tests.without_moto import without_moto

if TYPE_CHECKING:
    from collections.abc import Iterator

# Every fault at every request of every operation, by both transports: a minute.
pytestmark = pytest.mark.ci

CONFIG = DynamoConfig(events_table="events", log_table="log", keys_table="keys")

DOCUMENTED = (AppendOutcomeUnknownError, ContentionError, ThrottledError, UnavailableError)


@dataclass
class Operation:
    """One operation on a stream of its own: what was before, what it does, what is then."""

    stream: StreamId = field(default_factory=lambda: StreamId(category="Order"))
    repeatable: ClassVar[bool] = True
    """Whether running it again is safe without a look: not without an expected version."""

    def __post_init__(self) -> None:
        self.before: list[RawEvent] = []
        self.appended: list[RawEvent] = []

    def prepare(self, storage: StorageStrategy) -> None:
        """Make what was before; the process that will run it may do so, and so be warm."""

    def run(self, storage: StorageStrategy) -> None:
        """Run it."""
        raise NotImplementedError

    def check(self, storage: StorageStrategy) -> None:
        """Assert what is stored when it has been run, once or more."""
        assert_same(storage.fetch_events(self.stream, 1), numbered(self.before + self.appended))

    def store(self, storage: StorageStrategy, *sizes: int) -> None:
        """Put commits of these sizes there."""
        for size in sizes:
            commit = events(self.stream, size)
            storage.insert_events(self.stream, ExplicitVersioning(len(self.before)), commit)
            self.before += commit


class FirstCommit(Operation):
    versioning: Versioning = ExplicitVersioning(0)

    def prepare(self, storage: StorageStrategy) -> None:
        self.appended = events(self.stream, 3)

    def run(self, storage: StorageStrategy) -> None:
        storage.insert_events(self.stream, self.versioning, self.appended)


class FirstCommitOnFences(FirstCommit):
    def prepare(self, storage: StorageStrategy) -> None:
        self.store(storage, 1, 2, 1)
        storage.delete_stream(self.stream)
        self.before.clear()
        super().prepare(storage)


class WarmAppend(FirstCommit):
    versioning: Versioning = ExplicitVersioning(3)

    def prepare(self, storage: StorageStrategy) -> None:
        self.store(storage, 1, 2)
        super().prepare(storage)


class ColdAppend(WarmAppend):
    def prepare(self, storage: StorageStrategy) -> None:
        super().prepare(storage)
        storage._heads.forget(next(iter(storage._heads._heads)))  # type: ignore[attr-defined]


class AppendAnywhere(WarmAppend):
    versioning = ANY_VERSION
    repeatable = False


class ColdAppendAnywhere(ColdAppend):
    versioning = ANY_VERSION
    repeatable = False


class VersionlessAppend(FirstCommit):
    versioning = NO_VERSIONING
    repeatable = False

    def prepare(self, storage: StorageStrategy) -> None:
        self.before = events(self.stream, 2)
        storage.insert_events(self.stream, NO_VERSIONING, self.before)
        super().prepare(storage)

    def check(self, storage: StorageStrategy) -> None:
        assert_same(storage.fetch_events(self.stream, 1), self.before + self.appended)


class SplitCommit(WarmAppend):
    def prepare(self, storage: StorageStrategy) -> None:
        super().prepare(storage)
        self.appended = heavy_events(self.stream, 4, 260_000)


class AppendsToMany(Operation):
    def prepare(self, storage: StorageStrategy) -> None:
        self.store(storage, 1, 2)
        new, again, unknown = (StreamId(category="Order") for _ in range(3))
        for stream in (again, unknown):
            storage.insert_events(stream, ExplicitVersioning(0), events(stream, 1))
        storage.delete_stream(again)
        storage._heads.forget(next(reversed(storage._heads._heads)))  # type: ignore[attr-defined]
        self.appended = events(self.stream, 2)
        streams = (self.stream, new, again, unknown, self.stream)
        commits = [self.appended[:1], *(events(s, 2) for s in streams[1:4]), self.appended[1:]]
        self.parts = [
            StreamAppend(stream, ExplicitVersioning(version), commit)
            for stream, version, commit in zip(streams, (3, 0, 0, 1, 4), commits, strict=True)
        ]

    def run(self, storage: StorageStrategy) -> None:
        storage.insert_many(self.parts)

    def check(self, storage: StorageStrategy) -> None:
        super().check(storage)
        for part in self.parts[1:4]:
            stored = storage.fetch_events(part.stream_id, 1)[-len(part.events) :]
            assert [event.uuid for event in stored] == [event.uuid for event in part.events]


class BoundaryAppend(Operation):
    """Under a condition, to a boundary that others have written to since it was read."""

    others = 0
    warm = True

    def prepare(self, storage: StorageStrategy) -> None:
        self.store(storage, 1, 2)
        self.query = Query(tags=[Tag("course", "c1")])
        self.after = storage.fetch_matching(self.stream, self.query).head
        self.appended = [
            replace(event, context={"$tags": ["course:c1"]}) for event in events(self.stream, 2)
        ]
        if not self.warm:
            storage._heads.clear()  # type: ignore[attr-defined]
        if self.others:
            seen = storage._heads.recall(next(iter(storage._heads._heads)))  # type: ignore[attr-defined]
            key = next(iter(storage._heads._heads))  # type: ignore[attr-defined]
            self.store(storage, *[1] * self.others)
            storage._heads.clear()  # type: ignore[attr-defined]
            storage._heads.remember(key, seen.head)  # type: ignore[attr-defined]

    def run(self, storage: StorageStrategy) -> None:
        [result] = storage.insert_unless(
            self.stream, [ConditionalAppend(self.appended, self.query, self.after)]
        )
        if isinstance(result, Exception):
            raise result


class ColdBoundaryAppend(BoundaryAppend):
    warm = False


class BoundaryAppendAfterThree(BoundaryAppend):
    others = 3


class FirstBoundaryAppend(BoundaryAppend):
    def prepare(self, storage: StorageStrategy) -> None:
        self.query = Query.everything()
        self.after = storage.fetch_matching(self.stream, self.query).head
        self.appended = events(self.stream, 2)


class BoundaryAppendsTogether(BoundaryAppend):
    others = 1

    def run(self, storage: StorageStrategy) -> None:
        results = storage.insert_unless(
            self.stream,
            [
                ConditionalAppend(self.appended[:1], self.query, self.after),
                ConditionalAppend(self.appended[1:], Query(tags=[Tag("x", 1)]), self.after),
            ],
        )
        for result in results:
            if isinstance(result, Exception):
                raise result


class Snapshot(Operation):
    def prepare(self, storage: StorageStrategy) -> None:
        self.store(storage, 2, 1, 1)
        self.snapshot = a_snapshot(self.stream, 3)

    def run(self, storage: StorageStrategy) -> None:
        storage.save_snapshot(self.snapshot)

    def check(self, storage: StorageStrategy) -> None:
        super().check(storage)
        assert_same(storage.fetch_events(self.stream), [self.snapshot, numbered(self.before)[-1]])


class LoadOfSeveralPages(Operation):
    def prepare(self, storage: StorageStrategy) -> None:
        self.store(storage, *[1] * 40)

    def run(self, storage: StorageStrategy) -> None:
        self.check(storage)


class BoundedRange(Operation):
    def prepare(self, storage: StorageStrategy) -> None:
        self.store(storage, *[2] * 40)

    def run(self, storage: StorageStrategy) -> None:
        assert_same(storage.fetch_events(self.stream, 4, 9), numbered(self.before)[3:8])


class DeletionOfALongStream(Operation):
    def prepare(self, storage: StorageStrategy) -> None:
        self.store(storage, 1, 2, 1, 3, 1, 1)
        storage.save_snapshot(a_snapshot(self.stream, 4))

    def run(self, storage: StorageStrategy) -> None:
        storage.delete_stream(self.stream)

    def check(self, storage: StorageStrategy) -> None:
        assert storage.fetch_events(self.stream) == []
        assert storage.fetch_events(self.stream, 1) == []


OPERATIONS = [
    FirstCommit,
    FirstCommitOnFences,
    WarmAppend,
    ColdAppend,
    AppendAnywhere,
    ColdAppendAnywhere,
    VersionlessAppend,
    SplitCommit,
    AppendsToMany,
    ColdBoundaryAppend,
    BoundaryAppendAfterThree,
    FirstBoundaryAppend,
    BoundaryAppendsTogether,
    Snapshot,
    LoadOfSeveralPages,
    BoundedRange,
    DeletionOfALongStream,
]


@pytest.fixture
def emulated() -> Iterator[DynamoBackend]:
    # Of its own for each test: moto goes through all items of a table for every query, and the
    # SDK's quota of retries would not last for all of them.
    with Emulator() as emulator:
        backend = DynamoBackend(CONFIG, emulator.client(CONFIG))
        backend.create_tables()
        yield backend


@pytest.fixture(params=["default", "lean"])
def network(
    emulated: DynamoBackend, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Network:
    if request.param == "lean":
        return Network(lean_client(emulated.client, CONFIG))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "emulator")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "emulator")
    endpoint = emulated.client.meta.endpoint_url
    with without_moto():
        client: Any = make_client(replace(CONFIG, endpoint_url=endpoint, region="us-east-1"))
    client._endpoint.http_session = emulated.client._endpoint.http_session  # type: ignore[attr-defined]
    return Network(client)


def process(emulated: DynamoBackend, network: Network) -> StorageStrategy:
    """A process that remembers nothing yet, on the network's clock."""
    return DynamoBackend(
        emulated.config, network.client, monotonic=network.monotonic, sleep=network.sleep
    ).storage


@pytest.mark.parametrize(
    "lasting",
    [
        pytest.param(False, id="once"),
        pytest.param(True, id="from then on", marks=pytest.mark.ci),
    ],
)
@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.__name__)
def test_operation_survives_or_says_so(
    emulated: DynamoBackend, network: Network, kind: type[Operation], fault: Fault, lasting: bool
) -> None:
    for position in range(100):
        operation = kind()
        storage = process(emulated, network)
        operation.prepare(storage)

        def choose(request: int, position: int = position, fault: Fault = fault) -> Fault | None:
            hit = request >= position if lasting else request == position
            return fault if hit else None

        network.plan(choose)
        failed: EventStoreError | None = None
        with network.between():
            try:
                operation.run(storage)
            except (*DOCUMENTED, AppendsFailedError) as error:
                assert all(isinstance(e, DOCUMENTED) for e in getattr(error, "errors", {}).values())
                failed = error
        hit = network.sent > position
        assert network.directly == (network.sent if sender_of(network.client) else 0)
        network.deliver_late()

        assert lasting or failed is None, f"a single {fault} at request {position} was not survived"
        if failed is not None:
            again(operation, storage)
        operation.check(process(emulated, network))
        operation.check(storage)
        if not hit:
            return
    pytest.fail("the operation never ended")


def again(operation: Operation, storage: StorageStrategy) -> None:
    """Run a failed operation again, as its error says."""
    if not operation.repeatable:
        stored = {event.uuid for event in storage.fetch_events(operation.stream, 1)}
        there = [event.uuid in stored for event in operation.appended]
        assert all(there) or not any(there), "stored in part"
        if all(there):
            return
    operation.run(storage)


@pytest.mark.parametrize("position", range(10))
def test_late_requests_of_a_deletion_do_not_touch_the_next_generation(
    emulated: DynamoBackend, network: Network, position: int
) -> None:
    operation = DeletionOfALongStream()
    storage = process(emulated, network)
    operation.prepare(storage)
    network.plan(lambda request: Fault.LATE if request == position else None)
    with network.between():
        operation.run(storage)
    next_generation = [events(operation.stream, size) for size in (2, 2, 1)]
    version = 0
    for commit in next_generation:
        storage.insert_events(operation.stream, ExplicitVersioning(version), commit)
        version += len(commit)

    network.deliver_late()

    assert_same(
        process(emulated, network).fetch_events(operation.stream, 1),
        numbered([event for commit in next_generation for event in commit]),
    )


@pytest.mark.parametrize("position", range(4))
def test_late_appends_of_an_earlier_generation_stay_out(
    emulated: DynamoBackend, network: Network, position: int
) -> None:
    operation = WarmAppend()
    storage = process(emulated, network)
    operation.prepare(storage)
    network.plan(lambda request: Fault.LATE if request <= position else None)
    with network.between():
        try:
            operation.run(storage)
        except AppendOutcomeUnknownError:
            assert position == 3, "the SDK makes four attempts"
    storage.delete_stream(operation.stream)
    first = events(operation.stream, 1)
    storage.insert_events(operation.stream, ExplicitVersioning(0), first)

    network.deliver_late()

    assert_same(process(emulated, network).fetch_events(operation.stream, 1), numbered(first))
