"""Streams through python-event-sourcery's `EventStore`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from event_sourcery import NO_VERSIONING, StreamId
from event_sourcery._event_store.versioning import ExplicitVersioning
from event_sourcery.event import Context, EventCorrelation, RawEvent, WrappedEvent
from event_sourcery.exceptions import (
    ExpectedVersionUsedOnVersionlessStream,
)
from event_sourcery.interfaces import StorageStrategy

from dynamo_es import exceptions as errors
from tests.adapters.event_sourcery.orders import OrderPlaced, OrderShipped, placed, summary
from tests.engine import Capability, needs
from tests.recording import recording

ours = needs(Capability.REQUESTS)


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


def test_events_without_a_wrapper_get_the_versions_after_the_expected_one(store):
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


@pytest.mark.parametrize("versioning", [NO_VERSIONING, ExplicitVersioning(3, 3)])
@ours
def test_no_events_are_no_append(backend, versioning):
    backend[StorageStrategy].insert_events(StreamId(), versioning, [])

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
