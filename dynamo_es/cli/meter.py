"""`Meter`: an observer that adds up what operations cost."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynamo_es.contracts import OperationReport


class Meter:
    """An observer that adds up costs. Safe to share between threads.

    Attributes:
        requests: API calls.
        attempts: HTTP attempts, with retries of the SDK.
        read_units: as far as the engine reports them.
        write_units: likewise, without those of refused writes.
    """

    def __init__(self) -> None:
        self._adding = threading.Lock()
        self._of_thread = threading.local()
        self.reset()

    def reset(self) -> None:
        """Set the sums to zero."""
        self.requests = self.attempts = 0
        self.read_units = self.write_units = 0.0

    def __call__(self, report: OperationReport) -> None:
        """Add the report of an operation, in the thread that ran it."""
        self._of_thread.last = report
        with self._adding:
            self.requests += report.requests
            self.attempts += report.attempts
            self.read_units += report.read_units or 0.0
            self.write_units += report.write_units or 0.0

    @property
    def last(self) -> OperationReport:
        """The report of this thread's last operation. Fails if this thread has run none."""
        report: OperationReport = self._of_thread.last
        return report
