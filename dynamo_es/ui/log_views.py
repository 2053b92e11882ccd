"""Reads stretches of the log for a page: forward, backward, by time, each in bounded requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from dynamo_es.ui.rendering import utc

if TYPE_CHECKING:
    from datetime import datetime

    from dynamo_es.contracts import CommitInLog, LogReader, LogStrategy, Selection
    from dynamo_es.values import Position, RecordedRaw

MOST_LOOKS: Final = 12
"""The most reads of the log for one page, with up to 2 requests each."""

MOST_KILOBYTES: Final = 16 * 1024
"""A page stops reading when the stored size of its commits reaches this many KB."""

_COMMITS_OF_A_LOOK: Final = 100
_FIRST_POSITIONS: Final = 50
"""Positions of the first read of the newest commits. It is small, because they may be large."""
_WIDER: Final = 4
"""Each further read backward covers this many times the positions of the one before."""

_MOST_STEPS: Final = 64
"""The most steps of a search by time. Each halves the positions, of which there are below 2^63."""
_LOOKS_OF_A_STEP: Final = 10


@dataclass(slots=True)
class Stretch:
    """A stretch of the log, with the events that were selected.

    Attributes:
        after: the position before the first one that was read (exclusive).
        until: the last position that was read (inclusive).
        records: the selected events in the stretch, in the order of positions.
        commits: the commits of these events.
        ended: whether the log ends with the stretch.
    """

    after: Position
    until: Position
    records: list[RecordedRaw] = field(default_factory=list)
    commits: list[CommitInLog] = field(default_factory=list)
    ended: bool = False

    @property
    def is_heavy(self) -> bool:
        """Whether a page must stop reading. A write unit is a KB."""
        return sum(commit.write_units for commit in self.commits) >= MOST_KILOBYTES


def read_forward(log: LogStrategy, after: Position, selection: Selection, most: int) -> Stretch:
    """Return the first selected events after a position.

    Args:
        log: the log to read.
        after: the position before the first one to read (exclusive).
        selection: the events to return.
        most: the most events to return.

    Raises:
        InvalidPositionError: the log has not reached the position.
    """
    reader = log.reader(after, selection)
    stretch = Stretch(after, after)
    for _ in range(MOST_LOOKS):
        piece = reader.read_some(min(most - len(stretch.records), _COMMITS_OF_A_LOOK))
        stretch.records += piece.records
        stretch.commits += piece.commits
        stretch.until, stretch.ended = reader.position, piece.ended
        if piece.ended or len(stretch.records) >= most or stretch.is_heavy:
            break
    if len(stretch.records) > most:
        del stretch.records[most:]
        stretch.until, stretch.ended = stretch.records[-1].position, False
    return stretch


def read_backward(log: LogStrategy, before: Position, selection: Selection, most: int) -> Stretch:
    """Return the last selected events before a position.

    Args:
        log: the log to read.
        before: the position after the last one to read (exclusive).
        selection: the events to return.
        most: the most events to return, 1 to 100.
    """
    stretch = Stretch(before - 1, before - 1)
    size, looks = most, MOST_LOOKS
    while stretch.after > 0 and looks and len(stretch.records) < most and not stretch.is_heavy:
        piece, used = _between(log, max(0, stretch.after - size), stretch.after, selection, looks)
        looks -= used
        if piece is None:
            break
        stretch.records[:0] = piece.records
        stretch.commits[:0] = piece.commits
        stretch.after = piece.after
        size *= _WIDER
    if len(stretch.records) > most:
        del stretch.records[:-most]
        stretch.after = stretch.records[0].position - 1
    return stretch


def read_newest_commits(
    log: LogStrategy, end: Position, selection: Selection, most: int
) -> Stretch:
    """Return the newest selected commits up to a position, and their events.

    Args:
        log: the log to read.
        end: last position of the log.
        selection: the events to return.
        most: the most commits to return.
    """
    stretch = Stretch(end, end, ended=True)
    size, looks = min(most, _FIRST_POSITIONS), MOST_LOOKS + most // _COMMITS_OF_A_LOOK * 2
    while stretch.after > 0 and looks and len(stretch.commits) < most and not stretch.is_heavy:
        piece, used = _between(log, max(0, stretch.after - size), stretch.after, selection, looks)
        looks -= used
        if piece is None:
            break
        known = {commit.position for commit in stretch.commits}
        stretch.records[:0] = piece.records
        stretch.commits[:0] = [one for one in piece.commits if one.position not in known]
        stretch.after = piece.after
        size *= 2
    if len(stretch.commits) > most:
        del stretch.commits[:-most]
        first = stretch.commits[0].position
        stretch.records = [one for one in stretch.records if one.position >= first]
        stretch.after = max(stretch.after, first - 1)
    if stretch.commits and stretch.commits[0].position <= stretch.after:
        # The stretch begins in the middle of its first commit.
        first = stretch.commits[0].position
        piece, _ = _between(log, first - 1, stretch.after, selection, MOST_LOOKS)
        stretch.records[:0] = [] if piece is None else piece.records
        stretch.after = first - 1
    return stretch


def _between(
    log: LogStrategy, after: Position, until: Position, selection: Selection, looks: int
) -> tuple[Stretch | None, int]:
    """Return the selected events between two positions, and the number of reads.

    Returns:
        None instead of the events if ``looks`` reads do not reach the second position.
    """
    reader = log.reader(after, selection)
    stretch = Stretch(after, until)
    for used in range(1, looks + 1):
        piece = reader.read_some()
        stretch.records += [one for one in piece.records if one.position <= until]
        stretch.commits += [one for one in piece.commits if one.position <= until]
        if piece.ended or reader.position >= until:
            return stretch, used
    return None, looks


def find_time(log: LogStrategy, moment: datetime) -> Position | None:
    """Return the position of the first event that was created at or after a time.

    The result is approximate: positions follow the order in which the sequencer saw the events, and
    clocks differ, so times do not always rise with positions. Look at the neighbouring events too.

    Args:
        log: the log, which a binary search reads.
        moment: the time, with a time zone.

    Returns:
        The position, 1-based; None if every event is older.
    """
    last = log.last_position or 0
    low, high = 1, last + 1
    for _ in range(_MOST_STEPS):
        if low >= high:
            break
        middle = (low + high) // 2
        record = first_at(log, middle)
        if record is None or utc(record.entry.created_at) >= moment:
            high = middle
        else:
            low = record.position + 1
    return low if low <= last else None


def first_at(log: LogStrategy, position: Position) -> RecordedRaw | None:
    """Return the event at a position, or the next one if it was deleted; None at the end."""
    reader: LogReader = log.reader(position - 1)
    most = 1
    for _ in range(_LOOKS_OF_A_STEP):
        piece = reader.read_some(most)
        if piece.records:
            return piece.records[0]
        if piece.ended:
            return None
        most = _COMMITS_OF_A_LOOK
    return None
