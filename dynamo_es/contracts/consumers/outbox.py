"""The contract of an outbox's state: its position, its failed entries and its lease.

The events to publish are in the log. The state is the position up to which every event was
tried, and an entry for each event that failed. Only the worker that holds the lease changes it.
A worker that lost its lease changes nothing, not even by a request that arrives late.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from dynamo_es.contracts.consumers.leases import Lease
    from dynamo_es.values import Position, StreamId, TenantId


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """An event that could not be published so far.

    Attributes:
        position: position of the event in the log, 1-based.
        tenant_id: tenant of the event.
        stream_id: stream of the event.
        event_name: name that the event is stored under.
        attempts: failed tries so far; `Outbox.retry` sets it back to 0.
        last_error: the last try's error, at most 500 characters, without values of the event.
        dead: whether the event is tried again only after `Outbox.retry`.
        due_at: when the event may be tried again, milliseconds since the epoch.
        failing_since: when its first try failed, milliseconds since the epoch; `Outbox.retry` sets
            it to its own time.
    """

    position: Position
    tenant_id: TenantId
    stream_id: StreamId
    event_name: str
    attempts: int
    last_error: str
    dead: bool
    due_at: int
    failing_since: int


class OutboxState(NamedTuple):
    """The state of an outbox as a worker reads it.

    Attributes:
        position: the outbox has tried every event up to this position; 0 before the first run.
        lease: the lease that a worker holds; None: no worker holds it.
        due: entries to try again now, in the order of their positions.
    """

    position: Position
    lease: Lease | None
    due: tuple[OutboxEntry, ...]


class OutboxWorker(NamedTuple):
    """A worker that takes or holds an outbox's lease.

    Attributes:
        outbox: name of the outbox.
        id: unique token of this run.
    """

    outbox: str
    id: str


class OutboxStrategy(ABC):
    """Keeps the state of outboxes. Safe to share between threads.

    All times are milliseconds since the epoch, by the caller's clock. ``LeaseWatch`` decides when a
    lease is over, so the clocks of several machines may differ. Every method raises
    `InvalidConsumerError` for a name that cannot be part of a key, and `ServiceError` if AWS
    refused or did not answer. Then the change may be stored or not; repeating it is safe.
    """

    @abstractmethod
    def look(self, outbox: str, now_ms: int) -> OutboxState:
        """Return the state of an outbox, used or not, without a write."""

    @abstractmethod
    def take(
        self, worker: OutboxWorker, now_ms: int, until_ms: int, instead_of: Lease | None = None
    ) -> Position | None:
        """Take the lease, unless another worker has it.

        Args:
            worker: the worker.
            now_ms: the present time.
            until_ms: end of the lease, unless it is renewed.
            instead_of: another worker's lease that is over, as you read it. You get it unless that
                worker has renewed it since.

        Returns:
            The position of the outbox; None if another worker holds the lease.
        """

    @abstractmethod
    def move(self, worker: OutboxWorker, tried: Position, until_ms: int) -> bool:
        """Record that every event up to ``tried`` was tried, and renew the lease.

        Args:
            worker: the worker.
            tried: the outbox's present position or a later one.
            until_ms: end of the renewed lease.

        Returns:
            Whether the worker holds the lease; if not, nothing changed.
        """

    @abstractmethod
    def fail(
        self, worker: OutboxWorker, tried: Position, until_ms: int, entry: OutboxEntry
    ) -> bool:
        """Store an entry that failed, in place of its older state, and `move`: both or neither.

        The event is tried again when it is due, or not at all if it is dead.
        """

    @abstractmethod
    def remove(
        self, worker: OutboxWorker, tried: Position, until_ms: int, position: Position
    ) -> bool:
        """Remove the entry at a position, whose event is published or deleted, and `move`."""

    @abstractmethod
    def release(self, worker: OutboxWorker, tried: Position | None) -> None:
        """Give the lease back; nothing happens if the worker does not hold it.

        Args:
            worker: the worker.
            tried: position to move to in the same write; None: do not move.
        """

    @abstractmethod
    def reset(self, worker: OutboxWorker, position: Position) -> bool:
        """Set the position back or forward; False: another worker has the lease.

        The outbox then publishes the events after it, some of them again. Entries do not change.
        """

    @abstractmethod
    def entries(self, outbox: str) -> list[OutboxEntry]:
        """Return the entries of failed events that are not published yet, by position."""

    @abstractmethod
    def retry(self, outbox: str, position: Position, now_ms: int) -> None:
        """Make an entry due now, dead or not, with as many tries and as much time as a new one.

        If a worker is trying the entry at this moment, the entry keeps its count of tries.

        Raises:
            UnknownOutboxEntryError: no entry is at that position.
        """

    @abstractmethod
    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return the state of one tenant's outboxes, apart from those of other tenants.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """
