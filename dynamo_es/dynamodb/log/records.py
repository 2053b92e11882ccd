"""Makes the events of a commit from its stored item and its pointer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.dynamodb.streams.items import decode_events
from dynamo_es.dynamodb.streams.keys import stream_of
from dynamo_es.dynamodb.wire.encoding.compression import MAX_TEXT_BYTES
from dynamo_es.exceptions import StoredItemError
from dynamo_es.values.new_records import new_recorded_raw

if TYPE_CHECKING:
    from dynamo_es.dynamodb.log.pointers import Pointer
    from dynamo_es.dynamodb.wire.steps import Item
    from dynamo_es.values import Position, RecordedRaw


def records_of(
    pointer: Pointer, item: Item, first: Position, most_bytes: int = MAX_TEXT_BYTES
) -> list[RecordedRaw]:
    """Return the events of a commit.

    Args:
        pointer: the pointer to the commit.
        item: the commit as stored.
        first: position of the first event, 1-based.
        most_bytes: the most bytes of the events, uncompressed.

    Raises:
        StoredItemError: the commit cannot be read, or differs from the pointer.
    """
    if "item_format" in item:
        raise _unreadable(
            pointer, "a newer release wrote it, in a format that this one cannot read."
        )
    try:
        tenant_id, stream_id = stream_of(pointer.stream_key, pointer.stream_name)
    except ValueError:  # includes InvalidStreamIdError
        raise _unreadable(
            pointer, "its key is not a stream's, or its name is not that stream's."
        ) from None
    version = None if pointer.versionless else pointer.first_version
    events = decode_events(item, stream_id, version, most_bytes)
    if len(events) != pointer.event_count:
        raise _unreadable(
            pointer, f"it has {len(events)} events, but {pointer.event_count} positions."
        )
    generation = pointer.generation
    return [
        new_recorded_raw(event, position, tenant_id, generation)
        for position, event in enumerate(events, first)
    ]


def _unreadable(pointer: Pointer, reason: str) -> StoredItemError:
    return StoredItemError(pointer.stream_key, pointer.first_version, reason)
