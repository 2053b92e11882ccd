"""The contract of the outbox's state: how far it is, what failed, and who works on it now.

What is to be published is in the log. The state is a position, up to which everything was
tried, and an entry for each event that was tried in vain. One worker at a time changes it: the
one that holds the lease. A worker that lost its lease cannot change it any more, not even by a
request that arrives late.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from dynamo_es.contracts.leases import Held
    from dynamo_es.values import Position, StreamId, TenantId


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """An event that could not be published so far.

    Attributes:
        position: its place in the log.
        tenant_id: the tenant it belongs to.
        stream_id: its stream.
        event_name: its type.
        attempts: how often it was tried since it failed first, or was put back by hand.
        last_error: what the last try failed of, at most 500 characters.
        dead: whether it was given up: it is tried again only if it is put back by hand.
        due_at: when it may be tried again, milliseconds since the epoch.
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
    """An outbox as a worker finds it.

    Attributes:
        position: up to here everything was tried; 0 before the first run.
        lease: of the worker that has it; None: nobody has it.
        due: entries to be tried again now, in the order of their positions.
    """

    position: Position
    lease: Held | None
    due: tuple[OutboxEntry, ...]


class Claim(NamedTuple):
    """What a worker changes an outbox by.

    Attributes:
        outbox: name of the outbox.
        worker: unlike that of every other worker and every other run.
    """

    outbox: str
    worker: str


class OutboxStrategy(ABC):
    """Where outboxes keep their state. Safe to share between threads.

    All times are milliseconds since the epoch, by the caller's clock; leases are judged as
    `LeaseWatch` says, so clocks need not agree. Every method raises
    `InvalidConsumerError` for a name that cannot make a key, and `ServiceError` if AWS refused
    or did not answer. Whether a change was made is unknown then; making it again is safe.
    """

    @abstractmethod
    def look(self, outbox: str, now: int) -> OutboxState:
        """Return the state of an outbox, which may never have been used. Writes nothing."""

    @abstractmethod
    def take(
        self, claim: Claim, now: int, until: int, instead_of: Held | None = None
    ) -> Position | None:
        """Take the lease, unless another worker has it.

        Args:
            claim: of the worker.
            now: the present time.
            until: when the lease ends, unless it is renewed.
            instead_of: a lease of another worker, as it was read, that is over: it is taken over
                if it has not been renewed since.

        Returns:
            The position of the outbox; None: another worker has the lease.
        """

    @abstractmethod
    def move(self, claim: Claim, upto: Position, until: int) -> bool:
        """Say that everything up to a position was tried, and renew the lease.

        Args:
            claim: of the worker.
            upto: as before, or further.
            until: end of the renewed lease.

        Returns:
            Whether the worker has the lease; if not, nothing was changed.
        """

    @abstractmethod
    def fail(self, claim: Claim, upto: Position, until: int, entry: OutboxEntry) -> bool:
        """Keep an entry that failed, in the place of what was kept of it, and `move`: both or none.

        It is to be tried again when it is due, or not at all, if it is dead.
        """

    @abstractmethod
    def settle(self, claim: Claim, upto: Position, until: int, position: Position) -> bool:
        """Remove an entry that was tried again, and need not be any more, and `move`."""

    @abstractmethod
    def release(self, claim: Claim, upto: Position | None) -> None:
        """Give the lease back; nothing happens if the worker does not have it.

        Args:
            claim: of the worker.
            upto: where to move, in the same write; None: the position stays.
        """

    @abstractmethod
    def entries(self, outbox: str) -> list[OutboxEntry]:
        """Return what failed and was not published since, in the order of positions."""

    @abstractmethod
    def retry(self, outbox: str, position: Position, now: int) -> None:
        """Let an entry, dead or not, be tried as often as a new one, from now on.

        One that a worker tries at this moment keeps its count.

        Raises:
            UnknownOutboxEntryError: nothing at that position failed.
        """

    @abstractmethod
    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return where the outboxes of one tenant keep theirs, apart from all others.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """
