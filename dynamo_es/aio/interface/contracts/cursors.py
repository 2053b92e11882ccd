"""`AsyncCursors`: scripts/async-interface writes it, from `CursorStrategy`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.aio.base import Over

if TYPE_CHECKING:
    from dynamo_es.contracts.consumers.cursors import CursorStrategy, Followed
    from dynamo_es.contracts.consumers.failures import NewFailure
    from dynamo_es.contracts.consumers.finder import CursorInfo
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
        """Move the cursor, renew the lease and carry out writes: all or nothing.

        Args:
            followed: the stream.
            previous: version that the cursor must have now; the writes are those of the events
                after it.
            version: new version of the cursor, above ``previous``.
            worker: the worker that holds the lease.
            until_ms: end of the renewed lease, milliseconds since the epoch.
            writes: batch from `new_writes`.

        Returns:
            Whether the writes are made, by this call or by an earlier attempt at it. False: another
            worker holds the lease, or has moved the cursor.

        Raises:
            ProjectionWriteRefusedError: the condition of a write was not met.
            ServiceError: AWS refused or did not answer. The writes may have been made: then
                `version` returns the new version.
        """
        return await self._bridge.run(
            self._sync.apply, followed, previous, version, worker, until_ms, writes
        )

    async def info(
        self,
        followed: Followed,
    ) -> CursorInfo | None:
        """Return the stored cursor, whatever its generation; None if it has never moved."""
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
        """Move the cursor and give the lease back; return False if the lease is lost.

        Without the lease, nothing changes.

        Args:
            followed: the stream.
            version: version of the last applied event; None: do not move the cursor.
            worker: the worker that holds the lease.
            failure: the failure of the next event, stored in the same write. A further failure at
                the same event adds one to `ConsumerFailure.attempts`. None: delete the stored
                failure.
        """
        return await self._bridge.run(self._sync.release, followed, version, worker, failure)

    async def renew(
        self,
        followed: Followed,
        version: int | None,
        worker: str,
        until_ms: int,
    ) -> bool:
        """Move the cursor and renew the lease; return False if the lease is lost.

        Without the lease, nothing changes. With the version None, only the lease is renewed.
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
        """Take the cursor's lease, to apply the events after the cursor up to a version, inclusive.

        Args:
            followed: the stream; in a new generation of the stream, the cursor begins at version 0.
            version: version of the last event to apply, 1 or more.
            worker: unique token of the worker that takes the lease.
            now_ms: the present time.
            until_ms: end of the lease, unless it is renewed.

        Returns:
            The cursor's version, which is below the given one. None: the cursor has reached that
            version, or is in a later generation. Then there is no event to apply, and no lease was
            taken.

        Raises:
            CursorBusyError: another worker has the lease.
            InvalidConsumerError: the name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """
        return await self._bridge.run(self._sync.take, followed, version, worker, now_ms, until_ms)

    async def version(
        self,
        followed: Followed,
    ) -> int:
        """Return the cursor's version; 0 if it has not moved in that generation of the stream."""
        return await self._bridge.run(self._sync.version, followed)
