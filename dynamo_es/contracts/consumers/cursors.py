"""The contract of cursors: a read model's version in each stream, and the lease to move it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from dynamo_es.contracts.consumers.failures import NewFailure
    from dynamo_es.contracts.consumers.finding import CursorInfo
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
    """Keeps a version for each read model and stream. Safe to share between threads.

    A process takes the cursor's lease before it applies events. No other process can take it until
    the first one gives it back, or the lease ends. All times are milliseconds since the epoch, by
    the caller's clock. ``LeaseWatch`` decides when a lease is over, so the clocks of several
    machines may differ. Every write names its worker: a worker that lost the lease changes nothing.
    Every method raises `InvalidConsumerError` for a name that cannot be part of a key, and
    `ServiceError` if AWS refused or did not answer.

    A cursor of unknown generation (0) takes the generation of the first event that has one. An
    event of unknown generation belongs to the generation that the cursor is in.
    """

    @abstractmethod
    def take(
        self, followed: Followed, version: int, worker: str, now_ms: int, until_ms: int
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

    @abstractmethod
    def renew(self, followed: Followed, version: int | None, worker: str, until_ms: int) -> bool:
        """Move the cursor and renew the lease; False: the lease is lost, and nothing changed.

        A version of None leaves the cursor where it is.
        """

    @abstractmethod
    def release(
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

    @abstractmethod
    def version(self, followed: Followed) -> int:
        """Return the cursor's version; 0 if it never moved in that generation."""

    @abstractmethod
    def info(self, followed: Followed) -> CursorInfo | None:
        """Return the stored cursor, in any generation; None if it never moved."""
