"""`CursorStrategy`: keeps a read model's version in each stream, and the lease to move it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from dynamo_es.contracts.consumers.failures import NewFailure
    from dynamo_es.contracts.consumers.finder import CursorInfo
    from dynamo_es.contracts.consumers.writes import WriteBatch
    from dynamo_es.values import StreamId, TenantId


class Followed(NamedTuple):
    """A stream and the read model that follows it.

    Attributes:
        name: name of the read model.
        stream_id: id of the stream.
        tenant_id: tenant of the stream.
        generation: generation of the stream, 1 or more; 0: unknown.
    """

    name: str
    stream_id: StreamId
    tenant_id: TenantId = DEFAULT_TENANT
    generation: int = 0


class CursorStrategy(ABC):
    """Keeps a cursor for each read model and stream. Safe to share between threads.

    A cursor is the version of the last event that the read model has applied. A process takes the
    cursor's lease before it applies events. No other process can take the lease until the first one
    gives it back, or the lease ends. All times are milliseconds since the epoch, by the caller's
    clock. ``LeaseWatch`` decides when a lease is over, so the clocks of several machines may
    differ. Every write names its worker, so a worker that lost the lease changes nothing. Every
    method raises `InvalidConsumerError` for a name that cannot be part of a key, and `ServiceError`
    if AWS refused or did not answer.

    A cursor of unknown generation (0) takes the generation of the first event that has one. An
    event of unknown generation counts as one of the cursor's generation.
    """

    @abstractmethod
    def take(
        self, followed: Followed, version: int, worker: str, now_ms: int, until_ms: int
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

    @abstractmethod
    def renew(self, followed: Followed, version: int | None, worker: str, until_ms: int) -> bool:
        """Move the cursor and renew the lease; return False if the lease is lost.

        Without the lease, nothing changes. With the version None, only the lease is renewed.
        """

    @abstractmethod
    def release(
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

    @abstractmethod
    def new_writes(self) -> WriteBatch:
        """Return an empty batch of writes for `apply`.

        Raises:
            InvalidEnlistedWriteError: the backend has no tables to write to.
        """

    @abstractmethod
    def apply(
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

    @abstractmethod
    def version(self, followed: Followed) -> int:
        """Return the cursor's version; 0 if it has not moved in that generation of the stream."""

    @abstractmethod
    def info(self, followed: Followed) -> CursorInfo | None:
        """Return the stored cursor, whatever its generation; None if it has never moved."""
