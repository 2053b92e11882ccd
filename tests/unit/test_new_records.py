"""Records that are made without their frozen constructor are the same as others in every way."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from dynamo_es import Context, Event, Recorded, StreamId, WrappedEvent
from dynamo_es.dynamodb.streams.items import commit_item, decode_events
from dynamo_es.event_store.wrapped import new_recorded, new_wrapped_event
from dynamo_es.values import RawEvent, RecordedRaw
from dynamo_es.values.new_records import new_recorded_raw


class Counted(Event):
    __event_name__ = "test-new-records.counted"

    number: int


STREAM = StreamId(name="ann", category="account")
AT = datetime(2024, 5, 6, 7, 8, 9, 10, UTC)
ROW = (UUID(int=7), STREAM, AT, "Counted", {"number": 1}, {"by": "ann"}, 3, 12)
RAW = RawEvent(*ROW)


def stored(*row: Any) -> RawEvent:
    """Return an event as it is loaded."""
    event = RawEvent(*row)
    item, _ = commit_item(
        "key",
        None,
        [event],
        version=event.version or 0,
        generation=event.generation or 0,
        versionless=False,
    )
    return decode_events(item, event.stream_id, event.version)[0]


WRAPPING = (Counted(number=1), 3, UUID(int=7), AT, Context(correlation_id="c"), 12)
WRAPPED = WrappedEvent(*WRAPPING)
KINDS: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
    "RawEvent": (RawEvent, stored, ROW),
    "RecordedRaw": (RecordedRaw, new_recorded_raw, (RAW, 9, "acme", 12)),
    "WrappedEvent": (WrappedEvent, new_wrapped_event, WRAPPING),
    "Recorded": (Recorded, new_recorded, (WRAPPED, STREAM, 9, "acme", 12, True)),
}


@pytest.fixture(params=KINDS.values(), ids=list(KINDS))
def both(request):
    kind, make, fields = request.param
    return kind(*fields), make(*fields)


def test_each_is_of_the_class_itself(both):
    usual, new = both
    assert type(new) is type(usual)


def test_they_are_equal_in_all_fields(both):
    usual, new = both
    assert new == usual
    assert dataclasses.asdict(new) == dataclasses.asdict(usual)
    assert [getattr(new, field.name) for field in dataclasses.fields(new)] == [
        getattr(usual, field.name) for field in dataclasses.fields(usual)
    ]


def test_they_look_alike(both):
    usual, new = both
    assert repr(new) == repr(usual)


def test_they_have_no_hash_because_payloads_have_none(both):
    for one in both:
        with pytest.raises(TypeError, match="unhashable"):
            hash(one)


def test_neither_can_be_changed(both):
    for one in both:
        for field in dataclasses.fields(one):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(one, field.name, None)
            with pytest.raises(dataclasses.FrozenInstanceError):
                delattr(one, field.name)
        with pytest.raises((AttributeError, TypeError)):
            one.other = 1
        assert not hasattr(one, "__dict__")


@pytest.mark.parametrize(
    "duplicate",
    [lambda one: pickle.loads(pickle.dumps(one)), copy.copy, copy.deepcopy],  # noqa: S301 - our own
)
def test_copies_are_equal_and_of_the_same_class(both, duplicate):
    usual, new = both
    assert duplicate(new) == usual
    assert type(duplicate(new)) is type(usual)


def test_one_is_made_of_another_with_other_fields(both):
    usual, new = both
    generation = dataclasses.replace(new, generation=99).generation
    assert generation == dataclasses.replace(usual, generation=99).generation == 99


def test_they_need_all_fields_in_order():
    for kind, make, fields in KINDS.values():
        if kind is RawEvent:
            continue  # made of an item
        assert len(fields) == len(dataclasses.fields(kind))
        with pytest.raises(TypeError):
            make(*fields[:-1])
