"""`CheckpointStrategy`: the contract of checkpoints, each a consumer's position in the log."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from dynamo_es.contracts.consumers.claims import CheckpointState, Claim, Saved
    from dynamo_es.contracts.consumers.failures import ConsumerFailure, NewFailure
    from dynamo_es.contracts.consumers.leases import Lease
    from dynamo_es.contracts.consumers.live_versions import LiveVersion
    from dynamo_es.contracts.consumers.writes import WriteBatch
    from dynamo_es.values import Position, TenantId


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A consumer's position in the log.

    Attributes:
        name: name of the consumer.
        position: the consumer has handled the log up to this position, inclusive, or began after
            it.
        moved_at: when the position last moved, aware UTC. Until the first success, when the
            consumer last failed.
        tenant_id: the tenant whose events the consumer handles; None: all tenants.
        failure: the event after the position that the consumer could not handle; None: no event
            failed since the position last moved.
        worker: the worker that holds the lease, as ``host:process-id``; None: no worker does.
        beat_at: when that worker last renewed the lease, by its own clock, aware UTC.
        version: version of the projection; None: it has no versions.
        paused: whether no worker handles events until the projection is resumed.
    """

    name: str
    position: Position
    moved_at: datetime
    tenant_id: TenantId | None = None
    failure: ConsumerFailure | None = None
    worker: str | None = None
    beat_at: datetime | None = None
    version: int | None = None
    paused: bool = False


def in_order(checkpoint: Checkpoint) -> tuple[str, bool, str, int]:
    """Return the sort key of a checkpoint: the name, the tenant (none first), the version."""
    tenant_id = checkpoint.tenant_id
    return checkpoint.name, tenant_id is not None, tenant_id or "", checkpoint.version or 0


def held_by(lease: Lease | None) -> tuple[str | None, datetime | None]:
    """Return the holder of a lease and when it last renewed it; None and None without a lease."""
    if lease is None:
        return None, None
    return lease.holder, datetime.fromtimestamp((lease.until - lease.length) / 1000, UTC)


class CheckpointStrategy(ABC):
    """Keeps the consumers' positions. Safe to share between threads.

    A name has one checkpoint for each tenant, and another one for all tenants.
    """

    @abstractmethod
    def position(self, name: str) -> Position | None:
        """Return a consumer's position; None if it has never saved one.

        Raises:
            InvalidConsumerError: the name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """

    @abstractmethod
    def move(self, name: str, position: Position) -> Position:
        """Save a consumer's position, unless a higher one is saved; return the saved position.

        A move deletes the consumer's stored failure.

        Raises:
            InvalidPositionError: the position is negative.
            InvalidConsumerError: the name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """

    @abstractmethod
    def fail(self, name: str, position: Position, failure: NewFailure) -> None:
        """Store that a consumer could not handle an event, unless its position is past that event.

        A further failure at the same event adds one to `ConsumerFailure.attempts`. `all` returns a
        consumer that failed at its first event, but `position` is still None for it.

        Args:
            name: name of the consumer.
            position: position that the consumer began after; stored if it has saved none.
            failure: the event and the reason.

        Raises:
            InvalidConsumerError: the name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """

    @abstractmethod
    def reset(self, name: str, position: Position) -> None:
        """Set a consumer's position back or forward, and delete its failure.

        A worker that holds the lease loses it: its next write changes nothing. It then goes on from
        the new position.

        Raises:
            UnknownConsumerError: the consumer has neither saved a position nor failed.
            InvalidPositionError: the position is negative.
            InvalidConsumerError: the name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """

    @abstractmethod
    def pause(self, name: str) -> None:
        """Stop the workers of a consumer before their next batch, until it is resumed.

        Raises:
            UnknownConsumerError: the consumer has neither saved a position nor failed.
            InvalidConsumerError: the name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """

    @abstractmethod
    def resume(self, name: str) -> None:
        """Let the workers of a consumer go on. Errors are those of `pause`."""

    @abstractmethod
    def look(self, name: str) -> CheckpointState:
        """Read a consumer's position and lease.

        Raises:
            InvalidConsumerError: the name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """

    @abstractmethod
    def take(
        self, name: str, worker: str, seen: CheckpointState, until_ms: int, length_ms: int
    ) -> CheckpointState | None:
        """Take the lease, if it has not changed since you read it.

        Args:
            name: name of the consumer.
            worker: unique name of the worker.
            seen: the state that `look` returned. If it has a lease, ask ``LeaseWatch`` first
                whether that lease is over.
            until_ms: end of the lease unless it is renewed, milliseconds since the epoch.
            length_ms: milliseconds from each beat to the end of the lease.

        Returns:
            The new state, whose token is that of your claim. None: another worker was faster, or
            the holder has renewed the lease.

        Raises:
            InvalidConsumerError: the name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """

    @abstractmethod
    def renew(self, name: str, claim: Claim, until_ms: int) -> Saved:
        """Renew a lease that the worker still holds.

        Raises:
            ServiceError: AWS refused or did not answer.
        """

    @abstractmethod
    def save(self, name: str, claim: Claim, position: Position, until_ms: int) -> Saved:
        """Save a position under a lease, unless a higher one is saved, and renew the lease.

        Raises:
            InvalidPositionError: the position is negative.
            ServiceError: AWS refused or did not answer.
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
        name: str,
        claim: Claim,
        position: Position,
        until_ms: int,
        previous: Position | None,
        writes: WriteBatch,
    ) -> Saved:
        """Save a position under a lease and carry out writes: both or neither.

        Args:
            name: name of the consumer.
            claim: the worker's claim.
            position: position to save.
            until_ms: end of the renewed lease, milliseconds since the epoch.
            previous: the position that must be saved now; the writes are those of the events after
                it. None: none is saved.
            writes: batch from `new_writes`.

        Returns:
            The saved state. If the worker still holds the lease and the saved position is
            ``position``, the writes are made. Otherwise this call changed nothing; if the worker
            holds the lease at another position, the writes up to there were made before.

        Raises:
            ProjectionWriteRefusedError: the condition of a write was not met.
            EnlistedTableNotFoundError: a table of the writes does not exist.
            ServiceError: AWS refused or did not answer. Repeating the call is safe.
        """

    @abstractmethod
    def release(self, name: str, claim: Claim) -> None:
        """Give a lease back; nothing happens if the worker does not hold it.

        Raises:
            ServiceError: AWS refused or did not answer.
        """

    @abstractmethod
    def ask(self, name: str, worker: str, seen: CheckpointState) -> bool:
        """Ask the holder of a lease to give it back; False if ``seen`` is out of date.

        The holder sees the request in the reply to its next write, and gives the lease back.

        Raises:
            ServiceError: AWS refused or did not answer.
        """

    @abstractmethod
    def all(self) -> list[Checkpoint]:
        """Return the checkpoints of all consumers, sorted by name.

        From an object that is limited to a tenant, you get only the checkpoints of that tenant.

        Raises:
            ServiceError: AWS refused or did not answer.
        """

    @abstractmethod
    def of_version(self, version: int | None) -> Self:
        """Return an object for the checkpoints of one projection version; this one does not change.

        Each version of a projection has checkpoints of its own, apart from those of the same name
        without a version. `all` returns those of every version.

        Raises:
            InvalidConsumerError: the version is not an integer of 1 or more, or None.
        """

    @abstractmethod
    def live(self, name: str) -> LiveVersion | None:
        """Return a projection's live version; None if no version was promoted.

        Raises:
            InvalidConsumerError: the name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """

    @abstractmethod
    def promote(self, name: str, version: int, expected: int | None) -> bool:
        """Make a version the live one, if ``expected`` is live now; return False if another is.

        Args:
            name: name of the projection.
            version: version to promote.
            expected: version that must be live now; None: no version.

        Raises:
            InvalidConsumerError: the name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """

    @abstractmethod
    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return an object for the checkpoints of one tenant's consumers; this one does not change.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """
