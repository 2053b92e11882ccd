"""The end of a stream, and its commits, without the events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class StreamHead:
    """The end of a stream.

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
    """A commit of a stream, without its events.

    Attributes:
        first: version of the first event, 1-based; in streams without versions, its place.
        last: version of the last event, or its place.
        appended_at: the latest ``created_at`` of the events, in UTC. It is a little before the
            append, by the clock of the process that made the events.
    """

    first: int
    last: int
    appended_at: datetime
