"""The checks of arguments accept what they should, and their messages name the problem."""

from dataclasses import replace
from datetime import UTC, datetime, timezone
from datetime import timedelta as delta
from typing import Any

import pytest

from dynamo_es import ANY_VERSION, NO_VERSIONING, ExplicitVersioning, StreamId
from dynamo_es.contracts.checks.arguments import check_range, check_stream, check_tenant
from dynamo_es.contracts.checks.events import check_append, check_event, check_snapshot
from dynamo_es.contracts.checks.payload import MAX_DEPTH, MAX_INTEGER_BITS, NotJsonError, check_json
from dynamo_es.exceptions import (
    InvalidEventError,
    InvalidRangeError,
    InvalidStreamIdError,
    InvalidVersioningError,
)
from dynamo_es.testing.conformance.language import a_snapshot, an_event, events, numbered

STREAM = StreamId(category="Order")


@pytest.mark.parametrize(
    "bounds", [(None, None), (1, None), (None, 1), (1, 1), (9, 2), (10**99, 1)]
)
def test_range_from_1(bounds):
    check_range(*bounds)


@pytest.mark.parametrize(
    ("bounds", "named"),
    [((0, None), "start"), ((None, 0), "stop"), ((1, -1), "stop"), ((True, 2), "start")],
)
def test_refused_range_names_the_bound(bounds, named):
    with pytest.raises(InvalidRangeError, match=f"^{named} must be a version of 1 or more"):
        check_range(*bounds)


@pytest.mark.parametrize("category", [None, "", "Order", "é😀", "\0"])
def test_stream_of_any_category(category):
    check_stream(StreamId(category=category))


def test_refused_stream_names_what_it_got():
    with pytest.raises(InvalidStreamIdError, match="not 'order-1'"):
        check_stream("order-1")  # type: ignore[arg-type]
    with pytest.raises(InvalidStreamIdError, match="lone surrogate"):
        check_stream(StreamId(category="\udc00"))


@pytest.mark.parametrize("tenant", ["", "a", "é😀", "#%23"])
def test_tenant_of_any_text(tenant):
    check_tenant(tenant)


@pytest.mark.parametrize("tenant", [None, 1, b"a", "\ud800"])
def test_refused_tenant(tenant):
    with pytest.raises(InvalidStreamIdError):
        check_tenant(tenant)


@pytest.mark.parametrize("versioning", [ExplicitVersioning(0), ANY_VERSION, NO_VERSIONING])
def test_append_of_good_events(versioning):
    check_append(STREAM, versioning, events(STREAM, 3))
    check_append(STREAM, versioning, [])


def test_refused_versioning_lists_the_three():
    with pytest.raises(InvalidVersioningError, match="ANY_VERSION or NO_VERSIONING, not 3"):
        check_append(STREAM, 3, [])  # type: ignore[arg-type]


def test_versions_may_be_set_as_they_will_be():
    check_append(STREAM, ExplicitVersioning(4), numbered(events(STREAM, 2), 5))


def test_refused_version_names_the_right_one():
    appended = numbered(events(STREAM, 2), 4)

    with pytest.raises(InvalidEventError, match=r"event 0 has version 4, .* it must be 5"):
        check_append(STREAM, ExplicitVersioning(4), appended)
    with pytest.raises(InvalidEventError, match="leave it None"):
        check_append(STREAM, ANY_VERSION, appended)


def test_first_wrong_event_is_named():
    good, bad = events(STREAM, 2)

    with pytest.raises(InvalidEventError, match="event 1 ") as caught:
        check_append(STREAM, ANY_VERSION, [good, replace(bad, name="")])
    assert caught.value.stream_id == str(STREAM)
    assert str(caught.value).endswith("Nothing was written.")


def test_times_of_one_kind():
    utc = datetime(2024, 1, 1, tzinfo=UTC)
    east = datetime(2024, 1, 1, tzinfo=timezone(delta(hours=2)))

    check_append(STREAM, ANY_VERSION, [an_event(STREAM, created_at=at) for at in (utc, east)])
    with pytest.raises(InvalidEventError, match="event 1 mixes naive and aware"):
        check_append(STREAM, ANY_VERSION, [an_event(STREAM), an_event(STREAM, created_at=utc)])


def test_snapshot_gives_its_version():
    assert check_snapshot(a_snapshot(STREAM, 7)) == 7


@pytest.mark.parametrize("version", [None, 0, -1, 1.5, True])
def test_refused_version_of_a_snapshot(version):
    with pytest.raises(InvalidEventError, match="the version of the last event in it"):
        check_snapshot(a_snapshot(STREAM, version))


def test_what_is_no_snapshot_is_refused():
    with pytest.raises(InvalidEventError) as refused:
        check_snapshot({"version": 1})  # type: ignore[arg-type]

    assert str(refused.value) == "A snapshot must be a RawEvent, not dict. Nothing was written."
    assert refused.value.stream_id is None


def test_event_of_an_equal_stream_id_is_of_the_stream():
    named = StreamId(name="order-1", category="Order")

    check_event(StreamId(from_hex=named.hex, category="Order"), an_event(named), 0)


GOOD: list[Any] = [None, True, 0, -(2**130), 1.5, -0.0, "", "é😀", [], {}, [[], {"": [None]}]]


@pytest.mark.parametrize("value", GOOD, ids=repr)
def test_json_is_taken(value):
    check_json(value)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": [1, {"b": {1}}]}, "data['a'][1]['b'] is of type set"),
        ({"a": float("nan")}, "data['a'] is nan"),
        ({"a": {7: 1}}, "data['a'] has the key 7"),
        ([[["\ud800"]]], "data[0][0][0] holds a lone surrogate"),
        ({"a": 2**MAX_INTEGER_BITS}, "data['a'] is an integer of more than"),
        ((), "data is of type tuple"),
    ],
)
def test_refused_value_is_named_by_its_path(value, path):
    with pytest.raises(NotJsonError) as caught:
        check_json(value)

    assert caught.value.describe("data").startswith(path)


def test_path_is_in_the_error_of_the_append():
    event = an_event(STREAM, context={"who": {"tags": {"x"}}})

    with pytest.raises(InvalidEventError, match=r"context\['who'\]\['tags'\] is of type set"):
        check_append(STREAM, ANY_VERSION, [event])


def test_limits_are_inclusive():
    def nested(depth):
        value: Any = []
        for _ in range(depth - 1):
            value = [value]
        return value

    check_json(nested(MAX_DEPTH))
    check_json(2**MAX_INTEGER_BITS - 1)
    with pytest.raises(NotJsonError):
        check_json(nested(MAX_DEPTH + 1))
