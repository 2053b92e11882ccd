"""Workers of a projection that tests drive step by step, each with a clock of its own."""

from __future__ import annotations

from threading import Event as Flag
from typing import TYPE_CHECKING, Any

from dynamo_es import Event, StreamId
from dynamo_es.projections.all_logs import RunOfAll
from dynamo_es.projections.checkpoint_lease import new_worker
from dynamo_es.projections.projection import Projection
from dynamo_es.projections.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable

LEASE = 60.0


class Counted(Event):
    __event_name__ = "workers.Counted"

    number: int = 0


class Clock:
    """A clock that tests set; workers may have clocks that are far off."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now

    def off_by(self, seconds: float) -> Callable[[], float]:
        """Return the clock of another machine."""
        return lambda: self.now + seconds


class Team:
    """Makes workers of one projection.

    Args:
        backend: holds the log.
        name: name of the projection.
        batch_size: most events between two checkpoints.
        checkpoints: keeps the checkpoint; None: the backend does.
        after: position to begin after.
    """

    def __init__(
        self,
        backend: Any,
        name: str,
        *,
        batch_size: int = 2,
        checkpoints: Any = None,
        after: int = 0,
        **options: Any,
    ) -> None:
        self.backend = backend
        self.name = name
        self.clock = Clock()
        self._options = {"batch_size": batch_size, "after": after, "lease": LEASE, **options}
        self._checkpoints = backend.checkpoints if checkpoints is None else checkpoints

    def projection(self, handler: Any, clock: Any = None, checkpoints: Any = None) -> Projection:
        """Return the projection as one process has it."""
        return Projection(
            self.name,
            handler,
            log=self.backend.log,
            checkpoints=self._checkpoints if checkpoints is None else checkpoints,
            parked=self.backend.parked,
            deserialize=self.backend._typed.deserialize,
            clock=self.clock if clock is None else clock,
            **self._options,
        )

    def worker(self, handler: Any, clock: Any = None, checkpoints: Any = None) -> Run:
        """Return a worker; call its `advance` for each step, and `close` for its end."""
        parts = self.projection(handler, clock, checkpoints)._parts
        return Run(parts, Flag(), None, new_worker())

    def worker_of_all(self, handler: Any) -> RunOfAll:
        """Return a worker over the logs of all tenants."""
        return RunOfAll(self.projection(handler)._parts, Flag(), None)

    def add(self, number: int, tenant: str = "") -> None:
        """Append events."""
        for each in range(number):
            store = self.backend.in_tenant(tenant).event_store
            store.append(Counted(number=each), stream_id=StreamId(category="workers"))


def advance(worker: Any, steps: int = 12) -> None:
    """Let a worker go on until it has nothing to do."""
    for _ in range(steps):
        if not worker.advance():
            return
