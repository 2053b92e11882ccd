"""Hints in what the events table has: in its items, and in the records of its stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from dynamo_es.dynamodb.log.items import pointer_to
from dynamo_es.dynamodb.streams.items import generation_of, is_fence, is_snapshot
from dynamo_es.dynamodb.streams.keys import parse_stream_key
from dynamo_es.exceptions import InvalidStreamIdError, StoredItemError
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamo_es.dynamodb.log.items import Pointer
    from dynamo_es.dynamodb.log.sequencer import Hint
    from dynamo_es.dynamodb.wire.steps import Item

_OWN: Final = frozenset(
    {
        "generation",
        "event_count",
        "event_names",
        "events",
        "closed",
        "snapshot_version",
        "stream_name",
        "versionless",
        "outbox",
        "item_format",
    }
)
"""Attributes that only this library gives an item."""

_COMMITS: Final = frozenset({"event_count", "event_names"})


class Found(NamedTuple):
    """What some items of the events table are.

    Attributes:
        hints: the commits.
        damaged: why each commit, fence or snapshot that cannot be read is none.
        foreign: keys of the items that are nothing of this library's.
    """

    hints: list[Hint]
    damaged: list[StoredItemError]
    foreign: list[str]


def find_hints(items: Iterable[Item]) -> Found:
    """Tell the commits among items, or images of items, from all else."""
    found = Found([], [], [])
    for item in items:
        try:
            hint = find_hint(item)
        except StoredItemError as error:
            if is_foreign(item):
                found.foreign.append(f"{error.stream_key!r} at {error.version}")
            else:
                found.damaged.append(error)
        else:
            if hint is not None:
                found.hints.append(hint)
    return found


def find_hint(item: Item) -> Hint | None:
    """Return the hint that an item, or an image of one, is; None of a fence or a snapshot.

    Raises:
        StoredItemError: it is none of the three, or not as this release writes them.
    """
    if is_fence(item):
        generation_of(item)
        if "events" in item or "event_count" in item:
            raise _damaged(item, "it is both a fence and a commit.")
        return None
    # Snapshots of the adapter for eventsourcing have streams of their own, and places there.
    elsewhere = "snapshot_version" in item and _COMMITS.isdisjoint(item)
    if is_snapshot(item) or elsewhere:
        return None
    hint = pointer_to(item)
    check_identity(hint)
    return hint


def check_identity(pointer: Pointer) -> None:
    """Check that a pointer's key is a stream's, and its name that stream's.

    Raises:
        StoredItemError: says which is not.
    """
    try:
        _, category, uuid = parse_stream_key(pointer.stream_key)
        StreamId(uuid, pointer.stream_name, category=category)
    except InvalidStreamIdError:
        raise StoredItemError(
            pointer.stream_key, pointer.first_version, "its name is not the stream's."
        ) from None
    except ValueError:
        raise StoredItemError(
            pointer.stream_key, pointer.first_version, "its key is not a stream's."
        ) from None


def is_foreign(item: Item) -> bool:
    """Whether an item has nothing of this library's: neither a stream's key nor an attribute."""
    if not _OWN.isdisjoint(item):
        return False
    try:
        parse_stream_key(item["stream_key"]["S"])
    except ValueError:
        return True
    return False


def _damaged(item: Item, reason: str) -> StoredItemError:
    return StoredItemError(item["stream_key"]["S"], item["version"]["N"], reason)
