"""The settings and parts of a projection, and the report of its runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from dynamo_es.contracts.checks.functions import check_injected
from dynamo_es.contracts.consumers.workers import WorkerReport
from dynamo_es.exceptions import (
    ContentionError,
    CursorBusyError,
    ProjectionBusyError,
    ThrottledError,
    UnavailableError,
)
from dynamo_es.projections.failure_policy import STOP, FailurePolicy
from dynamo_es.projections.versions import reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.contracts import CheckpointStrategy, LogStrategy, Selection
    from dynamo_es.contracts.consumers.leases import LeaseWatch
    from dynamo_es.contracts.consumers.parked import ParkedStrategy
    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.values import Position, RecordedRaw, TenantId

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 1.0
PASSING: Final = (
    ContentionError,
    CursorBusyError,
    ProjectionBusyError,
    ThrottledError,
    UnavailableError,
)
HANDLER: Final = "handler"


class Handler(Protocol):
    """Applies one event to a read model."""

    def __call__(self, recorded: Recorded, /) -> object:
        """Apply an event. Raise if that fails: the projection then treats it by its policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionReport(WorkerReport):
    """Says what a run of a projection did so far.

    Attributes:
        last_position: last position of the log when the run last looked; 0: the log was empty.
        overtaken: how often another process of this projection was further, so that this run left
            out the events in between; each time is logged as a warning.
        parked: number of parked streams, as far as the run knows.
        skipped: number of events that this run left out after they failed.
    """

    last_position: Position = 0
    overtaken: int = 0
    parked: int = 0
    skipped: int = 0

    @property
    def lag(self) -> int:
        """Number of positions that were not handled yet when the run last looked."""
        return max(self.last_position - self.position, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The settings and parts of a projection; see `Projection`."""

    name: str
    handler: Handler
    log: LogStrategy
    checkpoints: CheckpointStrategy
    deserialize: Callable[[RecordedRaw], Recorded]
    selection: Callable[[], Selection]
    after: Position
    batch_size: int
    clock: Callable[[], float]
    lease_ms: int
    watch: LeaseWatch
    parked: ParkedStrategy
    policy: FailurePolicy = STOP
    tenant_id: TenantId | None = None
    writes: bool = False
    version: int | None = None

    @property
    def reads(self) -> Callable[[RecordedRaw], Recorded]:
        """Turns a raw event into a typed one, which says whether another version handles it too."""
        return reading(self.log, self.deserialize)

    def now_ms(self) -> int:
        """Return milliseconds since the epoch."""
        return int(self.clock() * 1000)


def in_log_of(parts: Parts, tenant_id: TenantId) -> Parts:
    """Return the parts for a run in the log of one tenant."""
    return replace(
        parts,
        log=parts.log.scoped_for_tenant(tenant_id),
        checkpoints=parts.checkpoints.scoped_for_tenant(tenant_id),
        parked=parts.parked.scoped_for_tenant(tenant_id),
        tenant_id=tenant_id,
    )


def check_on_progress(on_progress: object) -> None:
    """Raise `InputError` unless a value is a plain function or None."""
    if on_progress is not None:
        check_injected(on_progress=on_progress)
