"""Payloads and metadata that JSON cannot hold, or would change, are refused before any write."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any
from uuid import uuid4

import pytest

from dynamo_es import StreamId
from dynamo_es.exceptions import InvalidEventError
from dynamo_es.testing.conformance.language import a_snapshot, an_event


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Word(StrEnum):
    YES = "yes"


class SpecialDict(dict[str, Any]):
    pass


NAN, INFINITY = float("nan"), float("inf")
NOT_JSON = {
    "set": {1},
    "frozenset": frozenset(),
    "nan": NAN,
    "infinity": INFINITY,
    "minus infinity": -INFINITY,
    "bytes": b"bytes",
    "tuple": (1, 2),
    "enum": Colour.RED,
    "int enum": Level.HIGH,
    "str enum": Word.YES,
    "decimal": Decimal("1.5"),
    "datetime": datetime(2024, 1, 1, tzinfo=UTC),
    "uuid": uuid4(),
    "object": object(),
    "dict subclass": SpecialDict(),
    "int key": {1: "one"},
    "None key": {None: "none"},
    "bool key": {True: "true"},
    "enum key": {Word.YES: "yes"},
    "lone surrogate": "\ud800",
    "lone surrogate in the middle": "a\udfffb",
    "lone surrogate in a key": {"\ud83d": 1},
    "too many digits": 10**5_000,
}
# At the top, in a list, deep inside.
WRAPPERS: list[Callable[[Any], dict[str, Any]]] = [
    lambda value: {"key": value},
    lambda value: {"key": [1, value]},
    lambda value: {"a": [{"b": {"c": [[value]]}}]},
]


@pytest.fixture
def stream() -> StreamId:
    return StreamId(category="Order")


@pytest.mark.parametrize("value", NOT_JSON.values(), ids=NOT_JSON)
@pytest.mark.parametrize("part", ["data", "context"])
def test_payload_that_json_would_change_is_refused(given, when, then, stream, part, value):
    stored = given.stream(stream).with_commits_of(1)

    for wrap in WRAPPERS:
        good, bad = an_event(stream), an_event(stream, **{part: wrap(value)})
        when.appending(good, bad, to=stream, expecting=1)
        then.it_is_refused(InvalidEventError, stream_id=str(stream))

    then.stream(stream).is_(stored)


@pytest.mark.parametrize("payload", [[], "text", 1, None, (), SpecialDict(), {1: 1}])
@pytest.mark.parametrize("part", ["data", "context"])
def test_payload_that_is_no_json_object_is_refused(when, then, stream, part, payload):
    when.appending(an_event(stream, **{part: payload}), to=stream, expecting=0)

    then.it_is_refused(InvalidEventError)
    then.stream(stream).is_missing()


def test_payload_that_is_nested_too_deep_is_refused(when, then, stream):
    nested: list[Any] = []
    for _ in range(300):
        nested = [nested]

    when.appending(an_event(stream, data={"key": nested}), to=stream, expecting=0)

    then.it_is_refused(InvalidEventError)


def test_payload_that_holds_itself_is_refused(when, then, stream):
    data: dict[str, Any] = {}
    data["self"] = data

    when.appending(an_event(stream, data=data), to=stream, expecting=0)

    then.it_is_refused(InvalidEventError)


@pytest.mark.parametrize("part", ["data", "context"])
def test_snapshot_that_is_not_json_is_refused(given, when, then, stream, part):
    stored = given.stream(stream).with_commits_of(2)

    when.saving(a_snapshot(stream, 2, **{part: {"key": {1}}}))

    then.it_is_refused(InvalidEventError, stream_id=str(stream))
    then.stream(stream).loads(*stored)
