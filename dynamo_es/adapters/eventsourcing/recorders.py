"""Recorders: store events, and read events and notifications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    IntegrityError,
    ProcessRecorder,
)

from dynamo_es.adapters.eventsourcing.coding import (
    FIRST_VERSION,
    initial_in,
    notification,
    stored_event,
    stream_of,
)
from dynamo_es.adapters.eventsourcing.errors import translated
from dynamo_es.adapters.eventsourcing.notifications import last_selected, read_records
from dynamo_es.adapters.eventsourcing.subscription import DynamoSubscription, Listeners
from dynamo_es.adapters.eventsourcing.tracking import DynamoTrackingRecorder
from dynamo_es.adapters.eventsourcing.versions import upstream_of
from dynamo_es.adapters.eventsourcing.writing import Positions, batches_of, insert
from dynamo_es.contracts import Selection
from dynamo_es.dynamodb.log.logs import Logs
from dynamo_es.dynamodb.streams.loading.load import load, newest_commit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from eventsourcing.persistence import Notification, StoredEvent, Tracking

    from dynamo_es.adapters.eventsourcing.settings import InitialVersions, Runtime
    from dynamo_es.contracts import EnlistedWrite
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Steps
    from dynamo_es.values import RawEvent


class DynamoAggregateRecorder(AggregateRecorder):
    """Records events of aggregates. One call stores the events of an originator in one item.

    Args:
        runtime: tables and client.
        category: category of the originators' streams.
    """

    def __init__(self, runtime: Runtime, category: str) -> None:
        self.runtime = runtime
        self._category = category

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Store events, all or none; return None, because the events have no notification ids.

        To store the same events again succeeds if each has its own uuid (release 10).

        Raises:
            IntegrityError: a version is stored already, is given twice, or leaves a gap.
            DataError: the events have more than 100 originators, or are larger than 4 MB.
            OperationalError: AWS refused or did not answer.

        Cost: 1 request. 1 more for each originator that this process does not remember and whose
        first version in this call is neither 0 nor 1.
        """
        del kwargs
        if stored_events:
            with translated():
                insert(self.runtime, self._category, batches_of(stored_events), ())
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
        """Return stored events in the order of their versions. Cost: usually 1 request."""
        stream_id = stream_of(originator_id, self._category)
        with translated():
            stream = self.runtime.stream(stream_id)
            steps = _select(stream, self.runtime.initials, gt, lte, desc=desc, limit=limit)
            found = self.runtime.run("select_events", steps, stream_id)
        return [stored_event(originator_id, event) for event in found]


class DynamoApplicationRecorder(DynamoAggregateRecorder, ApplicationRecorder):
    """Records events of an application; an event's notification id is its position in the log.

    Args:
        runtime: tables and client.
        category: category of the originators' streams.
    """

    def __init__(self, runtime: Runtime, category: str) -> None:
        super().__init__(runtime, category)
        self._listeners = Listeners()
        self._tables = Logs.of(runtime.config).of_tenant(runtime.tenant_id)

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Store events, all or none; return their notification ids, in the order given.

        To store the same events again succeeds if each has its own uuid (release 10), and returns
        their ids.

        Returns:
            The ids. None if there are no events, if a sequencer gives the ids
            (``DYNAMO_ES_SEQUENCING=stream``), or if the events are stored but the log could not be
            written. In the last case, a warning is logged, and the next call gives the events their
            ids.

        Raises:
            IntegrityError: a version is stored already, is given twice, or leaves a gap.
            DataError: the events have more than 100 originators, or are larger than 4 MB.
            OperationalError: AWS refused or did not answer.

        Cost: 1 request, and 4 for the ids (3, and 1 for each originator).
        """
        del kwargs
        return self._store(stored_events)[0] if stored_events else None

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> list[Notification]:
        """Return notifications in the order of their ids; see ``ApplicationRecorder``.

        Cost: 2 or 3 requests, and 1 for every 100 commits.
        """
        first = 1 if start is None else max(start + (not inclusive_of_start), 1)
        selection = self._selection(topics)
        with translated():
            steps = read_records(self._tables, first, limit, stop, selection)
            return [notification(found) for found in self.runtime.run("select", steps)]

    def max_notification_id(self) -> int | None:
        """Return the id of the last notification. Cost: usually 1 request."""
        with translated():
            steps = last_selected(self._tables.keys, self._selection(()))
            return self.runtime.run("max_notification_id", steps)

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> DynamoSubscription:
        """Return an iterator of notifications that waits for new ones."""
        return DynamoSubscription(
            self, self._listeners, self.runtime.poll_interval, gt=gt, topics=topics
        )

    def _selection(self, topics: Sequence[str]) -> Selection:
        names = frozenset(topics) if topics else None
        return Selection(self._category, names, self.runtime.tenant_id)

    def _store(
        self, stored_events: Sequence[StoredEvent], enlisted: Sequence[EnlistedWrite] = ()
    ) -> tuple[list[int] | None, bool]:
        """Store events and wake the subscriptions. Cost: see `insert_events`.

        Returns:
            The notification ids, if they are known, and whether this call stored the events. False:
            an earlier call had stored them.
        """
        positions = Positions()
        with translated():
            batches = batches_of(stored_events)
            is_new = insert(self.runtime, self._category, batches, enlisted, positions)
        self._listeners.notify()
        return positions.in_order_of(stored_events, batches), is_new


class DynamoProcessRecorder(DynamoTrackingRecorder, DynamoApplicationRecorder, ProcessRecorder):
    """Records events of an application together with the notification that caused them.

    Args:
        runtime: tables and client.
        category: category of the originators' streams.
        name: name of the application.
    """

    def __init__(self, runtime: Runtime, category: str, name: str) -> None:
        DynamoApplicationRecorder.__init__(self, runtime, category)
        DynamoTrackingRecorder.__init__(self, runtime, name)

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Store events and, if ``tracking`` is given, the tracking record: all or none.

        Raises:
            IntegrityError: as for `DynamoApplicationRecorder.insert_events`; or this notification
                or a later one is recorded already; or the events were stored before without the
                tracking record.
        """
        tracking: Tracking | None = kwargs.get("tracking")
        if tracking is None:
            return super().insert_events(stored_events, **kwargs)
        if not stored_events:
            self.insert_tracking(tracking)
            return None
        ids, is_new = self._store(stored_events, [{"Put": self.tracking_put(tracking)}])
        if not is_new and not self.has_tracking_id(upstream_of(tracking), tracking.notification_id):
            raise IntegrityError(
                "These events are stored already, but not with the tracking record of notification "
                f"{tracking.notification_id}. Nothing was written."
            )
        return ids


def _select(
    stream: Stream,
    initials: InitialVersions,
    gt: int | None,
    lte: int | None,
    *,
    desc: bool,
    limit: int | None,
) -> Steps[list[RawEvent]]:
    """Return events of a range of versions, counted as ``eventsourcing`` counts them.

    Versions have no gaps, so a limit becomes a range too, and only returned events are read.
    """
    if limit is not None and limit < 1:
        return []
    initial = initials.get(stream.key)
    if initial is None and (gt is not None or lte is not None or limit is not None):
        # Read the first event for its initial version. Without bounds, any event has it.
        first = yield from load(stream, 1, 2)
        if not first:
            return []
        initial = initial_in(first[0])
        initials.remember(stream.key, initial)
    shift = FIRST_VERSION if initial is None else initial
    start = 1 if gt is None else max(gt - shift + 2, 1)
    stop = None if lte is None else lte - shift + 2
    if desc and limit is not None:
        newest = yield from newest_commit(stream)
        if newest is None:
            return []
        stop = newest.last + 1 if stop is None else min(stop, newest.last + 1)
        start = max(start, stop - limit)
    elif limit is not None:
        stop = start + limit if stop is None else min(stop, start + limit)
    if stop is not None and stop <= start:
        return []
    events = yield from load(stream, start, stop)
    if events:
        initials.remember(stream.key, initial_in(events[0]))
    return events[::-1] if desc else events
