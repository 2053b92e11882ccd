"""`Window`: a bounded part of the log, read for a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamo_es.contracts import LogStrategy, Selection
    from dynamo_es.values import Position, RecordedRaw


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
        size: most positions.
        selection: the events to read; None: every event.

    Cost on DynamoDB: a few requests, and 1 for each hundred commits.
    """
    end = log.last_position or 0
    last = end if around is None else min(end, around + size // 2)
    first = max(last - size + 1, 1)
    records: list[RecordedRaw] = []
    if last == 0:
        return Window(1, 0, 0, records)
    reader = log.reader(first - 1) if selection is None else log.reader(first - 1, selection)
    while reader.position < last and (piece := reader.read()):
        records += piece
    return Window(first, last, end, [one for one in records if one.position <= last])


def places_of(records: Iterable[RecordedRaw]) -> dict[Position, int]:
    """Return the versions of events by their positions, where events have versions."""
    return {
        record.position: record.entry.version
        for record in records
        if record.entry.version is not None
    }
