"""`Window`: a bounded part of the log, read for a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dynamo_es.contracts import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamo_es.contracts import LogStrategy, Selection
    from dynamo_es.values import Position, RecordedRaw


MOST_LOOKS: Final = 16
"""The most reads of the log for one window."""
_FIRST_COMMITS: Final = 10
_MOST_COMMITS: Final = 100


@dataclass(frozen=True, slots=True)
class Window:
    """Events of the log in a range of positions.

    Attributes:
        first: first position of the range.
        last: last position of the range; 0 if the log is empty.
        end: last position of the log.
        records: the events, in order.
    """

    first: Position
    last: Position
    end: Position
    records: list[RecordedRaw]


def read_window(
    log: LogStrategy,
    around: Position | None,
    size: int,
    selection: Selection | None = None,
) -> Window:
    """Return the events around a position, or the newest ones.

    Args:
        log: the log.
        around: position in the middle; None: the newest events.
        size: the most positions.
        selection: the events to read; None: every event.

    Cost on DynamoDB: about 2 requests for each 100 commits, and at most twice `MOST_LOOKS`. The
    window ends where the last read ended.
    """
    end = log.last_position or 0
    last = end if around is None else min(end, around + size // 2)
    first = max(last - size + 1, 1)
    records: list[RecordedRaw] = []
    if last == 0:
        return Window(1, 0, 0, records)
    reader = log.reader(first - 1, selection or EVERYTHING)
    commits = _FIRST_COMMITS
    for _ in range(MOST_LOOKS):
        # Not `read`: it would search for a tenant's events up to the end of the log.
        piece = reader.read_some(commits)
        records += piece.records
        if piece.ended or reader.position >= last:
            break
        events_a_commit = max(len(piece.records) // max(len(piece.commits), 1), 1)
        commits = min(max((last - reader.position) // events_a_commit, 1), _MOST_COMMITS)
    until = min(last, reader.position)
    return Window(first, until, end, [one for one in records if one.position <= until])


def places_of(records: Iterable[RecordedRaw]) -> dict[Position, int]:
    """Return the versions of events by position. Events of versionless streams are left out."""
    return {
        record.position: record.entry.version
        for record in records
        if record.entry.version is not None
    }
