"""`CheckpointLease`: the lease of a projection's checkpoint in one log, from take to release."""

from __future__ import annotations

import logging
import os
import socket
from typing import TYPE_CHECKING, Final, Self
from uuid import uuid4

from dynamo_es.contracts.consumers.claims import CheckpointState, Claim
from dynamo_es.contracts.error_texts import describe_error
from dynamo_es.exceptions import ProjectionWriteRefusedError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from dynamo_es.contracts import CheckpointStrategy
    from dynamo_es.contracts.consumers.claims import Saved
    from dynamo_es.contracts.consumers.leases import LeaseWatch
    from dynamo_es.contracts.consumers.writes import WriteBatch
    from dynamo_es.projections.parts import Parts
    from dynamo_es.values import Position

_log = logging.getLogger("dynamo_es")

_LONGEST_HOST: Final = 60


class LeaseLostError(Exception):
    """Another worker has the lease, or the position was reset."""


def new_worker() -> str:
    """Return a new unique and readable name for a worker: ``host:process-id-random``."""
    return f"{socket.gethostname()[:_LONGEST_HOST]}:{os.getpid()}-{uuid4().hex[:12]}"


class CheckpointLease:
    """Takes, renews and releases the lease of one checkpoint for one worker. Use it in one thread.

    Args:
        name: name of the projection.
        checkpoints: keeps the position and the lease.
        worker: unique name of the worker.
        lease_ms: milliseconds without a beat after which other workers take over.
        now_ms: returns milliseconds since the epoch, by this worker's clock.
        watch: the leases of other workers that this process has seen.
        log_key: identifies the log for the watch.

    Attributes:
        seen: position and lease that this worker last read or wrote.
        wanted: whether another worker asks for the lease.
        paused: whether the projection was paused when this worker last looked.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - made in one place
        self,
        name: str,
        checkpoints: CheckpointStrategy,
        worker: str,
        lease_ms: int,
        now_ms: Callable[[], int],
        watch: LeaseWatch,
        log_key: Hashable,
    ) -> None:
        self._name = name
        self._checkpoints = checkpoints
        self._worker = worker
        self._lease_ms = lease_ms
        self._now_ms = now_ms
        self._watch = watch
        self._log_key = log_key
        self._claim: Claim | None = None
        self._renewed_ms = 0
        self.seen = CheckpointState()
        self.wanted = self.paused = False

    @classmethod
    def of(cls, parts: Parts, worker: str) -> Self:
        """Return the lease of a projection's checkpoint, for one worker."""
        return cls(
            parts.name,
            parts.checkpoints,
            worker,
            parts.lease_ms,
            parts.now_ms,
            parts.watch,
            parts.tenant_id,
        )

    @property
    def held(self) -> bool:
        """Whether this worker has the lease, as far as it knows."""
        return self._claim is not None

    @property
    def holder(self) -> str:
        """The other worker that had the lease at the last look; "" if no worker had it."""
        return "" if self.seen.lease is None else self.seen.lease.holder

    def look(self, *, looks_once: bool) -> bool:
        """Read the position and the lease; return whether the lease can be taken.

        Args:
            looks_once: see `LeaseWatch.is_over`.
        """
        self.seen = self._checkpoints.look(self._name)
        self.paused = self.seen.paused
        if self.paused:
            return False
        lease = self.seen.lease
        if lease is None or lease.holder == self._worker:
            return True
        return self._watch.is_over(self._log_key, lease, self._now_ms(), looks_once=looks_once)

    def take(self) -> bool:
        """Take the lease; return False if it has changed since the last look."""
        now_ms = self._now_ms()
        taken = self._checkpoints.take(
            self._name, self._worker, self.seen, now_ms + self._lease_ms, self._lease_ms
        )
        if taken is None:
            return False
        if self.holder not in {"", self._worker}:
            _log.warning(
                "Projection %r: took over after position %s from worker %s, which has not renewed "
                "its lease in time.",
                self._name,
                taken.position,
                self.holder,
            )
        self.seen, self.wanted, self._renewed_ms = taken, False, now_ms
        self.paused = taken.paused
        self._claim = Claim(self._worker, taken.token, self._lease_ms)
        return True

    def ask(self) -> bool:
        """Ask the holder for the lease; return False if the holder has changed."""
        return self._checkpoints.ask(self._name, self._worker, self.seen)

    def renew_in_time(self) -> None:
        """Renew the lease if a third of its length is over.

        Here a process that was frozen notices, before its next event, that it lost the lease.

        Raises:
            LeaseLostError: another worker has taken over.
        """
        now_ms = self._now_ms()
        if 0 <= now_ms - self._renewed_ms <= self._lease_ms / 3:
            return
        self.confirm()

    def confirm(self) -> None:
        """Renew the lease now.

        Raises:
            LeaseLostError: another worker has taken over.
        """
        now_ms = self._now_ms()
        self._keep(self._checkpoints.renew(self._name, self._mine, now_ms + self._lease_ms), now_ms)

    def save(self, position: Position) -> Position:
        """Save a position and renew the lease; return the saved position, which may be higher.

        Raises:
            LeaseLostError: another worker has taken over; nothing was saved.
        """
        now_ms = self._now_ms()
        until_ms = now_ms + self._lease_ms
        return self._keep(
            self._checkpoints.save(self._name, self._mine, position, until_ms), now_ms
        )

    def new_writes(self) -> WriteBatch:
        """Return an empty batch of writes for `apply`."""
        return self._checkpoints.new_writes()

    def apply(self, position: Position, writes: WriteBatch) -> Position:
        """Save a position and carry out writes: both or neither; return the saved position.

        If another position is returned, this call made no writes; those up to that position were
        made before.

        Raises:
            LeaseLostError: another worker has taken over; nothing was changed.
        """
        until_ms = self._now_ms() + self._lease_ms
        previous = self.seen.position
        # This reply does not say whether another worker wants the lease; that of the next renewal
        # does.
        return self._keep(
            self._checkpoints.apply(self._name, self._mine, position, until_ms, previous, writes),
            self._renewed_ms,
        )

    def release(self) -> None:
        """Give the lease back, so that another worker can take over at once."""
        if self._claim is None:
            return
        try:
            self._checkpoints.release(self._name, self._claim)
        except ServiceError as error:
            _log.warning(
                "Projection %r: its lease was not given back, so other workers wait %.0f s: %s",
                self._name,
                self._lease_ms / 1000,
                describe_error(error),
            )
        self._let_go()

    @property
    def _mine(self) -> Claim:
        if self._claim is None:
            raise LeaseLostError
        return self._claim

    def _let_go(self) -> None:
        self._claim = None
        self.seen = self.seen._replace(lease=None)

    def _keep(self, found: Saved, now_ms: int) -> Position:
        if not found.held:
            self._let_go()
            raise LeaseLostError
        self._renewed_ms, self.wanted = now_ms, found.wanted_by is not None
        self.paused = found.paused
        self.seen = self.seen._replace(position=found.position)
        return found.position or 0


def try_to_save(name: str, save: Callable[[], object], let_go: Callable[[], object]) -> None:
    """Save at the end of a run; log a failure, after which no event is lost.

    Args:
        name: name of the projection.
        save: saves the checkpoint.
        let_go: called if another worker has taken over.
    """
    try:
        save()
    except LeaseLostError:
        let_go()
    except (ServiceError, ProjectionWriteRefusedError) as error:
        # Without exc_info: its context is the handler's error, which may quote an event.
        _log.error(
            "Projection %r: its checkpoint was not saved, so the next run handles some events "
            "again: %s",
            name,
            error,
        )
