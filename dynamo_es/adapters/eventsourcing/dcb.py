"""The DCB recorder: tagged events of one stream, and appends with a query as their condition."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from dynamo_es.adapters.eventsourcing.dcb_coding import (
    kept_uuid,
    query_of,
    raw_tagged_events,
    tagged_event,
)
from dynamo_es.adapters.eventsourcing.errors import translated
from dynamo_es.adapters.eventsourcing.subscription import Listeners, Polling
from dynamo_es.adapters.eventsourcing.versions import (
    DCBListenNotifySubscription,
    DCBReadResponse,
    DCBRecorder,
    DCBSequencedEvent,
    ProgrammingError,
    uuid_of,
)
from dynamo_es.contracts.boundaries.strategy import ConditionalAppend, refuse_unreached
from dynamo_es.exceptions import BoundaryConflictError
from dynamo_es.values import StoredVersion, matches_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from dynamo_es.adapters.eventsourcing.versions import DCBAppendCondition, DCBEvent, DCBQuery
    from dynamo_es.contracts import StorageStrategy
    from dynamo_es.values import Query, RawEvent, StreamId


class DynamoDCBRecorder(DCBRecorder):
    """Records the tagged events of a DCB application; an event's position is its version.

    Args:
        storage: storage of the tenant.
        stream_id: the stream of the boundary.
        poll_interval: seconds between two reads of a subscription for other processes' events.
        clock: returns seconds since the epoch.
    """

    def __init__(
        self,
        storage: StorageStrategy,
        stream_id: StreamId,
        poll_interval: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.storage = storage
        self._stream_id = stream_id
        self._poll_interval = poll_interval
        self._clock = clock
        self._listeners = Listeners()
        self._found_nothing = False

    def head(self) -> int | None:
        """Return the position of the last event; None if there is none. Cost: 1 request."""
        with translated():
            head = self.storage.head(self._stream_id)
        return None if head is None else StoredVersion(head.length, head.generation)

    def read(
        self, query: DCBQuery | None = None, *, after: int | None = None, limit: int | None = None
    ) -> DynamoDCBReadResponse:
        """Return the events that match a query, in the order of their positions.

        Args:
            query: selects the events; None, or a query without items: all events.
            after: return events after this position, exclusive; None: from the first event.
            limit: most events; None: all.

        Returns:
            The events. ``head`` is the position up to which they are complete: that of the last
            event of the boundary or, with a limit, of the result. None: there is no such event.

        Raises:
            IntegrityError: the boundary has not reached ``after``: it was deleted since, or
                ``after`` does not come from a read of this boundary.
            OperationalError: AWS refused or did not answer.

        Cost: 1 request for each MB after ``after``, whether events match or not; with a limit, 1
        for each 500 commits until enough events match.
        """
        wanted = query_of(query)
        with translated():
            if limit is not None:
                found = self._first_matching(wanted, after, limit)
                return DynamoDCBReadResponse(found, _position(found[-1]) if found else None)
            matching = self.storage.fetch_matching(self._stream_id, wanted, after)
        self._found_nothing = matching.head == 0
        return DynamoDCBReadResponse(matching.events, matching.head or None)

    def append(
        self, events: Sequence[DCBEvent], condition: DCBAppendCondition | None = None
    ) -> int:
        """Append events, unless an event after ``condition.after`` matches the condition's query.

        To append stored events again succeeds if each has a uuid (release 10), the condition
        matches one of them, and they were stored together.

        Args:
            events: one event or more.
            condition: the condition; None: append without a condition.

        Returns:
            The position of the last event.

        Raises:
            IntegrityError: an event matches the condition.
            ProgrammingError: there are no events.
            DataError: the events do not fit into one item.
            OperationalError: AWS refused or did not answer.

        Cost: 1 request if no other writer was faster, and this process has read up to the last
        event and gives that head as ``after``; else usually 1 read more.
        """
        if not events:
            raise ProgrammingError("append needs one event or more.")
        with translated():
            position = self._append(events, condition)
        self._listeners.notify()
        return position

    def subscribe(
        self, query: DCBQuery | None = None, *, after: int | None = None
    ) -> DynamoDCBSubscription:
        """Return an iterator of matching events that waits for new ones."""
        return DynamoDCBSubscription(
            self, self._listeners, self._poll_interval, query=query, after=after
        )

    def _append(self, events: Sequence[DCBEvent], condition: DCBAppendCondition | None) -> int:
        now = datetime.fromtimestamp(self._clock(), UTC)
        raw = raw_tagged_events(self._stream_id, events, now)
        append = ConditionalAppend(raw)
        if condition is not None:
            after = condition.after
            # The boundary was empty at the last look, so a put at version 1 needs no read before
            # it.
            if after is None and self._found_nothing:
                after = 0
            append = ConditionalAppend(raw, query_of(condition.fail_if_events_match), after)
        (result,) = self.storage.insert_unless(self._stream_id, [append])
        if isinstance(result, BoundaryConflictError):
            position = self._stored_at(events, result)
            if position is not None:
                return position
        if isinstance(result, Exception):
            raise result
        return result

    def _stored_at(self, events: Sequence[DCBEvent], conflict: BoundaryConflictError) -> int | None:
        """Return the position of the last event if all are stored already, in one sequence."""
        uuids = [uuid_of(event) for event in events]
        if None in uuids or not any(kept_uuid(found) in uuids for found in conflict.matching):
            return None
        stop = int(conflict.head) + 1
        there = self.storage.fetch_events(self._stream_id, int(conflict.after) + 1, stop)
        kept = [kept_uuid(event) for event in there]
        for place in range(len(kept) - len(uuids) + 1):
            if kept[place : place + len(uuids)] == uuids:
                return _position(there[place + len(uuids) - 1])
        return None

    def _first_matching(self, query: Query, after: int | None, limit: int) -> list[RawEvent]:
        if limit < 1:
            return []
        # Begin with the event at ``after``: it shows that the boundary has reached that position.
        events = self.storage.iter_events(self._stream_id, max(int(after or 1), 1))
        matching = (e for e in self._after(events, query, after) if matches_event(query, e))
        return list(islice(matching, limit))

    def _after(
        self, events: Iterable[RawEvent], query: Query, after: int | None
    ) -> Iterator[RawEvent]:
        head = StoredVersion(0, 0)
        for event in events:
            head = _position(event)
            if after is None or head > after:
                yield event
            else:
                refuse_unreached(self._stream_id, query, after, head)
        refuse_unreached(self._stream_id, query, after, head)


class DynamoDCBReadResponse(DCBReadResponse):
    """An iterator over the events that a query matches.

    Args:
        events: the events.
        head: position up to which they are complete, inclusive.
    """

    def __init__(self, events: Iterable[RawEvent], head: StoredVersion | None) -> None:
        self._events = iter(events)
        self._head = head

    @property
    def head(self) -> StoredVersion | None:
        """Position up to which the events are complete; give it as ``after`` to an append."""
        return self._head

    def __next__(self) -> DCBSequencedEvent:
        event = next(self._events)
        return DCBSequencedEvent(event=tagged_event(event), position=_position(event))


class DynamoDCBSubscription(Polling, DCBListenNotifySubscription["DynamoDCBRecorder"]):
    """Yields tagged events. `DynamoDCBRecorder.subscribe` makes it.

    Args:
        recorder: reads the events.
        listeners: the listeners of the recorder.
        poll_interval: seconds between two reads for other processes' events.
        query: selects the events to yield; None: all events.
        after: yield events after this position, exclusive; None: from the first event.
    """

    def __init__(
        self,
        recorder: DynamoDCBRecorder,
        listeners: Listeners,
        poll_interval: float,
        query: DCBQuery | None = None,
        after: int | None = None,
    ) -> None:
        # Set before the base class starts its thread, which uses them.
        self._listeners = listeners
        self._poll_interval = poll_interval
        super().__init__(recorder=recorder, query=query, after=after)
        listeners.add(self._has_been_notified)


def _position(event: RawEvent) -> StoredVersion:
    return StoredVersion(event.version or 0, event.generation or 0)
