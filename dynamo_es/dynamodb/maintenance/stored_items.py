"""`StoredItem`: an item of a stream as it is stored in the events table, for tools that show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from dynamo_es.dynamodb.streams.items import (
    decode_events,
    generation_of,
    is_fence,
    is_for_outbox,
    is_snapshot,
    read_commit,
    snapshot_version,
    version_of,
)
from dynamo_es.dynamodb.wire.sizes import item_size, write_units
from dynamo_es.exceptions import StoredItemError
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from dynamo_es.dynamodb.wire.steps import Item
    from dynamo_es.values import RawEvent

ItemKind: TypeAlias = Literal["commit", "snapshot", "fence", "unreadable"]
"""A commit, the snapshot, a fence that a deletion left, or an item that cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredItem:
    """An item of a stream.

    Attributes:
        kind: kind of the item.
        place: its sort key; for a commit and a fence, the first version.
        first: number of its first event in the stream, 1-based; for a snapshot, its version.
        last: number of its last event (inclusive).
        generation: its generation; for a fence, the one that it closes; 0 if it cannot be read.
        versioned: whether its events have versions.
        size: number of bytes, by DynamoDB's rules.
        write_units: write units of writing it alone; in a transaction, twice as many.
        compressed: whether its events are compressed.
        events: its events; for a snapshot, the snapshot.
        for_outbox: versions of the events that the outbox publishes.
        expires_at: seconds since the epoch after which DynamoDB may remove a fence; None: never.
        reason: why the item cannot be read; empty if it can.
    """

    kind: ItemKind
    place: int
    first: int
    last: int
    generation: int
    versioned: bool = True
    size: int
    write_units: int
    compressed: bool = False
    events: tuple[RawEvent, ...] = ()
    for_outbox: frozenset[int] = frozenset()
    expires_at: int | None = None
    reason: str = ""


def stored_item(item: Item, stream_id: StreamId, most_bytes: int) -> StoredItem:
    """Return an item of the events table as a `StoredItem`.

    Args:
        item: the item in the wire format, with all its attributes.
        stream_id: its stream. If the id has no name, events get the name that the item holds.
        most_bytes: the most bytes of its events, uncompressed.
    """
    try:
        if is_fence(item):
            return _fence(item)
        if is_snapshot(item):
            return _snapshot(item, stream_id, most_bytes)
        return _commit(item, stream_id, most_bytes)
    except StoredItemError as error:
        place = int(item["version"]["N"])
        return StoredItem(
            kind="unreadable",
            place=place,
            first=place,
            last=place,
            generation=_generation_or_0(item),
            reason=error.reason,
            size=item_size(item),
            write_units=write_units(item_size(item)),
        )


def _fence(item: Item) -> StoredItem:
    place, size = version_of(item), item_size(item)
    return StoredItem(
        kind="fence",
        place=place,
        first=place,
        last=place,
        generation=generation_of(item),
        size=size,
        write_units=write_units(size),
        expires_at=int(item["expires_at"]["N"]) if "expires_at" in item else None,
    )


def _snapshot(item: Item, stream_id: StreamId, most_bytes: int) -> StoredItem:
    size, version = item_size(item), snapshot_version(item)
    return StoredItem(
        kind="snapshot",
        place=version_of(item),
        first=version,
        last=version,
        generation=generation_of(item),
        size=size,
        write_units=write_units(size),
        compressed="B" in item.get("events", {}),
        events=tuple(decode_events(item, stream_id, version, most_bytes)),
    )


def _commit(item: Item, stream_id: StreamId, most_bytes: int) -> StoredItem:
    commit, size = read_commit(item), item_size(item)
    version = None if commit.versionless else commit.version
    events = tuple(decode_events(item, _named(item, stream_id), version, most_bytes))
    places = range(commit.version, commit.last + 1)
    return StoredItem(
        kind="commit",
        place=commit.version,
        first=commit.version,
        last=commit.last,
        generation=commit.generation,
        versioned=not commit.versionless,
        size=size,
        write_units=write_units(size),
        compressed="B" in item["events"],
        events=events,
        for_outbox=frozenset(n for i, n in enumerate(places) if is_for_outbox(item, i)),
    )


def _named(item: Item, stream_id: StreamId) -> StreamId:
    name = item.get("stream_name", {}).get("S")
    if stream_id.name is not None or name is None:
        return stream_id
    try:
        return StreamId(stream_id, name, category=stream_id.category)
    except ValueError:
        key = item["stream_key"]["S"]
        raise StoredItemError(key, version_of(item), "its name is not the stream's.") from None


def _generation_or_0(item: Item) -> int:
    try:
        return generation_of(item)
    except StoredItemError:
        return 0
