"""`AsyncCursors`: scripts/async-interface writes it, from `CursorStrategy`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.aio.base import Over

if TYPE_CHECKING:
    from dynamo_es.contracts.consumers.cursors import CursorStrategy, Followed
    from dynamo_es.contracts.consumers.failures import NewFailure
    from dynamo_es.contracts.consumers.finding import CursorInfo
    from dynamo_es.contracts.consumers.writes import WriteBatch


class AsyncCursors(Over):
    """The versions of read models in single streams; see `CursorStrategy`."""

    _sync: CursorStrategy

    async def apply(
        self,
        followed: Followed,
        previous: int,
        version: int,
        worker: str,
        until_ms: int,
        writes: WriteBatch,
    ) -> bool:
        """Move the cursor, renew the lease and carry out writes, all or nothing.

        Args:
            followed: the stream.
            previous: version of the cursor, which the writes come after.
            version: version that the cursor gets, a later one.
            worker: the worker that holds the lease.
            until_ms: end of the renewed lease, milliseconds since the epoch.
            writes: from `new_writes`.

        Returns:
            Whether this call or an earlier attempt of it made the writes. False: another worker
            holds the lease, or has moved the cursor.

        Raises:
            ProjectionWriteRefusedError: the condition of a write was not met.
            ServiceError: AWS refused or did not answer. The writes may have been made; the stored
                version says so.
        """
        return await self._bridge.run(
            self._sync.apply, followed, previous, version, worker, until_ms, writes
        )

    async def info(
        self,
        followed: Followed,
    ) -> CursorInfo | None:
        """Return the stored cursor, in any generation; None if it never moved."""
        return await self._bridge.run(self._sync.info, followed)

    def new_writes(
        self,
    ) -> WriteBatch:
        """Return an empty batch of writes for `apply`.

        Raises:
            InvalidEnlistedWriteError: the backend has no tables to write to.
        """
        return self._sync.new_writes()

    async def release(
        self,
        followed: Followed,
        version: int | None,
        worker: str,
        failure: NewFailure | None = None,
    ) -> bool:
        """Move the cursor and give the lease back; False: the lease is lost already.

        Args:
            followed: the stream.
            version: version of the last applied event; None leaves the cursor where it is.
            worker: the worker that holds the lease.
            failure: the next event, if it could not be applied; it is stored in the same write.
                A failure at the same event adds one to `ConsumerFailure.attempts`. None: the
                stored failure is forgotten.
        """
        return await self._bridge.run(self._sync.release, followed, version, worker, failure)

    async def renew(
        self,
        followed: Followed,
        version: int | None,
        worker: str,
        until_ms: int,
    ) -> bool:
        """Move the cursor and renew the lease; False: the lease is lost, and nothing changed.

        A version of None leaves the cursor where it is.
        """
        return await self._bridge.run(self._sync.renew, followed, version, worker, until_ms)

    async def take(
        self,
        followed: Followed,
        version: int,
        worker: str,
        now_ms: int,
        until_ms: int,
    ) -> int | None:
        """Take the cursor's lease, to apply the events after the cursor, up to a version.

        Args:
            followed: the stream; a new generation begins at version 0.
            version: version of the last event to apply, 1 or more.
            worker: unique token of the worker that takes the lease.
            now_ms: the present time.
            until_ms: end of the lease, unless it is renewed.

        Returns:
            The cursor's version, below the given one. None: the cursor is at that version or a
            later one, or in a later generation, so there is no event to apply. No lease was taken.

        Raises:
            CursorBusyError: another worker has the lease.
            InvalidConsumerError: a name that cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """
        return await self._bridge.run(self._sync.take, followed, version, worker, now_ms, until_ms)

    async def version(
        self,
        followed: Followed,
    ) -> int:
        """Return the cursor's version; 0 if it never moved in that generation."""
        return await self._bridge.run(self._sync.version, followed)
