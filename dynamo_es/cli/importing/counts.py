"""Figures of an import: counted so far, as reported by the store, and summed up."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dynamo_es.contracts import OperationReport


@dataclass(slots=True, kw_only=True)
class Figures:
    """Lines, events and commits of an import.

    Attributes:
        lines: lines read, without blank ones.
        events: events this run appended.
        commits: appends that stored them.
        already_stored: events that earlier runs stored.
        malformed: lines that are not events.
        skipped: lines after a malformed one of their stream, and lines of refused streams.
        refused_streams: streams that hold other events, or that the store refused.
    """

    lines: int = 0
    events: int = 0
    commits: int = 0
    already_stored: int = 0
    malformed: int = 0
    skipped: int = 0
    refused_streams: int = 0


@dataclass(slots=True, kw_only=True)
class Counts(Figures):
    """The figures so far; the threads of an import add to them.

    Attributes:
        priced_units: write units of the commits by the size rules, if asked for.
        unreported_units: the same, for commits whose cost the engine did not report.
    """

    priced_units: int = 0
    unreported_units: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, **amounts: int) -> None:
        """Add to figures by their names."""
        with self._lock:
            for name, amount in amounts.items():
                setattr(self, name, getattr(self, name) + amount)

    @property
    def done(self) -> int:
        """Lines that need no more work."""
        return self.events + self.already_stored + self.malformed + self.skipped


@dataclass(slots=True, kw_only=True)
class Summary(Figures):
    """The result of an import.

    Attributes:
        streams: different streams in the input.
        tenants: different tenants in the input.
        requests: API calls.
        attempts: HTTP attempts, including retries of the SDK.
        write_units: write units of the commits, as the engine reports them; by the size rules
            if it does not.
        write_units_reported: whether the engine reported them all.
        priced_units: write units of the commits by the size rules; None unless asked for.
        seconds: from the first line to the last reply.
        complete: whether the import reached the end of the input.
    """

    streams: int
    tenants: int
    requests: int
    attempts: int
    write_units: float
    write_units_reported: bool
    priced_units: int | None
    seconds: float
    complete: bool

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

    @property
    def clean(self) -> bool:
        """Whether every line of the input is stored."""
        return self.complete and not self.malformed and not self.skipped

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
    """An observer that adds up costs and keeps each thread's last report; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._own = threading.local()
        self.spent = Spent()

    def __call__(self, report: OperationReport) -> None:
        """Add the report of an operation, in the thread that ran it."""
        self._own.report = report
        with self._lock:
            self.spent = Spent(
                self.spent.requests + report.requests,
                self.spent.attempts + report.attempts,
                self.spent.read_units + (report.read_units or 0.0),
                self.spent.write_units + (report.write_units or 0.0),
            )

    def reset(self) -> None:
        """Set the sum to zero."""
        with self._lock:
            self.spent = Spent()

    @property
    def last(self) -> OperationReport:
        """The report of this thread's last operation. Fails if this thread has run none."""
        report: OperationReport = self._own.report
        return report
