"""Manual changes: moves a cursor past an event that fails, or back, and drops parked streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import uuid4

from dynamo_es.contracts.consumers.cursors import Followed
from dynamo_es.exceptions import InvalidRangeError
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from dynamo_es.contracts import CursorStrategy
    from dynamo_es.contracts.consumers.parked import ParkedKey, ParkedStrategy

_ANYWHERE: Final = 10**18
"""A version above all stored ones."""
_LEASE_MS: Final = 60_000


def skip_version(cursors: CursorStrategy, followed: Followed, version: int, now_ms: int) -> bool:
    """Move a cursor past an event if it is the next one; return whether the cursor moved.

    Args:
        cursors: keeps the cursor.
        followed: the stream, with the generation of the cursor.
        version: version of the event to skip.
        now_ms: milliseconds since the epoch.

    Raises:
        CursorBusyError: another process is applying events of that stream.
    """
    worker = uuid4().hex
    at = cursors.take(followed, version, worker, now_ms, now_ms + _LEASE_MS)
    if at is None:
        return False
    skips = at == version - 1
    cursors.release(followed, version if skips else at, worker)
    return skips


def reset_version(cursors: CursorStrategy, followed: Followed, version: int, now_ms: int) -> None:
    """Set a cursor back or forward. The read model then gets the events after it.

    Args:
        cursors: keeps the cursor.
        followed: the stream, with the generation of the cursor.
        version: new version of the cursor, 0 or more.
        now_ms: milliseconds since the epoch.

    Raises:
        InvalidRangeError: the version is not an integer of 0 or more.
        CursorBusyError: another process is applying events of that stream.
    """
    if type(version) is not int or not 0 <= version < _ANYWHERE:
        raise InvalidRangeError(f"version must be an integer of 0 or more, not {shown(version)}.")
    worker = uuid4().hex
    cursors.take(followed, _ANYWHERE, worker, now_ms, now_ms + _LEASE_MS)
    cursors.release(followed, version, worker)


def drop_parked(
    parked: ParkedStrategy, cursors: CursorStrategy, key: ParkedKey, now_ms: int
) -> bool:
    """Take a parked stream off the list and leave out its events; False if it is not parked.

    The consumer goes on after the last event that it passed over. If it follows single streams, its
    cursor moves there.

    Args:
        parked: keeps the entries of parked streams.
        cursors: keeps the cursors of read models.
        key: the consumer and the stream.
        now_ms: milliseconds since the epoch.

    Raises:
        CursorBusyError: another process is retrying the stream, or applying its events.
    """
    worker = uuid4().hex
    while (entry := parked.take(key, worker, now_ms, now_ms + _LEASE_MS)) is not None:
        if key.order == "stream":
            seen = entry.seen
            followed = Followed(key.name, key.stream_id, key.tenant_id, seen.generation)
            reset_version(cursors, followed, seen.number, now_ms)
        # Refused if the consumer has passed over another event in the meantime.
        if parked.unpark(key, worker, entry.seen):
            return True
    return False
