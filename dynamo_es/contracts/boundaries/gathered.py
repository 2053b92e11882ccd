"""`GatheredEvents`: events with an index, to match many queries against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.values import tags_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from uuid import UUID

    from dynamo_es.values import Query, RawEvent


class GatheredEvents:
    """Events with sets of their ids, names and tags, which answer most questions fast.

    Each of a group of 25 appends is matched with all events that another process stored. These are
    hundreds of matches, of which most find nothing. The sets avoid them.

    Args:
        events: the events, in the order of their versions.
    """

    def __init__(self, events: Iterable[RawEvent] = ()) -> None:
        self._events: list[RawEvent] = []
        self._uuids: set[int] = set()  # integers: a UUID takes ten times as long to look up
        self._names: set[str] = set()
        self._tags: set[str] = set()
        self.add(events)

    def __iter__(self) -> Iterator[RawEvent]:
        return iter(self._events)

    def add(self, events: Iterable[RawEvent]) -> None:
        """Add events at the end."""
        for event in events:
            self._events.append(event)
            self._uuids.add(event.uuid.int)
            self._names.add(event.name)
            self._tags |= tags_of(event)

    def has_any(self, uuids: Iterable[UUID]) -> bool:
        """Return whether one of the events has one of these ids."""
        known = self._uuids
        return any(uuid.int in known for uuid in uuids)

    def may_match(self, query: Query) -> bool:
        """Return False if a query certainly matches none of the events."""
        return any(
            item.tag_texts <= self._tags
            and (not item.types or not self._names.isdisjoint(item.types))
            for item in query.items
        )
