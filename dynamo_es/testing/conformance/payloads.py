"""Payloads and metadata come back equal, with the same types."""

# ruff: noqa: DTZ001, DTZ901 - naive times are among what is stored

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from dynamo_es import StreamId
from dynamo_es.testing.conformance.language import an_event, events, numbered


@pytest.fixture
def stream() -> StreamId:
    return StreamId(category="Order")


VALUES: dict[str, Any] = {
    "none": None,
    "true": True,
    "false": False,
    "zero": 0,
    "one": 1,
    "minus one": -1,
    "float zero": 0.0,
    "minus zero": -0.0,
    "float one": 1.0,
    "tiny": 1e-300,
    "smallest": 5e-324,
    "huge": 1.7976931348623157e308,
    "no short decimal": 0.1 + 0.2,
    "past what a float holds": 2**53 + 1,
    "past 38 digits": 2**130,
    "below minus 38 digits": -(2**130),
    "4,000 digits": 10**4_000 - 1,
    "empty": "",
    "null character": "\0",
    "control characters": "\x01\x1f\x7f\x80\u2028\u2029",
    "quotes": "\"'\\/\b\f\n\r\t",
    "emoji": "😀👩‍👩‍👧",
    "composed": "\u00e9",
    "decomposed": "e\u0301",
    "last code point": "\U0010ffff",
    "not characters": "\ufffe\uffff\ufeff",
    "looks like a number": "1e5",
    "looks like json": '{"a": 1}',
    "long": "x" * 100_000,
    "long, of three bytes": "€" * 30_000,
    "empty list": [],
    "empty object": {},
    "empty key": {"": ""},
    "blank keys": {" ": 1, "\t": 2, "\0": 3},
    "keys of attributes": {
        "events": 1,
        "version": 2,
        "closed": 3,
        "S": "4",
        "N": "x",
        "NULL": True,
    },
    "keys that differ in form": {"\u00e9": 1, "e\u0301": 2},
    "mixed list": [None, True, 1, 1.0, "1", [], {}],
    "nested": {"a": [{"b": [[[{"c": {}}]]]}]},
    "many": {str(number): number for number in range(1_000)},
}


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_value_in_data_and_context(when, then, stream, value):
    event = an_event(stream, data={"value": value}, context={"list": [value]})

    when.appending(event, to=stream, expecting=0)

    then.stream(stream).is_([event])


def test_all_values_in_one_event(when, then, stream):
    appended = [an_event(stream, data=VALUES), an_event(stream, context=VALUES)]

    when.appending(*appended, to=stream, expecting=0)

    then.stream(stream).is_(appended)


def test_empty_data_and_context(when, then, stream):
    event = an_event(stream, data={}, context={})

    when.appending(event, to=stream, expecting=0)

    then.stream(stream).is_([event])


def test_deep_nesting(when, then, stream):
    event = an_event(stream, data={"deep": nested(150)})

    when.appending(event, to=stream, expecting=0)

    then.stream(stream).is_([event])


def test_minus_zero_keeps_its_sign(given, stream):
    given.stream(stream).with_events(an_event(stream, data={"zero": -0.0}))

    (event,) = given.storage.fetch_events(stream)

    assert math.copysign(1, event.data["zero"]) == -1


def test_order_of_keys_is_kept(given, stream):
    keys = ["z", "a", "", "m", "1"]
    given.stream(stream).with_events(an_event(stream, data=dict.fromkeys(keys)))

    (event,) = given.in_process("cold").storage.fetch_events(stream)

    assert list(event.data) == keys


def test_types_of_a_fetched_event(given, stream):
    stored = given.stream(stream).with_commits_of(2)

    for event in given.in_process("cold").storage.fetch_events(stream):
        assert type(event) is type(stored[0])
        assert type(event.version) is int
        assert type(event.name) is str
        assert isinstance(event.uuid, UUID)
        assert type(event.stream_id) is StreamId


@pytest.mark.parametrize("name", ["a", " ", "\0", "é😀", "#%23", "N" * 5_000, "None", "events"])
def test_event_name_of_any_text(when, then, stream, name):
    appended = [an_event(stream, name=name), an_event(stream, name="Other")]

    when.appending(*appended, to=stream, expecting=0)

    then.stream(stream).is_(appended)


def test_many_event_names_in_one_append(when, then, stream):
    appended = [an_event(stream, name=f"Name{number % 70}") for number in range(140)]

    when.appending(*appended, to=stream, expecting=0)

    then.stream(stream).is_(appended)


@pytest.mark.parametrize(
    "uuid", [UUID(int=0), UUID(int=2**128 - 1), UUID(int=1 << 76 | 8 << 60)], ids=str
)
def test_uuid_of_any_version(when, then, stream, uuid):
    event = an_event(stream, uuid=uuid)

    when.appending(event, to=stream, expecting=0)

    then.stream(stream).is_([event])


TIMES = {
    "naive": datetime(2024, 2, 29, 12, 30, 15, 123_456),
    "naive, whole second": datetime(2024, 2, 29, 12, 30, 15),
    "naive, one microsecond": datetime(2024, 2, 29, 0, 0, 0, 1),
    "utc": datetime(2024, 2, 29, 12, 30, 15, 999_999, tzinfo=UTC),
    "east": datetime(2024, 2, 29, tzinfo=timezone(timedelta(hours=5, minutes=45))),
    "west": datetime(2024, 2, 29, tzinfo=timezone(-timedelta(hours=3, minutes=30))),
    "offset of seconds": datetime(1890, 1, 1, tzinfo=timezone(timedelta(minutes=53, seconds=28))),
    "summer time": datetime(2024, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin")),
    "first": datetime.min,
    "last": datetime.max,
    "first of utc": datetime.min.replace(tzinfo=UTC),
    "last of utc": datetime.max.replace(tzinfo=UTC),
    "before the epoch": datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
}


@pytest.mark.parametrize("created_at", TIMES.values(), ids=TIMES)
def test_created_at_to_the_microsecond(when, then, stream, created_at):
    appended = [
        an_event(stream, created_at=created_at),
        an_event(stream, created_at=created_at),
    ]

    when.appending(*appended, to=stream, expecting=0)

    then.stream(stream).is_(appended)


def test_times_of_one_append_may_differ_and_go_back(when, then, stream):
    aware = [created_at for created_at in TIMES.values() if created_at.tzinfo is not None]
    appended = [an_event(stream, created_at=created_at) for created_at in reversed(aware)]

    when.appending(*appended, to=stream, expecting=0)

    then.stream(stream).is_(appended)


def test_naive_and_aware_times_in_appends_of_their_own(when, then, stream):
    naive = an_event(stream)
    aware = an_event(stream, created_at=naive.created_at.replace(tzinfo=UTC))

    when.appending(naive, to=stream, expecting=0)
    when.appending(aware, to=stream, expecting=1)

    then.stream(stream).is_([naive, aware])


# The store does not change the caller's objects, and changing these does not change the store.


def mutable_event(stream: StreamId) -> Any:
    return an_event(stream, data={"list": [1], "object": {}}, context={"list": [{}]})


def spoil(event: Any) -> None:
    event.data["list"].append("spoilt")
    event.data["object"]["spoilt"] = True
    event.context["list"][0]["spoilt"] = True
    event.context["spoilt"] = True


def test_changing_an_event_after_the_append_changes_nothing_stored(given, then, stream):
    event, same = mutable_event(stream), mutable_event(stream)
    given.stream(stream).with_events(event)

    spoil(event)

    (stored,) = given.storage.fetch_events(stream)
    assert (stored.data, stored.context) == (same.data, same.context)


def test_changing_a_fetched_event_changes_nothing_stored(given, then, stream):
    event = mutable_event(stream)
    given.stream(stream).with_events(event)

    spoil(given.storage.fetch_events(stream)[0])

    then.stream(stream).is_(
        [
            mutable_event(stream).__class__(
                event.uuid, stream, event.created_at, event.name, event.data, event.context
            )
        ]
    )


def test_changing_a_list_of_events_changes_nothing_stored(given, when, then, stream):
    stored = given.stream(stream).with_commits_of(3)

    given.storage.fetch_events(stream).clear()

    then.stream(stream).is_(stored)


def test_changing_a_snapshot_changes_nothing_stored(given, then, stream):
    given.stream(stream).with_commits_of(1)
    (snapshot,) = numbered([mutable_event(stream)])
    (same,) = numbered([an_event(stream, data={"list": [1], "object": {}}, context={"list": [{}]})])
    given.storage.save_snapshot(snapshot)

    spoil(snapshot)
    spoil(given.storage.fetch_events(stream)[0])

    (stored,) = given.storage.fetch_events(stream)
    assert (stored.data, stored.context) == (same.data, same.context)


def test_append_leaves_the_callers_events_as_they_are(given, when, then, stream):
    appended = events(stream, 2)
    data = [event.data for event in appended]

    when.appending(*appended, to=stream, expecting=0)

    assert [event.version for event in appended] == [None, None]
    assert all(event.data is kept for event, kept in zip(appended, data, strict=True))
