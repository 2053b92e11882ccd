"""Cursors in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from dynamo_es.contracts.checks import check_consumer
from dynamo_es.contracts.cursors import CursorStrategy
from dynamo_es.exceptions import CursorBusyError
from dynamo_es.memory.data import Cursor

if TYPE_CHECKING:
    from dynamo_es.contracts.cursors import Followed
    from dynamo_es.memory.data import Data

_Key: TypeAlias = tuple[str, str, str | None, int]


class MemoryCursors(CursorStrategy):
    """Cursors of a backend in memory.

    Args:
        data: of the backend's storages.
    """

    def __init__(self, data: Data) -> None:
        self._data = data

    def claim(
        self, followed: Followed, version: int, claimant: str, now: int, until: int
    ) -> int | None:
        """Claim a cursor; see `CursorStrategy.claim`."""
        check_consumer(followed.consumer)
        with self._data.lock:
            cursors = self._data.cursors
            cursor = cursors.setdefault(_key(followed), Cursor(followed.generation))
            if cursor.generation > followed.generation:
                return None
            if cursor.generation == followed.generation and cursor.version >= version:
                return None
            if cursor.claimant is not None and cursor.claimed_until >= now:
                raise CursorBusyError(followed.consumer, followed.stream_id)
            if cursor.generation < followed.generation:
                cursor.generation, cursor.version = followed.generation, 0
            cursor.claimant, cursor.claimed_until = claimant, until
            return cursor.version

    def renew(self, followed: Followed, version: int, claimant: str, until: int) -> bool:
        """Move a claimed cursor; see `CursorStrategy.renew`."""
        return self._move(followed, version, claimant, claimant, until)

    def release(self, followed: Followed, version: int, claimant: str) -> bool:
        """Move a cursor, and give it back; see `CursorStrategy.release`."""
        return self._move(followed, version, claimant, None, 0)

    def version(self, followed: Followed) -> int:
        """Return where a cursor is; see `CursorStrategy.version`."""
        check_consumer(followed.consumer)
        with self._data.lock:
            cursor = self._data.cursors.get(_key(followed))
            if cursor is None or cursor.generation != followed.generation:
                return 0
            return cursor.version

    def _move(
        self, followed: Followed, version: int, claimant: str, after: str | None, until: int
    ) -> bool:
        with self._data.lock:
            cursor = self._data.cursors.get(_key(followed))
            if cursor is None or cursor.claimant != claimant:
                return False
            cursor.version, cursor.claimant, cursor.claimed_until = version, after, until
            return True


def _key(followed: Followed) -> _Key:
    stream_id = followed.stream_id
    return followed.consumer, followed.tenant_id, stream_id.category, stream_id.int
