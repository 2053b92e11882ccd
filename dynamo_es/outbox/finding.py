"""Finding an event in the log again, by its position."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynamo_es.contracts import LogStrategy, Selection
    from dynamo_es.values import Position, RecordedRaw


class Finder:
    """Finds events at rising positions; those of one piece of the log are read once.

    Args:
        log: where.
        selection: which of its events.
    """

    def __init__(self, log: LogStrategy, selection: Selection) -> None:
        self._log = log
        self._selection = selection
        self._records: dict[Position, RecordedRaw] = {}
        self._upto: Position = 0

    def find(self, position: Position) -> RecordedRaw | None:
        """Return the event at a position, above those asked for before; None: it is not there.

        Then it is gone for good if what was read `reached` its position.
        """
        if position > self._upto:
            reader = self._log.reader(position - 1, self._selection)
            self._records = {record.position: record for record in reader.read()}
            self._upto = reader.position
        return self._records.get(position)

    def reached(self, position: Position) -> bool:
        """Whether the log was read up to a position: a read may lag behind what is stored."""
        return position <= self._upto
