"""Finds the events of an outbox's entries in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dynamo_es.contracts import Selection

if TYPE_CHECKING:
    from dynamo_es.contracts import LogStrategy
    from dynamo_es.values import Position, RecordedRaw

CHOSEN: Final = Selection(outbox=True)
"""Selects the events that the outbox filter chose."""


class Finder:
    """Finds events at ascending positions, and reads each part of the log once."""

    def __init__(self, log: LogStrategy) -> None:
        self._log = log
        self._records: dict[Position, RecordedRaw] = {}
        self._reached: Position = 0

    def find(self, position: Position) -> RecordedRaw | None:
        """Return the event at a position, which must be above the previous one; None without it.

        If `reached` returns True for the position, the event is gone for good.
        """
        if position > self._reached:
            reader = self._log.reader(position - 1, CHOSEN)
            self._records = {record.position: record for record in reader.read()}
            self._reached = reader.position
        return self._records.get(position)

    def reached(self, position: Position) -> bool:
        """Return whether the log was read up to a position: reads may miss the newest events."""
        return position <= self._reached
