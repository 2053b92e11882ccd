"""Finds the events of an outbox's entries in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dynamo_es.contracts import Selection

if TYPE_CHECKING:
    from dynamo_es.contracts import LogStrategy
    from dynamo_es.values import Position, RecordedRaw

CHOSEN: Final = Selection(outbox=True)
"""The events of an outbox."""


class Finder:
    """Finds events at rising positions; reads each piece of the log once."""

    def __init__(self, log: LogStrategy) -> None:
        self._log = log
        self._records: dict[Position, RecordedRaw] = {}
        self._reached: Position = 0

    def find(self, position: Position) -> RecordedRaw | None:
        """Return the event at a position, above the one before; None: it is not there.

        It is gone for good if the log was `reached` up to its position.
        """
        if position > self._reached:
            reader = self._log.reader(position - 1, CHOSEN)
            self._records = {record.position: record for record in reader.read()}
            self._reached = reader.position
        return self._records.get(position)

    def reached(self, position: Position) -> bool:
        """Whether the log was read up to a position: a read may lag after a write."""
        return position <= self._reached
