"""Commits that this release does not write: from a hostile tenant or a newer release."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from dynamo_es import StreamId
from dynamo_es.dynamodb.streams.items import commit_item
from dynamo_es.testing.conformance.language import an_event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamo_es.dynamodb.wire.steps import Item

VICTIM: Final = StreamId(UUID(int=0xABC), category="order")
VICTIM_KEY: Final = f"#order#{VICTIM}"
SECRET: Final = "4111-1111-1111-1111"  # noqa: S105 - what no message may hold
NAME: Final = "hostile.paid"
GENERATION: Final = 1_700_000_000_000_000

_HUGE: Final = {"N": "9" * 38}
_ROW: Final = [f"{1:032x}", "2024-02-29T23:59:59", NAME, {"card": SECRET}, {}]


def a_victim(version: int = 1, size: int = 1, **changes: Any) -> Item:
    """Return a commit of the victim, with other attributes; None takes one away."""
    item, _ = commit_item(
        VICTIM_KEY,
        None,
        [an_event(VICTIM, name=NAME, data={"card": SECRET}) for _ in range(size)],
        version=version,
        generation=GENERATION,
        versionless=False,
        outbox=lambda _: True,
    )
    return {name: value for name, value in (item | changes).items() if value is not None}


def _rows(*rows: Any) -> Item:
    return {"S": json.dumps(rows)}


SET_ASIDE: Final[Mapping[str, Item]] = {
    "a version of 38 digits": a_victim(version=int("9" * 38)),
    "a version where the snapshot would end": a_victim(version=10**18 - 1, size=2),
    "a version of 0": a_victim(version=0),
    "a version below 0": a_victim(version=-5),
    "a version that is no whole number": a_victim() | {"version": {"N": "1.5"}},
    "a count of 38 digits": a_victim(event_count=_HUGE),
    "a count of more than a commit holds": a_victim(event_count={"N": "1000001"}),
    "a count of 0": a_victim(event_count={"N": "0"}),
    "a count below 0": a_victim(event_count={"N": "-3"}),
    "a count that is no whole number": a_victim(event_count={"N": "1.5"}),
    "a count that is text": a_victim(event_count={"S": SECRET}),
    "no count": a_victim(event_count=None),
    "no generation": a_victim(generation=None),
    "a generation of 38 digits": a_victim(generation=_HUGE),
    "a generation below 0": a_victim(generation={"N": "-1"}),
    "a generation that is text": a_victim(generation={"S": SECRET}),
    "no names": a_victim(event_names=None),
    "names that are text": a_victim(event_names={"S": SECRET}),
    "names that are a list": a_victim(event_names={"L": [{"S": SECRET}]}),
    "huge names": a_victim(event_names={"SS": ["x" * 40_000]}),
    "a huge stream name": a_victim(stream_name={"S": "x" * 40_000}),
    "another stream's name": a_victim(stream_name={"S": SECRET}),
    "a stream name that is a number": a_victim(stream_name={"N": "5"}),
    "an outbox flag that is text": a_victim(outbox={"S": SECRET}),
    "a versionless flag that is text": a_victim(versionless={"S": SECRET}),
    "a newer format": a_victim(item_format={"N": "2"}),
    "a commit that is a fence": a_victim(closed={"N": "5"}),
    "a snapshot in a commit's place": a_victim(event_count=None, snapshot_version={"N": "1"}),
    "a key without a UUID": a_victim(stream_key={"S": "#order#nobody"}),
    "a key without a tenant": a_victim(stream_key={"S": str(VICTIM)}),
    "a key of too many parts": a_victim(stream_key={"S": f"#a#b#{VICTIM}"}),
    "a key in capitals": a_victim(stream_key={"S": VICTIM_KEY.upper()}),
    "a key with an escape of nothing": a_victim(stream_key={"S": f"%41#order#{VICTIM}"}),
}
"""What a sequencer sees by its attributes: it gets no position."""

PASSED_OVER: Final[Mapping[str, Item]] = {
    "a count above that of its events": a_victim(event_count={"N": "3"}),
    "a count below that of its events": a_victim(size=2, event_count={"N": "1"}),
    "names of other events": a_victim(event_names={"SS": ["Other"]}),
    "no events": a_victim(events=None),
    "events that are a number": a_victim(events={"N": "5"}),
    "events that are empty": a_victim(events={"S": ""}),
    "events that are no JSON": a_victim(events={"S": f'[["{SECRET}'}),
    "events that are no list": a_victim(events={"S": json.dumps({"card": SECRET})}),
    "events that are a list of texts": a_victim(events=_rows(SECRET)),
    "an event without a UUID": a_victim(events=_rows([SECRET, *_ROW[1:]])),
    "an event without a time": a_victim(events=_rows([_ROW[0], SECRET, *_ROW[2:]])),
    "an event without a name": a_victim(events=_rows([*_ROW[:2], "", *_ROW[3:]])),
    "data that is text": a_victim(events=_rows([*_ROW[:3], SECRET, {}])),
    "a context that is a list": a_victim(events=_rows([*_ROW[:4], [SECRET]])),
    "lists in lists in lists": a_victim(events={"S": "[" * 50_000}),
    "bytes that are not compressed": a_victim(events={"B": SECRET.encode()}),
    "compressed text that is no UTF-8": a_victim(events={"B": zlib.compress(b'[["\xff"]]')}),
    "compressed text without its end": a_victim(events={"B": zlib.compress(b"[]" * 99)[:-9]}),
    "a few kilobytes that hold gigabytes": a_victim(
        events={"B": zlib.compress(b"[" + b" " * (40 * 1024 * 1024) + b"]")}
    ),
}
"""What only its events show: it has positions that every reader passes over."""

HARMLESS: Final[Mapping[str, Item]] = {
    "attributes that nobody knows": a_victim(note={"S": "x"}, more={"M": {"a": {"N": "1"}}}),
    "an end by TTL": a_victim(expires_at={"N": "99999999999"}),
}
"""What is read like any other commit."""
