"""Runs the operations of each role on all kinds of streams, with and without faults."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from dynamo_es import (
    ANY_VERSION,
    NO_VERSIONING,
    DynamoBackend,
    ExplicitVersioning,
    StreamId,
    Writes,
)
from dynamo_es.aws_lambda import (
    index_tags,
    project_log,
    project_streams,
    publish_outbox,
    sequence_events,
)
from dynamo_es.contracts import StreamAppend, StreamCheck
from dynamo_es.contracts.boundaries.states import Part
from dynamo_es.contracts.boundaries.strategy import ConditionalAppend
from dynamo_es.contracts.consumers.claims import Claim
from dynamo_es.contracts.consumers.cursors import Followed
from dynamo_es.contracts.consumers.failures import NewFailure
from dynamo_es.contracts.consumers.parked import ParkedFailure, ParkedKey, Place
from dynamo_es.contracts.hooks import AppendedCommit
from dynamo_es.dynamodb.storage import DynamoStorage
from dynamo_es.exceptions import EventStoreError, UnknownSubjectError
from dynamo_es.testing.clock import FrozenClock
from dynamo_es.testing.conformance.language import a_snapshot, an_event, events
from dynamo_es.testing.faults import Fault, Network
from dynamo_es.values import DEFAULT_TENANT, Query, StoredVersion, Tag
from tests.aws_lambda.lambdas import failure, records_of
from tests.infra.kinds_of_streams import Joined, another_process, append_split
from tests.log.hostile import a_victim

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

RANGES = [(None, None), (2, 5), (30, 33), (500, None), (None, 3)]


@contextmanager
def losing(backend: DynamoBackend, replies: Callable[[int], bool]) -> Iterator[None]:
    """Let replies be lost, by the numbers of their requests, from 0."""
    network = Network(backend.client)
    network.plan(lambda number: Fault.LOST_REPLY if replies(number) else None)
    with network.between():
        yield


def in_bad_times(backend: DynamoBackend, operation: Callable[[], Any]) -> None:
    """Do something again and again, each time with another reply lost; and with all of them."""
    for lost in range(4):
        for last in (lost, 99):
            with losing(backend, range(lost, last + 1).__contains__), suppress(EventStoreError):
                operation()


def write(backend: DynamoBackend, stream: StreamId) -> None:
    """What a writer does: each kind of append, by processes that know the stream or do not."""
    for versioning in (ExplicitVersioning(0), ExplicitVersioning(2), NO_VERSIONING, ANY_VERSION):
        with suppress(EventStoreError):
            another_process(backend).storage.insert_events(stream, versioning, events(stream, 2))
    with suppress(EventStoreError):
        write_many(another_process(backend), stream)
    with suppress(EventStoreError):
        write_all(another_process(backend), stream)
    warm = another_process(backend)
    with suppress(EventStoreError):
        head = warm.storage.insert_events(stream, ANY_VERSION, events(stream, 1)) or 0
        for process in (warm, another_process(backend)):
            joined = Joined(member=str(stream), email="m@x")
            head = process.event_store.append(joined, stream_id=stream, expected_version=head) or 0
            process.storage.save_snapshot(a_snapshot(stream, head))
    load(backend, stream, [(2, 5)])


def write_many(backend: DynamoBackend, stream: StreamId) -> None:
    """Append to a stream and to new ones in one call."""
    new = [StreamId(category="order") for _ in range(2)]
    parts = [StreamAppend(each, ExplicitVersioning(0), events(each, 1)) for each in new]
    backend.storage.insert_many([StreamAppend(stream, ANY_VERSION, events(stream, 1)), *parts])


def write_all(backend: DynamoBackend, stream: StreamId) -> None:
    """Append to a new stream while another one stays unchanged."""
    new = StreamId(category="order")
    backend.storage.insert_all(
        [StreamAppend(new, ExplicitVersioning(0), events(new, 1))],
        unchanged=[StreamCheck(stream, ExplicitVersioning(0))],
    )


def write_in_bad_times(backend: DynamoBackend, stream: StreamId) -> None:
    """Append and save snapshots while replies are lost."""
    process = another_process(backend)
    storage, cold = process.storage, another_process(backend).storage
    for writing in (
        lambda: storage.insert_events(stream, ANY_VERSION, events(stream, 1)),
        lambda: cold.insert_events(stream, ExplicitVersioning(0), events(stream, 1)),
        lambda: write_many(process, stream),
        lambda: storage.save_snapshot(a_snapshot(stream, 1)),
        lambda: process.event_store.append(
            Joined(member=f"{stream} m", email="m@x"), stream_id=StreamId(category="order")
        ),
    ):
        in_bad_times(backend, writing)
    append_split(process, stream)


def load(
    backend: DynamoBackend,
    stream: StreamId,
    ranges: Iterable[tuple[int | None, int | None]] = RANGES,
) -> None:
    """Load parts of a stream, and all of it; each by a process that knows nothing."""
    for start, stop in ranges:
        process = another_process(backend)
        process.storage.fetch_events(stream, start, stop)
    list(another_process(backend).storage.iter_events(stream))
    another_process(backend).event_store.load_stream(stream, keep_unknown=True)


def erase(backend: DynamoBackend, stream: StreamId) -> None:
    """What a deleter does, and again."""
    for _ in range(2):
        process = another_process(backend)
        process.storage.delete_stream(stream)
        with suppress(UnknownSubjectError):  # not every stream has encrypted fields
            process.encryption.shred(str(stream))


BOUNDARY = StreamId(category="$boundary")
TAGS = [f"course:{name}" for name in "ab"]


def indexing(backend: DynamoBackend) -> DynamoBackend:
    """Return a process that remembers nothing and uses the tag index."""
    config = replace(backend.config, tag_index=True)
    fresh = DynamoBackend(config, client=backend.client, sleep=lambda _: None)
    tenant = backend.event_store.tenant_id
    return fresh if tenant == DEFAULT_TENANT else fresh.in_tenant(tenant)


def grow_boundary(backend: DynamoBackend) -> None:
    """Append events with tags."""
    for _ in range(8):
        event = an_event(BOUNDARY, context={"$tags": TAGS})
        indexing(backend).storage.insert_unless(BOUNDARY, [ConditionalAppend([event])])


def read_by_tags(backend: DynamoBackend) -> None:
    """Read a boundary by its tag index."""
    query = Query(tags=[Tag("course", name) for name in "ab"])
    # However short the boundary is, its commits are fetched one by one.
    with patch("dynamo_es.dynamodb.tag_index.reading._READ_UNIT", 1):
        indexing(backend).storage.fetch_matching(BOUNDARY, query)
        head = indexing(backend).storage.head(BOUNDARY)
        if head is not None:
            part = Part(query, StoredVersion(2, head.generation))
            indexing(backend).storage.fetch_parts(BOUNDARY, [part])
    indexing(backend).storage.fetch_states(BOUNDARY, ["a state"])


def save_state(backend: DynamoBackend) -> None:
    """Save the state of a decision's model."""
    head = indexing(backend).storage.head(BOUNDARY)
    assert head is not None
    state = an_event(BOUNDARY, version=head.length, generation=head.generation)
    indexing(backend).storage.save_state("a state", state)


def index(backend: DynamoBackend) -> None:
    """What the worker of a tag index does."""
    while indexing(backend).storage.index_tags(BOUNDARY, 3):
        pass
    index_tags(indexing(backend), ["another"])({})


def erase_boundary(backend: DynamoBackend) -> None:
    """Delete a boundary with its tag index."""
    indexing(backend).storage.delete_stream(BOUNDARY)


def erase_boundary_alone(backend: DynamoBackend) -> None:
    """Delete a boundary by a process that dies before it deletes the tag index."""
    with patch.object(DynamoStorage, "_remove_index"):
        erase_boundary(backend)


def read_log(backend: DynamoBackend) -> None:
    """What a reader does with the log."""
    process = another_process(backend)
    last = process.log.last_position
    assert last is not None
    for after in (0, last - 1, last):
        limit = timedelta(seconds=0.1)
        next(process.subscriptions.subscribe_to_all(after, 1, limit))
        next(process.subscriptions.subscribe_to_category(after, 1, limit, "order"))
    reader = process.log.reader(0)
    while reader.read():
        pass
    assert list(process.log.streams("order", backend._tenant_id))
    process.log.unsequenced()
    process.log.position_at(datetime.now(UTC) - timedelta(minutes=1))
    # As a process that appended does.
    hooks = process._shared_log().hooks
    hooks.last_commit = AppendedCommit("acme#order#7d1c1a6a7e5b4f0c9b7e0b2f2a3c4d5e", 1, 1)
    process.log.unsequenced()
    assert process.storage.current_position == last


class Records:
    """Records of the events table's stream: of a history, and of commits that came later.

    The last one is damaged. Two come a minute apart.
    """

    def __init__(self, backend: DynamoBackend) -> None:
        before = len(records_of(backend, "events"))
        for number in range(10):
            stream = StreamId(name=f"late {number}", category="order")
            another_process(backend).storage.insert_events(stream, ANY_VERSION, events(stream, 1))
        backend.client.put_item(TableName="events", Item=a_victim(event_count={"N": "0"}))
        records = records_of(backend, "events")
        self.history, self.late = records[:before], records[before + 2 :]
        self.apart = records[before : before + 2]
        self.failure = failure(backend, self.late)
        self.newest = list(
            {str(one["dynamodb"]["Keys"]["stream_key"]): one for one in self.history}.values()
        )


def sequence(backend: DynamoBackend, records: Records) -> None:
    """What a sequencer does: batches that are late, repeated, or lack records; and lost replies."""
    history = records.history
    clock = FrozenClock()
    steady = sequence_events(another_process(backend, clock=clock))
    for record in records.apart:
        steady({"Records": [record]})
        clock.advance(timedelta(minutes=1))
    for part in (history[1::7], history[1:40], history, history[:40]):
        sequence_events(another_process(backend))({"Records": part})
    for number, late in enumerate(records.late):
        handler = sequence_events(another_process(backend))
        lost = range(number // 2, number // 2 + 1 + 98 * (number % 2))
        with losing(backend, lost.__contains__):
            handler({"Records": [late]})
        handler({"Records": [late]})
    sequence_events(another_process(backend))({"dynamo_es": "upkeep"})


def leave_a_place(backend: DynamoBackend) -> None:
    """Leave what a worker saved of a shard that is no more."""
    place = {"log_key": {"S": "poller"}, "place": {"S": "gone"}, "stream_arn": {"S": "arn"}}
    backend.client.put_item(TableName="log", Item={**place, "finished": {"BOOL": True}})


def poll(backend: DynamoBackend, records: Records) -> None:
    """What a worker does that reads the table's stream by itself, or a batch that was given up."""
    sequence_events(another_process(backend))(records.failure)
    another_process(backend).sequencer.run_once()
    another_process(backend).sequencer.run_once()


def consume(backend: DynamoBackend, records: Records) -> None:
    """What projections, projectors and outboxes do."""
    project_log(another_process(backend), "log", keep_unknown=True)(lambda _: None)({})
    project_log(another_process(backend), "log", keep_unknown=True)(lambda _: None)({})
    for batch in (records.newest, records.history[:40]):
        handler = project_streams(another_process(backend), "streams", keep_unknown=True)
        handler(lambda _: None)({"Records": batch})
    for task in ("upkeep", "retry_parked"):
        for decorate in (project_log, project_streams):
            made = decorate(another_process(backend), "parked", keep_unknown=True)
            made(lambda _: None)({"dynamo_es": task})
        publish_outbox(another_process(backend), lambda _: None, name="kept up", keep_unknown=True)(
            {"dynamo_es": "upkeep"}
        )
    process = another_process(backend)
    in_bad_times(backend, lambda: process.checkpoints.move("other", 1))
    process.checkpoints.reset("other", 0)
    process.checkpoints.all()
    process.checkpoints.pause("other")
    process.checkpoints.resume("other")
    version = process.projection("versions", lambda _: None, keep_unknown=True, version=1)
    version.catch_up()
    version.promote()
    process.projections.live("versions")
    for _ in range(2):
        with suppress(RuntimeError):
            process.projection("failing", fail, keep_unknown=True).run_once()
    keep_balances(process)
    of_tenant = process.in_tenant("acme")
    of_tenant.projection("log", lambda _: None, keep_unknown=True).run_once()
    of_tenant.outbox.run_once(lambda _: None, keep_unknown=True)
    set_aside(process, None)
    set_aside(of_tenant, "acme")
    follow(process)
    publish(backend)


def set_aside(backend: DynamoBackend, tenant: str | None) -> None:
    """What consumers do with streams that they have parked, and whoever retries them."""
    parked = backend.parked
    key = ParkedKey("parking", "log", StreamId(category="order"), tenant or "")
    failed = ParkedFailure(Place(0, 5), 1, "RuntimeError", 0)
    for _ in range(2):
        parked.park(key, failed)
    for first, last in ((5, 9), (2, 9), (3, 4)):
        parked.pass_over(key, Place(0, first), Place(0, last))
    parked.take(key, "a", 0, 10)
    for now_ms in (1, 100):
        with suppress(EventStoreError):
            parked.take(key, "b", now_ms, now_ms + 10)
    parked.advance(key, "b", Place(0, 6), 200)
    parked.fail(key, "b", ParkedFailure(Place(0, 6), 1, "RuntimeError", 0))
    parked.take(key, "b", 0, 10)
    parked.fail(key, "b", ParkedFailure(Place(0, 7), 1, "RuntimeError", 0))
    parked.take(key, "b", 0, 10)
    parked.release(key, "b", Place(0, 7))
    parked.take(key, "b", 0, 10)
    parked.unpark(key, "b", Place(0, 9))
    parked.drop(key)
    parked.skip(key, failed)
    parked.all()
    parked.skipped()
    parked.forget_skipped(key, failed.place)


def consume_all(backend: DynamoBackend) -> None:
    """What consumers of all tenants do, where each tenant has a log."""
    process = another_process(backend)
    process.projection("of all", lambda _: None, keep_unknown=True).run_once()
    process.outbox.run_once(lambda _: None, keep_unknown=True)
    process.checkpoints.all()
    process.parked.all()


def work_as_one_tenant(backend: DynamoBackend) -> None:
    """What a program does whose session is of one tenant, with a log of its own."""
    assert backend.log.last_position is None
    stream = StreamId(name="ours", category="order")
    for number in range(3):
        backend.storage.insert_events(stream, ExplicitVersioning(number), events(stream, 1))
    other = another_process(backend)
    other.storage.insert_events(stream, ANY_VERSION, events(stream, 1))
    read_log(backend)
    for _ in range(2):
        with suppress(RuntimeError):
            backend.projection("failing", fail, keep_unknown=True).run_once()
        backend.projection("all", lambda _: None, keep_unknown=True).run_once()
    keep_balances(backend)
    backend.checkpoints.all()
    backend.checkpoints.reset("all", 0)
    set_aside(backend, backend.limited_to)
    backend.event_store.append(Joined(member="m", email="m@x"), stream_id=StreamId())
    projector = backend.projector("joined", lambda *_: None, keep_unknown=True)
    for event in backend.event_store.load_stream(stream, keep_unknown=True):
        projector.project(event, stream)
    publish(backend)


def keep_balances(process: DynamoBackend) -> None:
    """What a projection sends whose handler returns writes; here to a table that is not there."""

    def delete(_: object) -> Writes:
        return Writes().delete("balances", {"account": "a"})

    projection = process.projection("balances", delete, keep_unknown=True, writes=True)
    with suppress(EventStoreError):
        projection.run_once()
    process.checkpoints.position("balances")
    seen = process.checkpoints.look("balances")
    process.checkpoints.take("balances", "other", seen, 2000, 1000)
    seen = process.checkpoints.look("balances")
    process.checkpoints.ask("balances", "another", seen)
    process.checkpoints.renew("balances", Claim("other", seen.token, 1000), 3000)


def follow(process: DynamoBackend) -> None:
    """What a projector does with the cursor of a stream, which others want as well."""
    cursors = process._shared_log().cursors
    stream = StreamId()
    for one in (Followed("y", stream, "", 0), Followed("y", stream, "", 3)):
        if cursors.take(one, 1, "a", 0, 10) is not None:
            cursors.release(one, 1, "a")
    for attempt in range(2):
        if cursors.take(Followed("z", stream, "", 1), 2, "a", attempt * 100, 10) is not None:
            cursors.release(
                Followed("z", stream, "", 1), 0, "a", NewFailure(1, "RuntimeError", attempt)
            )
    for generation in (1, 2):
        one = Followed("x", StreamId(), "", generation)
        cursors.take(one, 1, "a", 0, 10)
        with suppress(EventStoreError):
            cursors.take(one, 1, "b", 1, 10)
        cursors.renew(one, 1, "a", 20)
        cursors.release(one, 1, "a")
        cursors.version(one)
    with_writes = Followed("x", StreamId(), "", 1)
    cursors.take(with_writes, 1, "a", 0, 10)
    writes = cursors.new_writes()
    writes.add(1, Writes().delete("balances", {"account": "a"}))
    with suppress(EventStoreError):  # the table is not there
        cursors.apply(with_writes, 0, 1, "a", 20, writes)


def publish(backend: DynamoBackend) -> None:
    """What an outbox does: what fails, what is retried, what goes out, and lost replies."""
    process = another_process(backend)
    outbox = process.outbox
    publish_outbox(process, fail, keep_unknown=True, attempts=2, retry_delay=0)({})
    outbox.run_once(fail, 5, attempts=2, retry_delay=0, keep_unknown=True)
    outbox.retry_all()
    outbox.run_once(fail, 1, attempts=5, retry_delay=60, keep_unknown=True)
    for entry in outbox.entries():
        outbox.retry(entry.position)
    in_bad_times(backend, lambda: outbox.run_once(lambda _: None, 2, keep_unknown=True))
    publish_outbox(process, lambda _: None, keep_unknown=True)({})
    publish_outbox(process, lambda _: None, name="second", keep_unknown=True)({})


def fail(_: Any) -> None:
    raise RuntimeError("down")
