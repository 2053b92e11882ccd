"""`OutboxStrategy`: keeps an outbox's position, failed entries and lease.

The events to publish are in the log. The state of an outbox is the position up to which it has
tried every event, and an entry for each event that failed. Only the worker that holds the lease
changes the state. A worker that lost its lease changes nothing, even if its request arrives late.
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
        event_name: stored name of the event.
        attempts: number of failed tries; `Outbox.retry` sets it back to 0.
        last_error: error of the last try, at most 500 characters, without values of the event.
        dead: whether the event is tried again only after `Outbox.retry`.
        due_at: when the event may be tried again, milliseconds since the epoch.
        failing_since: when the first try failed, milliseconds since the epoch; `Outbox.retry` sets
            it to the time of that call.
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
    """The state of an outbox that a worker reads.

    Attributes:
        position: the outbox has tried every event up to this position, inclusive; 0 before the
            first run.
        lease: the lease that a worker holds; None: no worker holds it.
        due: the entries to try again now, in the order of their positions.
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
    refused or did not answer. After a `ServiceError`, the change may be stored or not; you can
    safely repeat it.
    """

    @abstractmethod
    def look(self, outbox: str, now_ms: int) -> OutboxState:
        """Read the state of an outbox, whether it was used before or not."""

    @abstractmethod
    def take(
        self, worker: OutboxWorker, now_ms: int, until_ms: int, instead_of: Lease | None = None
    ) -> Position | None:
        """Take the lease, unless another worker has it.

        Args:
            worker: the worker.
            now_ms: the present time.
            until_ms: end of the lease, unless it is renewed.
            instead_of: another worker's lease that you read and that is over, by ``LeaseWatch``.
                You get the lease unless that worker has renewed it since.

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
        """Store the entry of an event that failed, and `move`: both or neither.

        The entry replaces an older one at its position. The event is tried again at
        `OutboxEntry.due_at`, or not at all if the entry is dead.
        """

    @abstractmethod
    def remove(
        self, worker: OutboxWorker, tried: Position, until_ms: int, position: Position
    ) -> bool:
        """Remove the entry of a published or deleted event, and `move`: both or neither."""

    @abstractmethod
    def release(self, worker: OutboxWorker, tried: Position | None) -> None:
        """Give the lease back; nothing happens if the worker does not hold it.

        Args:
            worker: the worker.
            tried: position to move to in the same write; None: keep the position.
        """

    @abstractmethod
    def reset(self, worker: OutboxWorker, position: Position) -> bool:
        """Set the position back or forward; return False if another worker has the lease.

        The outbox then publishes the events after the new position, even those that it published
        before. Entries do not change.
        """

    @abstractmethod
    def entries(self, outbox: str) -> list[OutboxEntry]:
        """Return the entries of events that are not published yet, sorted by position."""

    @abstractmethod
    def retry(self, outbox: str, position: Position, now_ms: int) -> None:
        """Make an entry due now, even if it is dead, with the tries and time of a new entry.

        If a worker is trying the entry at this moment, the entry keeps its number of tries.

        Raises:
            UnknownOutboxEntryError: there is no entry at that position.
        """

    @abstractmethod
    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return an object for the outboxes of one tenant; this one does not change.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """
