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
    from dynamo_es.contracts.leases import Lease
    from dynamo_es.values import Position, StreamId, TenantId


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """An event that could not be published so far.

    Attributes:
        position: of the event in the log.
        tenant_id: of the event.
        stream_id: of its stream.
        event_name: stored name of its class.
        attempts: tries so far, since the first or since `Outbox.retry`.
        last_error: error of the last try without values of the event, at most 500 characters.
        dead: whether the event is tried again only after `Outbox.retry`.
        due_at: when the event may be tried again, milliseconds since the epoch.
    """

    position: Position
    tenant_id: TenantId
    stream_id: StreamId
    event_name: str
    attempts: int
    last_error: str
    dead: bool
    due_at: int


class OutboxState(NamedTuple):
    """The state of an outbox as a worker reads it.

    Attributes:
        position: every event up to here was tried; 0 before the first run.
        lease: of the worker that holds it; None: no worker does.
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

    All times are milliseconds since the epoch, by the caller's clock. ``LeaseWatch`` decides when
    a lease is over, so clocks need not agree. Every method raises `InvalidConsumerError` for a
    name that cannot be part of a key, and `ServiceError` if AWS refused or did not answer. Then
    the change may be stored or not; repeating it is safe.
    """

    @abstractmethod
    def look(self, outbox: str, now_ms: int) -> OutboxState:
        """Return the state of an outbox, even of an unused one. Writes nothing."""

    @abstractmethod
    def take(
        self, worker: OutboxWorker, now_ms: int, until_ms: int, instead_of: Lease | None = None
    ) -> Position | None:
        """Take the lease, unless another worker has it.

        Args:
            worker: the worker.
            now_ms: the present time.
            until_ms: end of the lease, unless it is renewed.
            instead_of: a lease of another worker that is over, as it was read: it is taken over
                unless it was renewed since.

        Returns:
            The position of the outbox; None: another worker holds the lease.
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
        """Set the position back or forward, by hand; False: another worker has the lease.

        Events after it are published again, or for the first time. Entries stay as they are.
        """

    @abstractmethod
    def entries(self, outbox: str) -> list[OutboxEntry]:
        """Return the events that failed and are not published yet, in the order of positions."""

    @abstractmethod
    def retry(self, outbox: str, position: Position, now_ms: int) -> None:
        """Make an entry, dead or not, due now, with as many tries as a new one.

        An entry that a worker tries at this moment keeps its count.

        Raises:
            UnknownOutboxEntryError: no entry is at that position.
        """

    @abstractmethod
    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return the state of one tenant's outboxes, apart from those of other tenants.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """
