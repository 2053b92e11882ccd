"""Outboxes in memory: their positions, leases and failed events."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from dynamo_es.contracts.checks.arguments import check_consumer, check_tenant
from dynamo_es.contracts.consumers.leases import Lease
from dynamo_es.contracts.consumers.outbox import OutboxState, OutboxStrategy
from dynamo_es.exceptions import UnknownOutboxEntryError
from dynamo_es.forking import new_lock

if TYPE_CHECKING:
    from dynamo_es.contracts.consumers.outbox import OutboxEntry, OutboxWorker
    from dynamo_es.values import Position, TenantId


@dataclass(slots=True)
class _Outbox:
    """One outbox; used only under the lock."""

    position: Position = 0
    lease: Lease | None = None
    entries: dict[Position, OutboxEntry] = field(default_factory=dict)

    def in_order(self) -> list[OutboxEntry]:
        return [entry for _, entry in sorted(self.entries.items())]


class MemoryOutbox(OutboxStrategy):
    """The outboxes of a backend in memory."""

    def __init__(self) -> None:
        self._lock = new_lock()
        self._outboxes: dict[tuple[TenantId | None, str], _Outbox] = {}
        self._tenant_id: TenantId | None = None

    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return the outboxes of a tenant; see `OutboxStrategy.scoped_for_tenant`."""
        check_tenant(tenant_id)
        scoped = copy(self)
        scoped._tenant_id = tenant_id  # noqa: SLF001 - the same class
        return scoped

    def look(self, outbox: str, now_ms: int) -> OutboxState:
        """Return the state of an outbox; see `OutboxStrategy.look`."""
        with self._lock:
            found = self._outbox(outbox)
            due = [entry for entry in found.in_order() if not entry.dead and entry.due_at <= now_ms]
            return OutboxState(found.position, found.lease, tuple(due))

    def take(
        self, worker: OutboxWorker, now_ms: int, until_ms: int, instead_of: Lease | None = None
    ) -> Position | None:
        """Take the lease; see `OutboxStrategy.take`."""
        with self._lock:
            found = self._outbox(worker.outbox)
            lease = found.lease
            if lease is not None and lease != instead_of and lease.holder != worker.id:
                return None
            found.lease = Lease(worker.id, until_ms, until_ms - now_ms)
            return found.position

    def move(self, worker: OutboxWorker, tried: Position, until_ms: int) -> bool:
        """Move the position and renew the lease; see `OutboxStrategy.move`."""
        with self._lock:
            return self._move(worker, tried, until_ms) is not None

    def fail(
        self, worker: OutboxWorker, tried: Position, until_ms: int, entry: OutboxEntry
    ) -> bool:
        """Keep an entry that failed; see `OutboxStrategy.fail`."""
        with self._lock:
            found = self._move(worker, tried, until_ms)
            if found is not None:
                found.entries[entry.position] = entry
            return found is not None

    def remove(
        self, worker: OutboxWorker, tried: Position, until_ms: int, position: Position
    ) -> bool:
        """Remove an entry; see `OutboxStrategy.remove`."""
        with self._lock:
            found = self._move(worker, tried, until_ms)
            if found is not None:
                found.entries.pop(position, None)
            return found is not None

    def release(self, worker: OutboxWorker, tried: Position | None) -> None:
        """Give the lease back; see `OutboxStrategy.release`."""
        with self._lock:
            found = self._outbox(worker.outbox)
            if self._move(worker, found.position if tried is None else tried, 0) is not None:
                found.lease = None

    def reset(self, worker: OutboxWorker, position: Position) -> bool:
        """Set the position; see `OutboxStrategy.reset`."""
        with self._lock:
            found = self._outbox(worker.outbox)
            if found.lease is None or found.lease.holder != worker.id:
                return False
            found.position = position
            return True

    def used(self) -> list[tuple[TenantId | None, str, Position]]:
        """Return tenant, name and position of each outbox that was used."""
        with self._lock:
            return [
                (tenant_id, name, found.position)
                for (tenant_id, name), found in self._outboxes.items()
                if found.position or found.lease is not None or found.entries
            ]

    def entries(self, outbox: str) -> list[OutboxEntry]:
        """Return the failed events; see `OutboxStrategy.entries`."""
        with self._lock:
            return self._outbox(outbox).in_order()

    def retry(self, outbox: str, position: Position, now_ms: int) -> None:
        """Make an entry due again; see `OutboxStrategy.retry`."""
        with self._lock:
            found = self._outbox(outbox)
            if position not in found.entries:
                raise UnknownOutboxEntryError(outbox, position)
            found.entries[position] = replace(
                found.entries[position],
                attempts=0,
                dead=False,
                due_at=now_ms,
                failing_since=now_ms,
            )

    def _outbox(self, name: str) -> _Outbox:
        check_consumer(name)
        return self._outboxes.setdefault((self._tenant_id, name), _Outbox())

    def _move(self, worker: OutboxWorker, tried: Position, until_ms: int) -> _Outbox | None:
        found = self._outbox(worker.outbox)
        lease = found.lease
        if lease is None or lease.holder != worker.id or found.position > tried:
            return None
        found.position, found.lease = tried, lease._replace(until=until_ms)
        return found
