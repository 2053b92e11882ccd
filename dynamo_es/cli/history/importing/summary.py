"""`Summary`: the figures of an import."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(slots=True, kw_only=True)
class Summary:
    """The figures of an import, so far or at its end."""

    lines: int = 0  # read, without blank ones
    events: int = 0  # appended by this run
    commits: int = 0  # appends that stored them
    snapshots: int = 0  # saved, also if the stream had one as new
    already_stored: int = 0  # events that earlier runs stored
    malformed: int = 0  # lines that are not events
    skipped: int = 0  # lines after a malformed one of their stream, and lines of refused streams
    refused_streams: int = 0  # streams that hold other events, or that the store refused
    streams: int = 0  # different ones in the input
    tenants: int = 0  # different ones in the input
    requests: int = 0  # API calls
    attempts: int = 0  # HTTP attempts, with retries of the SDK
    write_units: float = 0.0  # as the engine reports them; 0 if it does not
    seconds: float = 0.0  # from the first line to the last reply
    complete: bool = False  # whether the import reached the end of the input

    @property
    def done(self) -> int:
        """Lines that need no more work."""
        stored = self.events + self.snapshots + self.already_stored
        return stored + self.malformed + self.skipped

    @property
    def problems(self) -> int:
        """Lines that were not stored, without those that are skipped for it."""
        return self.malformed + self.refused_streams

    @property
    def clean(self) -> bool:
        """Whether every line of the input is stored."""
        return self.complete and not self.malformed and not self.skipped

    def per_event(self, amount: float) -> float:
        """Return an amount divided by the events appended; 0.0 without events."""
        return amount / self.events if self.events else 0.0

    @property
    def events_per_second(self) -> float:
        """Events appended in a second."""
        return self.events / self.seconds if self.seconds else 0.0

    def document(self) -> dict[str, Any]:
        """Return the summary as JSON."""
        return {
            **asdict(self),
            "write_units_per_event": self.per_event(self.write_units),
            "requests_per_event": self.per_event(self.requests),
            "events_per_second": self.events_per_second,
        }
