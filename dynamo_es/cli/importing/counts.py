"""Figures of an import, and the observer that adds up what operations cost."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from dynamo_es.contracts import OperationReport

_adding: Final = threading.Lock()


@dataclass(slots=True, kw_only=True)
class Summary:
    """The figures of an import, so far or at its end; its threads add to them.

    Attributes:
        lines: lines read, without blank ones.
        events: events this run appended.
        commits: appends that stored them.
        snapshots: snapshots saved, also if the stream had one as new.
        already_stored: events that earlier runs stored.
        malformed: lines that are not events.
        skipped: lines after a malformed one of their stream, and lines of refused streams.
        refused_streams: streams that hold other events, or that the store refused.
        streams: different streams in the input.
        tenants: different tenants in the input.
        requests: API calls.
        attempts: HTTP attempts, including retries of the SDK.
        write_units: write units, as the engine reports them; 0 if it does not.
        priced_units: write units of the commits by the size rules; None unless asked for.
        seconds: from the first line to the last reply.
        complete: whether the import reached the end of the input.
    """

    lines: int = 0
    events: int = 0
    commits: int = 0
    snapshots: int = 0
    already_stored: int = 0
    malformed: int = 0
    skipped: int = 0
    refused_streams: int = 0
    streams: int = 0
    tenants: int = 0
    requests: int = 0
    attempts: int = 0
    write_units: float = 0.0
    priced_units: int | None = None
    seconds: float = 0.0
    complete: bool = False

    def add(self, **amounts: int) -> None:
        """Add to figures by their names."""
        with _adding:
            for name, amount in amounts.items():
                setattr(self, name, (getattr(self, name) or 0) + amount)

    @property
    def done(self) -> int:
        """Lines that need no more work."""
        stored = self.events + self.snapshots + self.already_stored
        return stored + self.malformed + self.skipped

    @property
    def clean(self) -> bool:
        """Whether every line of the input is stored."""
        return self.complete and not self.malformed and not self.skipped

    @property
    def write_units_per_event(self) -> float:
        """Write units for each event appended; 0.0 without events."""
        return self.write_units / self.events if self.events else 0.0

    @property
    def requests_per_event(self) -> float:
        """API calls for each event appended; 0.0 without events."""
        return self.requests / self.events if self.events else 0.0

    @property
    def events_per_second(self) -> float:
        """Events appended in a second."""
        return self.events / self.seconds if self.seconds else 0.0

    def document(self) -> dict[str, Any]:
        """Return the summary as JSON."""
        rates = ("write_units_per_event", "requests_per_event", "events_per_second")
        return {**asdict(self), **{name: getattr(self, name) for name in rates}}


@dataclass(frozen=True, slots=True)
class Spent:
    """The cost of operations; units as far as the engine reports them, never of refused writes."""

    requests: int = 0
    attempts: int = 0
    read_units: float = 0.0
    write_units: float = 0.0


class Meter:
    """An observer that adds up costs. Safe to share between threads.

    Attributes:
        spent: the sum so far.
    """

    def __init__(self) -> None:
        self.spent = Spent()
        self._of_thread = threading.local()

    def __call__(self, report: OperationReport) -> None:
        """Add the report of an operation, in the thread that ran it."""
        self._of_thread.last = report
        with _adding:
            self.spent = Spent(
                self.spent.requests + report.requests,
                self.spent.attempts + report.attempts,
                self.spent.read_units + (report.read_units or 0.0),
                self.spent.write_units + (report.write_units or 0.0),
            )

    @property
    def last(self) -> OperationReport:
        """The report of this thread's last operation. Fails if this thread has run none."""
        report: OperationReport = self._of_thread.last
        return report
