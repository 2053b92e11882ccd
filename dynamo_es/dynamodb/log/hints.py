"""Hints in what the events table has: in its items, and in the records of its stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.dynamodb.items import is_fence, is_snapshot
from dynamo_es.dynamodb.keys import parse_stream_key
from dynamo_es.dynamodb.log.sequencing import hint_of
from dynamo_es.exceptions import StoredItemError

if TYPE_CHECKING:
    from dynamo_es.dynamodb.items import Item
    from dynamo_es.dynamodb.log.sequencing import Hint


def find_hint(item: Item) -> Hint | None:
    """Return the hint that an item, or an image of one, is; None of a fence or a snapshot.

    Raises:
        StoredItemError: it is none of the three, and nothing of this library's.
    """
    if is_fence(item) or is_snapshot(item):
        return None
    hint = hint_of(item)
    try:
        parse_stream_key(hint.stream_key)
    except ValueError as error:
        raise StoredItemError(
            hint.stream_key, hint.first_version, "its key is not a stream's."
        ) from error
    if hint.event_count < 1 or hint.first_version < 1:
        # A page of no events would never let another one behind it.
        raise StoredItemError(hint.stream_key, hint.first_version, "it has no events.")
    return hint
