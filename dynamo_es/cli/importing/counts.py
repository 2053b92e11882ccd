"""What an import has done so far, and the summary of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock


@dataclass(slots=True)
class Counts:
    """Figures that the threads of an import add to.

    Attributes:
        lines: read, blank ones apart.
        events: appended by this run.
        commits: appends that stored them.
        already_stored: events that earlier runs had stored.
        malformed: lines that are no event.
        skipped: lines after a malformed one of their stream, and lines of refused streams.
        refused_streams: streams that hold other events, or that the store refused.
        priced_units: write units that the commits cost by the size rules, where asked for.
        unreported_units: the same for commits whose cost the engine did not report.
    """

    lines: int = 0
    events: int = 0
    commits: int = 0
    already_stored: int = 0
    malformed: int = 0
    skipped: int = 0
    refused_streams: int = 0
    priced_units: int = 0
    unreported_units: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False)

    def add(self, **amounts: int) -> None:
        """Add to figures by their names."""
        with self._lock:
            for name, amount in amounts.items():
                setattr(self, name, getattr(self, name) + amount)

    @property
    def done(self) -> int:
        """Lines that need no more work."""
        return self.events + self.already_stored + self.malformed + self.skipped


@dataclass(frozen=True, slots=True)
class Summary:
    """What an import did; for the figures without a word here see `Counts`.

    Attributes:
        streams: different streams in the input.
        tenants: different tenants in the input.
        requests: API calls.
        attempts: HTTP attempts, retries of the SDK included.
        write_units: write units of the commits, as the engine reports them; by the size rules
            where it does not.
        write_units_reported: whether the engine reported them all.
        priced_units: write units of the commits by the size rules; None unless asked for.
        seconds: from the first line to the last reply.
        complete: whether the whole input was worked through.
    """

    lines: int
    events: int
    commits: int
    streams: int
    tenants: int
    already_stored: int
    malformed: int
    skipped: int
    refused_streams: int
    requests: int
    attempts: int
    write_units: float
    write_units_reported: bool
    priced_units: int | None
    seconds: float
    complete: bool

    @property
    def write_units_per_event(self) -> float:
        """Write units for each event appended; 0.0 without any."""
        return self.write_units / self.events if self.events else 0.0

    @property
    def requests_per_event(self) -> float:
        """API calls for each event appended; 0.0 without any."""
        return self.requests / self.events if self.events else 0.0

    @property
    def events_per_second(self) -> float:
        """Events appended in a second."""
        return self.events / self.seconds if self.seconds else 0.0

    @property
    def clean(self) -> bool:
        """Whether everything is stored: nothing malformed, nothing skipped, nothing left."""
        return self.complete and not self.malformed and not self.skipped
