"""Where a stream ends, and what an append to it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class StreamHead:
    """Where a stream ends.

    Attributes:
        length: number of events in the stream, 1 or more; also its version, if it has versions.
        generation: generation of the stream; a later one has a higher number.
        versioned: whether the events have versions.
    """

    length: int
    generation: int
    versioned: bool


@dataclass(frozen=True, slots=True)
class StreamCommit:
    """The events that one append has stored together.

    Attributes:
        first: version of the first event, 1-based; without versions, its place in the stream.
        last: the same of the last event.
        appended_at: the latest ``created_at`` of the events, in UTC: a time by the clock of the
            process that made them, a little before the append.
    """

    first: int
    last: int
    appended_at: datetime


@dataclass(frozen=True, slots=True)
class AppendCost:
    """The price of one append, if the process already knows the stream's version.

    Attributes:
        events: events appended.
        items: items written, in one request.
        size: bytes of these items, by DynamoDB's rules.
        compressed: whether the events of an item are compressed.
        write_units: write units charged.
    """

    events: int
    items: int
    size: int
    compressed: bool
    write_units: int

    @property
    def write_units_per_event(self) -> float:
        """Write units divided by events; 0.0 without events."""
        return self.write_units / self.events if self.events else 0.0

    def price(self, per_million_write_units: float) -> float:
        """Return the price of one such append, in the currency of the argument.

        Args:
            per_million_write_units: the price of a million write request units in your
                region and table class.
        """
        return self.write_units * per_million_write_units / 1_000_000
