"""Streams through their `EventStore`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from event_sourcery import NO_VERSIONING, StreamId
from event_sourcery.event import Context, EventCorrelation, RawEvent, WrappedEvent
from event_sourcery.exceptions import (
    AnotherStreamWithThisNameButOtherIdExists,
    ConcurrentStreamWriteError,
    ExpectedVersionUsedOnVersionlessStream,
    IllegalTenantId,
    NoExpectedVersionGivenOnVersionedStream,
)
from event_sourcery.interfaces import StorageStrategy

from dynamo_es import exceptions as errors
from tests.adapters.event_sourcery.orders import OrderPlaced, OrderShipped, placed, summary
from tests.engine import Capability, needs
from tests.recording import recording

ours = needs(Capability.REQUESTS)


class Misnamed(StreamId):
    """Ids of another library or release, that derives other UUIDs from names."""

    NAMESPACE = uuid4()


@pytest.fixture
def store(backend) -> Any:
    return backend.event_store


def test_events_come_back_as_they_were_appended(store):
    stream = StreamId(name="order 1", category="orders")
    context = Context().with_component(EventCorrelation(correlation_id=uuid4()))
    first = WrappedEvent.wrap(OrderPlaced(number=7), 1, context=context)
    second = WrappedEvent.wrap(OrderShipped(parcels=["a", "ü"]), 2)

    store.append(first, second, stream_id=stream)

    assert store.load_stream(stream) == [first, second]


def test_an_aware_time_stays_aware(store):
    stream = StreamId()
    [event] = placed(1)
    event.created_at = datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC)

    store.append(event, stream_id=stream)

    assert store.load_stream(stream)[0].created_at == event.created_at


def test_events_without_a_wrapper_get_the_versions_behind_the_expected_one(store):
    stream = StreamId()

    store.append(OrderPlaced(), OrderPlaced(), stream_id=stream)
    store.append(OrderShipped(), stream_id=stream, expected_version=2)

    assert [event.version for event in store.load_stream(stream)] == [1, 2, 3]


def test_without_an_expected_version_those_of_the_events_decide(store):
    stream = StreamId()

    for commit in (placed(1, 2), placed(3), placed(4, 5)):
        store.append(*commit, stream_id=stream)

    assert [event.version for event in store.load_stream(stream)] == [1, 2, 3, 4, 5]


def test_a_stream_that_is_not_there_is_empty(store):
    assert store.load_stream(StreamId(name="nobody")) == []


@pytest.mark.parametrize(
    ("start", "stop", "versions"),
    [
        (None, None, [1, 2, 3, 4]),
        (2, None, [2, 3, 4]),
        (None, 3, [1, 2]),
        (2, 4, [2, 3]),
        (3, 3, []),
        (4, 2, []),
        (9, None, []),
        (None, 1, []),
        (0, None, [1, 2, 3, 4]),
        (0, 3, [1, 2]),
        (None, 9, [1, 2, 3, 4]),
    ],
)
def test_a_range_begins_with_its_start_and_ends_before_its_stop(store, start, stop, versions):
    stream = StreamId()
    store.append(*placed(1, 2), stream_id=stream)
    store.append(*placed(3, 4), stream_id=stream)

    assert [event.version for event in store.load_stream(stream, start, stop)] == versions


@ours
@pytest.mark.parametrize("stop", [0, -1])
def test_nothing_is_before_the_first_version(store, stop):
    stream = StreamId()
    store.append(*placed(1, 2), stream_id=stream)

    assert store.load_stream(stream, stop=stop) == []


@ours
def test_one_append_is_one_write_and_four_requests_for_its_positions(store, client, config):
    stream = StreamId()
    with recording(client) as sent:
        store.append(*placed(1, 2), stream_id=stream)

    assert sent.operations[0] == "PutItem"
    assert sent.calls[0][1]["TableName"] == config.events_table
    assert len(sent.operations) == 5
    assert {params["TableName"] for name, params in sent.calls[1:] if "TableName" in params} == {
        config.log_table
    }


# What is refused


def test_an_expected_version_that_the_stream_has_not_reached_is_refused(store):
    stream = StreamId()

    with pytest.raises(ConcurrentStreamWriteError):
        store.append(*placed(11), stream_id=stream, expected_version=10)

    assert store.load_stream(stream) == []


def test_an_expected_version_that_the_stream_has_passed_is_refused(store):
    stream = StreamId()
    stored = placed(1, 2)
    store.append(*stored, stream_id=stream)

    with pytest.raises(ConcurrentStreamWriteError):
        store.append(*placed(2), stream_id=stream, expected_version=1)

    assert store.load_stream(stream) == stored


@ours
@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ([1], 0),  # taken
        ([2], 0),
        ([4], 0),  # a gap before them
        ([3, 5], 0),  # or between them
        ([3, 3], 0),
        ([4, 3], 0),
        ([0], 0),
        ([-1], 0),
        ([3], 1),  # not the ones behind the expected version
        ([4], 2),
        ([1], 2),
        ([3, 5], 2),
        ([2], 1),  # behind one that is passed
        ([5], 4),  # or not reached
    ],
)
def test_versions_that_do_not_follow_the_stored_ones_are_refused(store, versions, expected):
    stream = StreamId()
    stored = placed(1, 2)
    store.append(*stored, stream_id=stream)

    with pytest.raises(ConcurrentStreamWriteError):
        store.append(*placed(*versions), stream_id=stream, expected_version=expected)

    assert store.load_stream(stream) == stored


@ours
def test_a_conflict_has_the_details_as_its_cause(store):
    stream = StreamId()
    store.append(*placed(1, 2), stream_id=stream)

    with pytest.raises(ConcurrentStreamWriteError) as caught:
        store.append(OrderPlaced(), stream_id=stream, expected_version=1)

    cause = caught.value.__cause__
    assert isinstance(cause, errors.ConcurrentStreamWriteError)
    assert (cause.expected, cause.actual) == (1, 2)
    assert str(caught.value) == str(cause)


@ours
def test_the_same_events_again_are_a_success_that_stores_nothing(store):
    stream = StreamId()
    stored = placed(1, 2)
    store.append(*stored, stream_id=stream)

    store.append(*stored, stream_id=stream)

    assert store.load_stream(stream) == stored
    assert store.position == 2


@pytest.mark.parametrize("expected", [0, 1, 7])
def test_versions_on_a_stream_without_them_are_refused(store, expected):
    stream = StreamId()
    store.append(OrderPlaced(), stream_id=stream, expected_version=NO_VERSIONING)

    with pytest.raises(ExpectedVersionUsedOnVersionlessStream):
        store.append(OrderPlaced(), stream_id=stream, expected_version=expected)

    assert len(store.load_stream(stream)) == 1


@ours
@pytest.mark.parametrize(("versions", "expected"), [([3, 5], 0), ([0], 0), ([4], 2)])
def test_mixing_is_told_before_versions_that_do_not_fit(store, versions, expected):
    stream = StreamId()
    store.append(OrderPlaced(), stream_id=stream, expected_version=NO_VERSIONING)

    with pytest.raises(ExpectedVersionUsedOnVersionlessStream):
        store.append(*placed(*versions), stream_id=stream, expected_version=expected)


def test_no_versions_on_a_stream_with_them_are_refused(store):
    stream = StreamId()
    store.append(OrderPlaced(), stream_id=stream)

    with pytest.raises(NoExpectedVersionGivenOnVersionedStream):
        store.append(OrderPlaced(), stream_id=stream, expected_version=NO_VERSIONING)

    assert len(store.load_stream(stream)) == 1


@ours
@pytest.mark.parametrize("versions", [[None], [1, None], [None, 2]])
def test_events_without_versions_are_refused_where_versions_are_expected(store, versions):
    stream = StreamId()

    with pytest.raises(ExpectedVersionUsedOnVersionlessStream):
        store.append(*placed(*versions), stream_id=stream)

    assert store.load_stream(stream) == []


# Streams without versions


def test_a_stream_without_versions_takes_events_of_everybody(store, another):
    stream = StreamId()
    stored = [placed(None), placed(None, None), placed(None)]

    for writer, commit in zip((store, another.event_store, store), stored, strict=True):
        writer.append(*commit, stream_id=stream, expected_version=NO_VERSIONING)

    assert store.load_stream(stream) == [event for commit in stored for event in commit]
    assert store.load_stream(stream, 2, 4) == [*stored[1]]


@ours
def test_versions_of_events_are_dropped_in_a_stream_without_them(store):
    stream = StreamId()

    store.append(*placed(7, 9), stream_id=stream, expected_version=NO_VERSIONING)

    assert [event.version for event in store.load_stream(stream)] == [None, None]


# Names, categories, tenants


def test_a_named_stream_is_found_by_its_name(store):
    stored = placed(1)
    store.append(*stored, stream_id=StreamId(name="order 1"))

    assert store.load_stream(StreamId(name="order 1")) == stored


@ours
@pytest.mark.parametrize("taken", [True, False])
def test_a_name_stands_for_one_stream(store, taken):
    if taken:
        store.append(*placed(1), stream_id=StreamId(name="order 1"))
    stream = Misnamed(name="order 1")

    with pytest.raises(AnotherStreamWithThisNameButOtherIdExists):
        store.append(*placed(1), stream_id=stream)

    assert store.load_stream(stream) == []
    store.delete_stream(stream)


@ours
def test_a_snapshot_of_a_misnamed_stream_is_refused(store):
    with pytest.raises(AnotherStreamWithThisNameButOtherIdExists):
        store.save_snapshot(Misnamed(name="order 1"), summary(1))


@pytest.mark.parametrize(
    "stream",
    [
        StreamId(name="order 1", category="orders"),
        StreamId(name="order 1"),
        StreamId(category="orders"),
        StreamId(name="a/b#c%", category="x#y%"),
    ],
    ids=["both", "name", "category", "separators"],
)
def test_name_and_category_come_back_with_raw_events(backend, stream):
    backend.event_store.append(*placed(1, 2), stream_id=stream)

    for event in backend[StorageStrategy].fetch_events(stream):
        assert event.stream_id == stream
        assert event.stream_id.name == stream.name
        assert type(event.stream_id) is StreamId


@ours
def test_who_knows_the_uuid_only_gets_the_name_too(backend):
    stream = StreamId(name="order 1", category="orders")
    backend.event_store.append(*placed(1), stream_id=stream)

    [event] = backend[StorageStrategy].fetch_events(StreamId(uuid=stream, category="orders"))

    assert event.stream_id.name == "order 1"


@pytest.mark.parametrize("uuid", [{"name": "same"}, {"uuid": uuid4()}], ids=["name", "uuid"])
def test_streams_of_other_categories_are_others(store, uuid):
    streams = [StreamId(**uuid, category=category) for category in ("a", "b", None)]
    stored = [placed(1), placed(1, 2), placed(1)]
    for stream, commit in zip(streams, stored, strict=True):
        store.append(*commit, stream_id=stream)

    store.delete_stream(streams[0])

    assert [store.load_stream(stream) for stream in streams] == [[], *stored[1:]]


@ours
def test_streams_of_other_tenants_are_others(backend):
    stream = StreamId(name="order 1")
    stores = [backend.event_store, *(backend.in_tenant_mode(t).event_store for t in "ab")]
    stored = [placed(1), placed(1, 2), placed(1)]
    for store, commit in zip(stores, stored, strict=True):
        store.append(*commit, stream_id=stream)
    stores[1].save_snapshot(stream, snapshot := summary(2))

    stores[0].delete_stream(stream)

    assert [store.load_stream(stream) for store in stores] == [[], [snapshot], stored[2]]


@ours
@pytest.mark.parametrize("tenant", [7, None, "\ud800"])
def test_a_tenant_id_is_text(backend, tenant):
    with pytest.raises(IllegalTenantId):
        backend[StorageStrategy].scoped_for_tenant(tenant)


@ours
def test_scoping_a_storage_leaves_it_as_it_is(backend):
    storage = backend[StorageStrategy]
    stream = StreamId()
    backend.event_store.append(*placed(1), stream_id=stream)

    scoped = storage.scoped_for_tenant("a")

    assert len(storage.fetch_events(stream)) == 1
    assert scoped.fetch_events(stream) == []


# Snapshots, deletion, position


def test_a_stream_is_loaded_from_its_newest_snapshot(store):
    stream = StreamId()
    store.append(*placed(1, 2), stream_id=stream)
    store.save_snapshot(stream, summary(2))
    store.append(OrderPlaced(), stream_id=stream, expected_version=2)
    store.save_snapshot(stream, snapshot := summary(3))

    store.append(event := placed(4)[0], stream_id=stream, expected_version=3)

    assert store.load_stream(stream) == [snapshot, event]


@ours
def test_with_a_start_no_snapshot_is_returned_so_that_all_events_can_be_had(store):
    stream = StreamId()
    stored = placed(1, 2, 3)
    store.append(*stored, stream_id=stream)
    store.save_snapshot(stream, snapshot := summary(2))

    assert store.load_stream(stream, 1) == stored
    assert store.load_stream(stream, 0) == stored
    assert store.load_stream(stream, stop=3) == [snapshot]
    assert store.load_stream(stream, stop=2) == stored[:1]


@ours
def test_an_older_snapshot_does_not_replace_a_newer_one(store):
    stream = StreamId()
    store.append(*placed(1, 2, 3), stream_id=stream)
    store.save_snapshot(stream, newer := summary(3))

    store.save_snapshot(stream, summary(2))

    assert store.load_stream(stream) == [newer]


@ours
def test_a_snapshot_ahead_of_its_stream_is_refused(store):
    stream = StreamId()
    store.append(*placed(1), stream_id=stream)

    with pytest.raises(errors.SnapshotAheadOfStreamError):
        store.save_snapshot(stream, summary(2))


@ours
def test_a_stream_without_versions_takes_no_snapshot(store):
    stream = StreamId()
    store.append(OrderPlaced(), stream_id=stream, expected_version=NO_VERSIONING)

    with pytest.raises(ExpectedVersionUsedOnVersionlessStream):
        store.save_snapshot(stream, summary(1))


def test_a_deleted_stream_can_be_created_again(store):
    stream = StreamId(name="order 1")
    store.append(*placed(1, 2), stream_id=stream)

    store.delete_stream(stream)
    store.delete_stream(stream)
    assert store.load_stream(stream) == []

    store.append(*(stored := placed(1)), stream_id=stream)
    assert store.load_stream(stream) == stored


def test_the_position_is_that_of_the_last_event_of_all_tenants(backend):
    before: object = backend.event_store.position
    assert before is None

    backend.event_store.append(*placed(1, 2), stream_id=StreamId())
    backend.in_tenant_mode("a").event_store.append(*placed(1), stream_id=StreamId())

    position: object = backend.event_store.position
    assert position == 3
    assert type(position) is int


# The strategy by itself


def test_no_events_are_no_append(backend):
    backend[StorageStrategy].insert_events(StreamId(), NO_VERSIONING, [])

    assert backend.event_store.position is None


@ours
def test_what_is_not_json_is_refused_before_anything_is_sent(backend, client):
    stream = StreamId()
    event = RawEvent(
        uuid=uuid4(),
        stream_id=stream,
        created_at=datetime.now(UTC),
        name="Odd",
        data={"set": {1}},
        context={},
        version=1,
    )
    with recording(client) as sent, pytest.raises(errors.InvalidEventError):
        backend[StorageStrategy].insert_events(stream, NO_VERSIONING, [replace(event)])

    assert sent.calls == []
