"""Where a stream ends, and what one append stored in it."""

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
