"""What importing costs, as the store reports it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynamo_es.contracts import OperationReport


@dataclass(frozen=True, slots=True)
class Spent:
    """What operations have cost so far.

    Attributes:
        requests: API calls.
        attempts: HTTP attempts, retries of the SDK included.
        read_units: read units, as far as the engine reports them.
        write_units: write units, likewise; those of refused writes are never reported.
        bytes_read: bytes of the responses' bodies.
    """

    requests: int = 0
    attempts: int = 0
    read_units: float = 0.0
    write_units: float = 0.0
    bytes_read: int = 0


class Meter:
    """An observer that adds up, and keeps each thread's last report; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._own = threading.local()
        self._spent = Spent()

    def __call__(self, report: OperationReport) -> None:
        """Take the report of an operation, in the thread that ran it."""
        self._own.report = report
        with self._lock:
            self._spent = Spent(
                self._spent.requests + report.requests,
                self._spent.attempts + report.attempts,
                self._spent.read_units + (report.read_units or 0.0),
                self._spent.write_units + (report.write_units or 0.0),
                self._spent.bytes_read + report.bytes_read,
            )

    @property
    def spent(self) -> Spent:
        """The sum over all threads, since the meter was made or last reset."""
        with self._lock:
            return replace(self._spent)

    def reset(self) -> None:
        """Begin again at nothing."""
        with self._lock:
            self._spent = Spent()

    @property
    def last(self) -> OperationReport:
        """The report of this thread's last operation; there has to have been one."""
        report: OperationReport = self._own.report
        return report
