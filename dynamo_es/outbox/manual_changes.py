"""Manual changes of an outbox, under a lease: drops an entry, or sets the position."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from dynamo_es.exceptions import OutboxBusyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamo_es.contracts.consumers.leases import LeaseWatch
    from dynamo_es.contracts.consumers.outbox import OutboxStrategy, OutboxWorker
    from dynamo_es.values import Position

_LEASE_MS: Final = 60_000


class Hand(NamedTuple):
    """Makes one change to the state of an outbox.

    Attributes:
        strategy: keeps the state of the outbox.
        worker: identifies this change as a worker.
        watch: the leases of other workers that this process has seen.
        now_ms: milliseconds since the epoch.
    """

    strategy: OutboxStrategy
    worker: OutboxWorker
    watch: LeaseWatch
    now_ms: int

    def skip(self, position: Position) -> None:
        """Drop an entry; see `Outbox.skip`."""
        with self._lease() as tried:
            # Raises if there is no such entry. While this lease is held, no worker tries the entry.
            self.strategy.retry(self.worker.outbox, position, self.now_ms)
            self._check(self.strategy.remove(self.worker, tried, self._until_ms, position))

    def reset(self, position: Position) -> None:
        """Set the position; see `Outbox.reset`."""
        with self._lease():
            self._check(self.strategy.reset(self.worker, position))

    @contextmanager
    def _lease(self) -> Iterator[Position]:
        """Hold the lease during a ``with`` block, which gets the outbox's position."""
        name = self.worker.outbox
        lease = self.strategy.look(name, self.now_ms).lease
        if lease is not None and not self.watch.is_over(lease.holder, lease, self.now_ms):
            raise OutboxBusyError(name)
        tried = self.strategy.take(self.worker, self.now_ms, self._until_ms, lease)
        if tried is None:
            raise OutboxBusyError(name)
        try:
            yield tried
        finally:
            self.strategy.release(self.worker, None)

    @property
    def _until_ms(self) -> int:
        return self.now_ms + _LEASE_MS

    def _check(self, held: bool) -> None:  # noqa: FBT001 - the reply to a write
        if not held:
            raise OutboxBusyError(self.worker.outbox)
