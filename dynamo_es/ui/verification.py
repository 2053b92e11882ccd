"""Runs the verification of the log as a job of the server: one at a time, in its own thread."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from dynamo_es.contracts.error_texts import describe_error
from dynamo_es.dynamodb.maintenance.verify import Verified, verify
from dynamo_es.ui.costs import Cost

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.dynamodb.backend import DynamoBackend

State: TypeAlias = Literal["running", "finished", "cancelled", "failed"]

MOST_SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class Status:
    """The state and the findings of a verification.

    Attributes:
        state: whether it is running, or how it ended.
        report: the findings so far; a copy that does not change.
        began_at: start time, with the zone UTC.
        ended_at: end time, with the zone UTC; None: it is still running.
        error: the error that ended it, without values of events; empty without an error.
        requests: number of requests that it has sent.
        read_units: read units that it has consumed; None if DynamoDB reported none.
    """

    state: State
    report: Verified
    began_at: datetime
    ended_at: datetime | None
    error: str
    requests: int
    read_units: float | None


class _Cancelled(Exception):  # noqa: N818 - not an error: somebody asked for it
    """The user asked to end the verification."""


@dataclass(slots=True)
class _Job:
    began_at: datetime
    cancelled: Event = field(default_factory=Event)
    report: Verified = field(default_factory=Verified)
    cost: Cost = field(default_factory=Cost)
    state: State = "running"
    ended_at: datetime | None = None
    error: str = ""


class Verification:
    """Runs verifications, one at a time. Safe to share between threads.

    Args:
        now: returns the current time, with the zone UTC.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._lock = Lock()
        self._job: _Job | None = None

    @property
    def status(self) -> Status | None:
        """The last verification of this server; None: none was started."""
        job = self._job
        if job is None:
            return None
        report = replace(
            job.report, faults=list(job.report.faults), unreadable=list(job.report.unreadable)
        )
        cost = job.cost
        return Status(
            job.state, report, job.began_at, job.ended_at, job.error, cost.requests, cost.read_units
        )

    def start(self, backend: DynamoBackend) -> bool:
        """Start a verification; return False if one is already running."""
        with self._lock:
            if self._job is not None and self._job.state == "running":
                return False
            job = self._job = _Job(self._now())
        thread = Thread(
            target=self._run, args=(backend, job), name="dynamo-es verification", daemon=True
        )
        thread.start()
        return True

    def cancel(self) -> None:
        """End a running verification after its current request."""
        job = self._job
        if job is not None:
            job.cancelled.set()

    def _run(self, backend: DynamoBackend, job: _Job) -> None:
        def progress(report: Verified) -> None:
            job.report = report
            if job.cancelled.is_set():
                raise _Cancelled

        try:
            job.report = verify(
                backend.config, lambda: backend.client, job.cost.add, on_progress=progress
            )
            state: State = "finished"
        except _Cancelled:
            state = "cancelled"
        except Exception as error:  # noqa: BLE001 - the page shows it
            job.error = describe_error(error)
            state = "failed"
        job.ended_at = self._now()
        job.state = state
