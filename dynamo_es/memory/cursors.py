"""Cursors in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, TypeAlias

from dynamo_es.contracts.checks.arguments import check_consumer
from dynamo_es.contracts.consumers.cursors import CursorStrategy
from dynamo_es.contracts.consumers.leases import Lease, LeaseWatch
from dynamo_es.contracts.stream_keys import stream_key, tenant_prefix
from dynamo_es.exceptions import CursorBusyError
from dynamo_es.memory.checkpoints import failed_again, refuse_tables
from dynamo_es.memory.data import Cursor
from dynamo_es.memory.finder import cursor_info

if TYPE_CHECKING:
    from dynamo_es.contracts.consumers.cursors import Followed
    from dynamo_es.contracts.consumers.failures import NewFailure
    from dynamo_es.contracts.consumers.finder import CursorInfo
    from dynamo_es.memory.data import Data

_Key: TypeAlias = tuple[str, str]


class MemoryCursors(CursorStrategy):
    """Cursors of a backend in memory.

    Args:
        data: data that the backend's parts share.
    """

    def __init__(self, data: Data) -> None:
        self._data = data
        self._watch = LeaseWatch()

    def take(
        self, followed: Followed, version: int, worker: str, now_ms: int, until_ms: int
    ) -> int | None:
        """Take the lease of a cursor; see `CursorStrategy.take`."""
        check_consumer(followed.name)
        with self._data.lock:
            cursors = self._data.cursors
            cursor = cursors.setdefault(_key(followed), Cursor(followed.generation))
            begins = 0 < cursor.generation < followed.generation
            if 0 < followed.generation < cursor.generation:
                return None
            if not begins and cursor.version >= version:
                cursor.generation = cursor.generation or followed.generation
                return None
            held = cursor.lease
            if held is not None and not self._watch.is_over(_key(followed), held, now_ms):
                raise CursorBusyError(followed.name, followed.stream_id)
            if begins:
                cursor.version, cursor.failure = 0, None
            cursor.generation = followed.generation or cursor.generation
            cursor.lease = Lease(worker, until_ms, until_ms - now_ms)
            return cursor.version

    def renew(self, followed: Followed, version: int | None, worker: str, until_ms: int) -> bool:
        """Move a cursor and renew the lease; see `CursorStrategy.renew`."""
        return self._move(followed, version, worker, until_ms)

    def release(
        self,
        followed: Followed,
        version: int | None,
        worker: str,
        failure: NewFailure | None = None,
    ) -> bool:
        """Move a cursor and give its lease back; see `CursorStrategy.release`."""
        return self._move(followed, version, worker, None, failure)

    def new_writes(self) -> NoReturn:
        """Raise `InvalidEnlistedWriteError`: memory has no tables."""
        refuse_tables()

    def apply(self, *_: object) -> NoReturn:
        """Raise `InvalidEnlistedWriteError`: memory has no tables."""
        self.new_writes()

    def version(self, followed: Followed) -> int:
        """Return where a cursor is; see `CursorStrategy.version`."""
        check_consumer(followed.name)
        with self._data.lock:
            cursor = self._data.cursors.get(_key(followed))
            if cursor is None or not _is_in(cursor.generation, followed.generation):
                return 0
            return cursor.version

    def info(self, followed: Followed) -> CursorInfo | None:
        """Return the stored state of a cursor; see `CursorStrategy.info`."""
        check_consumer(followed.name)
        with self._data.lock:
            cursor = self._data.cursors.get(_key(followed))
            return None if cursor is None else cursor_info(*_key(followed), cursor)

    def _move(
        self,
        followed: Followed,
        version: int | None,
        worker: str,
        until_ms: int | None,
        failure: NewFailure | None = None,
    ) -> bool:
        with self._data.lock:
            cursor = self._data.cursors.get(_key(followed))
            held = None if cursor is None else cursor.lease
            if cursor is None or held is None or held.holder != worker:
                return False
            cursor.version = cursor.version if version is None else version
            cursor.failure = None if failure is None else failed_again(cursor.failure, failure)
            cursor.lease = None if until_ms is None else held._replace(until=until_ms)
            return True


def _is_in(stored: int, asked: int) -> bool:
    """Return whether a cursor is in a generation. An unknown generation (0) matches any."""
    return stored == asked or not stored or not asked


def _key(followed: Followed) -> _Key:
    return followed.name, stream_key(tenant_prefix(followed.tenant_id), followed.stream_id)
