"""Measures the CPU time of encoding events into an item, and of decoding it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from boto3.dynamodb.types import TypeDeserializer

from benchmarks.layouts import event_item
from benchmarks.ours import raw_events, stream_id
from benchmarks.pairing import time_in_turns
from benchmarks.report import Section, Table
from benchmarks.sample import Sample
from dynamo_es.contracts.checks.events import check_append
from dynamo_es.dynamodb.streams.items import commit_item, decode_events, encode_events
from dynamo_es.values import ANY_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.pairing import Samples
    from benchmarks.scale import Scale

COMMIT_SIZES: Final = (1, 3, 10, 100)
_STEPS: Final = {
    "check": "checking the arguments",
    "encode": "to JSON",
    "item": "to an item: JSON, size, compression",
    "decode": "from an item",
    "serialize": "boto3's `TypeSerializer`, one map item per event",
    "deserialize": "boto3's `TypeDeserializer`, likewise",
}
_deserialize = TypeDeserializer().deserialize


def measure(scale: Scale) -> dict[int, Samples]:
    """Return CPU times by number of events in a commit."""
    return {size: _measure(size, scale) for size in COMMIT_SIZES}


def _measure(size: int, scale: Scale) -> Samples:
    sample = Sample().take(size)
    stream = stream_id("coded")
    events = raw_events(stream, sample)

    def make_item() -> dict[str, Any]:
        item, _ = commit_item(
            "#file#coded", "coded", events, version=1, generation=1, versionless=False
        )
        return item

    def serialize() -> list[dict[str, Any]]:
        return [event_item("coded", number, event) for number, event in enumerate(sample, 1)]

    item, maps = make_item(), serialize()
    subjects = {
        "check": lambda: check_append(stream, ANY_VERSION, events),
        "encode": lambda: encode_events(events),
        "item": make_item,
        "decode": lambda: decode_events(item, stream, 1),
        "serialize": serialize,
        "deserialize": lambda: [
            {name: _deserialize(value) for name, value in one.items()} for one in maps
        ],
    }
    return time_in_turns(subjects, rounds=scale.rounds, calls=scale.calls)


def section(found: Mapping[int, Samples]) -> Section:
    """Return the section on encoding and decoding."""
    rows = [
        [text, *(f"{one.seconds(step) * 1e6 / size:.1f}" for size, one in found.items())]
        for step, text in _STEPS.items()
    ]
    rows += [
        [text, *(f"{one.ratio(ours, theirs).median:.2f}" for one in found.values())]
        for text, ours, theirs in (
            ("to an item, in `TypeSerializer`s", "item", "serialize"),
            ("from an item, in `TypeDeserializer`s", "decode", "deserialize"),
        )
    ]
    how = (
        "µs of CPU per event, by number of events in the commit: medians of rounds, without a "
        "client. The last two rows are ratios of neighbours. Compression begins where it saves "
        "a write unit, here above about five events."
    )
    headers = ["step", *(f"{size} a commit" if size > 1 else "1" for size in found)]
    return Section("Client CPU: coding", how, [Table(headers, rows)])
