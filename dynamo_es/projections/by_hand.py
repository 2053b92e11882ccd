"""Moves a cursor by hand, past an event that fails or back, and drops parked streams."""

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
"""A version above all others."""
_LEASE_MS: Final = 60_000


def skip_version(cursors: CursorStrategy, followed: Followed, version: int, now_ms: int) -> bool:
    """Move a cursor past an event if that is the next one; return whether the cursor moved.

    Args:
        cursors: keeps the cursor.
        followed: the stream, with the generation of the cursor.
        version: version of the event to skip.
        now_ms: milliseconds since the epoch.

    Raises:
        CursorBusyError: a process applies events of that stream now.
    """
    worker = uuid4().hex
    at = cursors.take(followed, version, worker, now_ms, now_ms + _LEASE_MS)
    if at is None:
        return False
    skips = at == version - 1
    cursors.release(followed, version if skips else at, worker)
    return skips


def reset_version(cursors: CursorStrategy, followed: Followed, version: int, now_ms: int) -> None:
    """Set a cursor back or forward; the read model then gets the events after it.

    Args:
        cursors: keeps the cursor.
        followed: the stream, with the generation of the cursor.
        version: version that the cursor gets, 0 or more.
        now_ms: milliseconds since the epoch.

    Raises:
        InvalidRangeError: a version below 0.
        CursorBusyError: a process applies events of that stream now.
    """
    if type(version) is not int or not 0 <= version < _ANYWHERE:
        raise InvalidRangeError(f"version must be an integer of 0 or more, not {shown(version)}.")
    worker = uuid4().hex
    cursors.take(followed, _ANYWHERE, worker, now_ms, now_ms + _LEASE_MS)
    cursors.release(followed, version, worker)


def drop_parked(
    parked: ParkedStrategy, cursors: CursorStrategy, key: ParkedKey, now_ms: int
) -> bool:
    """Take a parked stream off the list and leave out its events; False: it is not on the list.

    The consumer gets the events after the last one that it passed over. For a consumer that follows
    single streams, the cursor moves to there.

    Args:
        parked: keeps the entry.
        cursors: keep the cursors of read models.
        key: the consumer and the stream.
        now_ms: milliseconds since the epoch.

    Raises:
        CursorBusyError: a process retries the stream now, or applies its events.
    """
    worker = uuid4().hex
    while (entry := parked.take(key, worker, now_ms, now_ms + _LEASE_MS)) is not None:
        if key.order == "stream":
            seen = entry.seen
            followed = Followed(key.name, key.stream_id, key.tenant_id, seen.generation)
            reset_version(cursors, followed, seen.number, now_ms)
        # Not if the consumer has passed over another event meanwhile.
        if parked.unpark(key, worker, entry.seen):
            return True
    return False
