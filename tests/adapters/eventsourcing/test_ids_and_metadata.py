"""Ids of originators and, with 10, uuids and metadata of events come back as they were stored."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import IntegrityError, Tracking
from hypothesis import given
from hypothesis import strategies as st

from dynamo_es.adapters.eventsourcing.coding import (
    decode_metadata,
    encode_metadata,
    stream_of,
)
from dynamo_es.adapters.eventsourcing.versions import IS_10, DataError, make_stored_event
from tests.adapters.eventsourcing.engine import events, new_id, sent

ten = pytest.mark.skipif(not IS_10, reason="events of 9.5 have no uuid and no metadata")

METADATA = {"correlation_id": "c1", "$tags": "theirs", "$$": "money", "initial_version": "7"}


def full(originator_id: Any, version: int, uuid: UUID | None = None) -> Any:
    return make_stored_event(originator_id, version, "topic", b"{}", uuid or uuid4(), METADATA)


@given(st.dictionaries(st.text(alphabet="$at") | st.text(), st.text(), max_size=4))
def test_metadata_under_any_name_comes_back_and_takes_no_name_of_the_store(metadata):
    stored = encode_metadata(metadata)

    assert decode_metadata({**stored, "$initial": 7, "$tags": []}) == metadata
    assert not [name for name in stored if name.startswith("$") and not name.startswith("$$")]


def test_a_uuid_and_its_text_name_one_stream():
    uuid = uuid4()
    assert stream_of(uuid, "c") == stream_of(str(uuid), "c")
    assert stream_of(str(uuid).upper(), "c").name == str(uuid).upper()
    assert stream_of(uuid.hex, "c").name == uuid.hex
    assert stream_of("dog", "c").name == "dog"


@pytest.mark.parametrize("text", ["dog", "7d444840-9dc0-11d1-b245-5ffdce74fad2"])
def test_a_text_comes_back_as_text(recorder, text):
    recorder.insert_events(events(text, 1))

    (event,) = recorder.select_events(text)
    (found,) = recorder.select_notifications(1, 10)
    assert (event.originator_id, found.originator_id) == (text, text)


def test_a_uuid_and_its_text_are_one_originator_in_a_call(recorder):
    uuid = uuid4()

    assert recorder.insert_events([*events(uuid, 1), *events(str(uuid), 2)]) == [1, 2]
    assert [e.originator_version for e in recorder.select_events(uuid)] == [1, 2]


@ten
def test_uuid_and_metadata_come_back_from_events_and_notifications(recorder):
    a = new_id()
    first, second = full(a, 0), full(a, 1)
    recorder.insert_events([first, second])

    assert recorder.select_events(a) == [first, second]
    found = recorder.select_notifications(1, 10)
    assert [(n.uuid, n.metadata) for n in found] == [
        (first.uuid, METADATA),
        (second.uuid, METADATA),
    ]


@ten
def test_the_uuid_is_the_id_of_the_event_in_the_store(recorder):
    a = new_id()
    event = full(a, 1)
    recorder.insert_events([event])

    (raw,) = recorder.runtime.storage.fetch_events(stream_of(a, "events"))
    assert raw.uuid == event.uuid
    assert raw.context["correlation_id"] == "c1"


@ten
def test_an_event_without_a_uuid_comes_back_with_the_id_that_the_store_gave_it(recorder):
    a = new_id()
    recorder.insert_events(events(a, 1))

    (raw,) = recorder.runtime.storage.fetch_events(stream_of(a, "events"))
    (event,) = recorder.select_events(a)
    assert event.uuid == raw.uuid
    assert event.uuid.int != 0


@ten
def test_uuid_and_metadata_come_back_from_snapshots(tables):
    snapshots = tables.aggregate_recorder("snapshots")
    a = new_id()
    first, second = full(a, 3), full(a, 9)
    snapshots.insert_events([first, second])

    assert snapshots.select_events(a) == [first, second]
    snapshots.insert_events([first, second])
    for others in ([first, full(a, 10)], [full(a, 3)], [full(a, 3), second]):
        with pytest.raises(IntegrityError):
            snapshots.insert_events(others)
    assert snapshots.select_events(a) == [first, second]


@ten
@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("initial", [0, 1, 5])
def test_storing_events_again_succeeds_and_returns_their_ids(tables, recorder, fresh, initial):
    a = new_id()
    batch = [full(a, initial), full(a, initial + 1)]
    assert recorder.insert_events(batch) == [1, 2]
    again = tables.application_recorder() if fresh else recorder

    assert again.insert_events(batch) == [1, 2]
    assert again.insert_events(batch[1:]) == [2]
    assert again.select_events(a) == batch
    with pytest.raises(IntegrityError):
        again.insert_events([*batch, full(a, initial + 2)])
    with pytest.raises(IntegrityError):
        again.insert_events([full(a, initial)])
    assert again.insert_events([full(a, initial + 2)]) == [3]


@ten
def test_storing_events_of_several_originators_again_succeeds(recorder):
    a, b = new_id(), new_id()
    batch = [full(a, 1), full(b, 1), full(b, 2)]
    recorder.insert_events(batch)

    assert recorder.insert_events(batch) == [1, 2, 3]
    assert recorder.max_notification_id() == 3


@ten
def test_storing_events_again_with_their_tracking_record_succeeds(tables):
    recorder = tables.process_recorder()
    batch = [full(new_id(), 1)]
    recorder.insert_events(batch, tracking=Tracking("up", 5))

    assert recorder.insert_events(batch, tracking=Tracking("up", 5)) == [1]
    assert recorder.max_tracking_id("up") == 5


@ten
def test_no_tracking_record_is_lost_because_the_events_are_stored_already(tables):
    recorder = tables.process_recorder()
    batch = [full(new_id(), 1)]
    recorder.insert_events(batch)

    with pytest.raises(IntegrityError, match="not with the tracking record of notification 5"):
        recorder.insert_events(batch, tracking=Tracking("up", 5))
    assert recorder.max_tracking_id("up") is None


@ten
def test_two_events_with_one_uuid_are_refused_before_any_request(recorder):
    a, uuid = new_id(), uuid4()
    requests = sent(recorder)
    with pytest.raises(DataError, match="same uuid"):
        recorder.insert_events([full(a, 1, uuid), full(a, 2, uuid)])
    assert requests == []


def test_the_name_of_the_upstream_is_given_as_either_version_calls_it(tables):
    recorder = tables.tracking_recorder()
    recorder.insert_tracking(Tracking("up", 5))

    assert recorder.max_tracking_id("up") == 5
    assert recorder.max_tracking_id(application_name="up") == 5
    assert recorder.max_tracking_id(context_name="up") == 5
    with pytest.raises(TypeError):
        recorder.max_tracking_id()
