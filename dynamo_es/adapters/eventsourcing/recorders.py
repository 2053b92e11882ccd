"""Recorders: what applications store events with, and read them and notifications by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eventsourcing.persistence import AggregateRecorder, ApplicationRecorder, ProcessRecorder

from dynamo_es.adapters.eventsourcing.coding import notification, stored_event, stream_of
from dynamo_es.adapters.eventsourcing.errors import translated
from dynamo_es.adapters.eventsourcing.notifications import last_selected, read_records
from dynamo_es.adapters.eventsourcing.numbering import number_stored
from dynamo_es.adapters.eventsourcing.selecting import select
from dynamo_es.adapters.eventsourcing.subscription import DynamoSubscription, Listeners
from dynamo_es.adapters.eventsourcing.tracking import DynamoTrackingRecorder
from dynamo_es.adapters.eventsourcing.writing import batches_of, insert
from dynamo_es.contracts import Selection
from dynamo_es.dynamodb.log.sequencer import Tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from eventsourcing.persistence import Notification, StoredEvent, Tracking

    from dynamo_es.adapters.eventsourcing.settings import Runtime
    from dynamo_es.adapters.eventsourcing.writing import Stored
    from dynamo_es.contracts import EnlistedWrite
    from dynamo_es.dynamodb.streams.append import Append


class DynamoAggregateRecorder(AggregateRecorder):
    """Events of aggregates: what one call stores of an originator is one item.

    Args:
        runtime: tables and client.
        category: of the originators' streams.
    """

    def __init__(self, runtime: Runtime, category: str) -> None:
        self.runtime = runtime
        self._category = category

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Store events, all or none; return None, because these have no notification ids.

        Raises:
            IntegrityError: a version is stored already or given twice, or leaves a gap.
            DataError: of more than 100 originators, or larger than 4 MB.
            OperationalError: AWS refused or did not answer.

        Cost: 1 request; 1 more for each originator that this process has not seen lately and that
        begins with this call neither at version 0 nor at version 1.
        """
        del kwargs
        self._store(stored_events)
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[StoredEvent]:
        """Return stored events in the order of their versions. Cost: 1 request, as a rule."""
        stream_id = stream_of(originator_id, self._category)
        with translated():
            stream = self.runtime.stream(stream_id)
            steps = select(stream, self.runtime.initials, gt, lte, desc=desc, limit=limit)
            found = self.runtime.run("select_events", steps, stream_id)
        return [stored_event(originator_id, event) for event in found]

    def _store(
        self, stored_events: Sequence[StoredEvent], enlisted: Sequence[EnlistedWrite] = ()
    ) -> list[Append | Stored]:
        if not stored_events:
            return []
        with translated():
            batches = batches_of(stored_events)
            stream_id = stream_of(batches[0].originator_id, self._category)
            steps = insert(self.runtime, self._category, batches, enlisted)
            return self.runtime.run("insert_events", steps, stream_id)


class DynamoApplicationRecorder(DynamoAggregateRecorder, ApplicationRecorder):
    """Events of an application, each with its place in the log as its notification id.

    Args:
        runtime: tables and client.
        category: of the originators' streams.
    """

    def __init__(self, runtime: Runtime, category: str) -> None:
        super().__init__(runtime, category)
        self._listeners = Listeners()
        self._tables = Tables(runtime.config.events_table, runtime.config.log_table)

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Store events, all or none; return their notification ids, in the order given.

        Returns:
            None if no events were given, if others give the ids (``DYNAMO_ES_SEQUENCING=stream``),
            or if the events are stored but the log was out of reach: a warning says so, and the
            next call gives them theirs.

        Raises:
            IntegrityError: a version is stored already or given twice, or leaves a gap.
            DataError: of more than 100 originators, or larger than 4 MB.
            OperationalError: AWS refused or did not answer.

        Cost: 1 request, and 4 for the ids (3, and 1 for each originator).
        """
        del kwargs
        return self._announce(stored_events, self._store(stored_events))

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> list[Notification]:
        """Return notifications in the order of their ids; see `ApplicationRecorder`.

        Cost: 2 or 3 requests, and 1 for every 100 commits.
        """
        first = 1 if start is None else max(start + (not inclusive_of_start), 1)
        selection = self._selection(topics)
        with translated():
            steps = read_records(self._tables, first, limit, stop, selection)
            return [notification(found) for found in self.runtime.run("select", steps)]

    def max_notification_id(self) -> int | None:
        """Return the id of the last notification. Cost: 1 request, as a rule."""
        with translated():
            steps = last_selected(self._tables.log, self._selection(()))
            return self.runtime.run("max_notification_id", steps)

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> DynamoSubscription:
        """Return an iterator of notifications that waits for the next ones."""
        return DynamoSubscription(
            self, self._listeners, self.runtime.poll_interval, gt=gt, topics=topics
        )

    def _selection(self, topics: Sequence[str]) -> Selection:
        names = frozenset(topics) if topics else None
        return Selection(self._category, names, self.runtime.tenant_id)

    def _announce(
        self, stored_events: Sequence[StoredEvent], stored: Sequence[Append | Stored]
    ) -> list[int] | None:
        """Give what was stored its notification ids, and wake those who wait."""
        if not stored:
            return None
        try:
            return self._number(stored_events, stored)
        finally:
            self._listeners.notify()

    def _number(
        self, stored_events: Sequence[StoredEvent], stored: Sequence[Append | Stored]
    ) -> list[int] | None:
        sequencer = self.runtime.sequencer
        if sequencer is None:
            return None
        found = number_stored(sequencer, self.runtime.tenant_id, stored)
        if found is None or sum(map(len, found)) != len(stored_events):
            return None
        originators = dict.fromkeys(event.originator_id for event in stored_events)
        left = {one: iter(some) for one, some in zip(originators, found, strict=True)}
        return [next(left[event.originator_id]) for event in stored_events]


class DynamoProcessRecorder(DynamoTrackingRecorder, DynamoApplicationRecorder, ProcessRecorder):
    """Events of an application, and which notifications of others they came of, atomically.

    Args:
        runtime: tables and client.
        category: of the originators' streams.
        name: of the application.
    """

    def __init__(self, runtime: Runtime, category: str, name: str) -> None:
        DynamoApplicationRecorder.__init__(self, runtime, category)
        DynamoTrackingRecorder.__init__(self, runtime, name)

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Store events and, if ``tracking`` is given, the tracking record: all or none."""
        tracking: Tracking | None = kwargs.get("tracking")
        if tracking is None:
            return super().insert_events(stored_events, **kwargs)
        if not stored_events:
            self.insert_tracking(tracking)
            return None
        stored = self._store(stored_events, [{"Put": self.tracking_put(tracking)}])
        return self._announce(stored_events, stored)
