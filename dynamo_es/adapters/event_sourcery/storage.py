"""Their `StorageStrategy`, on top of ours: streams of raw events."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Self

from event_sourcery import NO_VERSIONING, TenantId
from event_sourcery.event import Position, RawEvent, RecordedRaw
from event_sourcery.exceptions import (
    ConcurrentStreamWriteError,
    ExpectedVersionUsedOnVersionlessStream,
    IllegalTenantId,
)
from event_sourcery.interfaces import StorageStrategy

from dynamo_es import values
from dynamo_es.adapters.event_sourcery.translation import (
    our_event,
    stream_to_find,
    stream_to_write,
    their_events,
    their_words,
)
from dynamo_es.contracts import AppendHooks
from dynamo_es.exceptions import InvalidStreamIdError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from event_sourcery import StreamId
    from event_sourcery.in_transaction import Dispatcher
    from event_sourcery.interfaces import OutboxFiltererStrategy, Versioning

    from dynamo_es.dynamodb.storage import DynamoStorage

_NO_POSITION: Final = 0
"""Position that listeners get for an event without a position; lower than every position."""


@dataclass(frozen=True, slots=True)
class DynamoDBStorageStrategy(StorageStrategy):
    """The streams of one tenant.

    Attributes:
        storage: our storage of the same tenant.
        dispatcher: calls the listeners with appended events.
        filterer: chooses events for the outbox; None: no outbox.
    """

    storage: DynamoStorage
    dispatcher: Dispatcher
    filterer: OutboxFiltererStrategy | None

    def fetch_events(
        self, stream_id: StreamId, start: int | None = None, stop: int | None = None
    ) -> list[RawEvent]:
        """Return events from version ``start``, inclusive, to ``stop``, exclusive.

        Without a start, it returns the newest snapshot and the events after it. With a start, it
        returns only events.
        """
        if start is not None:
            start = max(start, 1)
        if stop is not None and stop < 1:
            return []
        return their_events(self.storage.fetch_events(stream_to_find(stream_id), start, stop))

    def insert_events(
        self, stream_id: StreamId, versioning: Versioning, events: list[RawEvent]
    ) -> None:
        """Append events, all or none, and call the listeners with them.

        If a listener raises, this call raises the same exception; the events are stored
        nevertheless.

        Raises:
            AnotherStreamWithThisNameButOtherIdExists: the name derives another UUID.
            ExpectedVersionUsedOnVersionlessStream: you gave a version, but the stream has no
                versions; or events have no version, but you gave an expected version.
            NoExpectedVersionGivenOnVersionedStream: you gave no version, but the stream has
                versions.
            ConcurrentStreamWriteError: the stream is not at the version before that of the first
                event, or the versions are not consecutive from the expected version on.
        """
        if not events:
            return
        versionless = versioning is NO_VERSIONING
        if versionless:
            events = [replace(event, version=None) for event in events]
        with their_words():
            stream = stream_to_write(stream_id)
            expected = None if versionless else self._expected(stream, versioning, events)
            announced = _Announced(events)
            hooks = AppendHooks(_choose(events, self.filterer), announced)
            self.storage.with_hooks(hooks).insert_events(
                stream,
                values.NO_VERSIONING if expected is None else values.ExplicitVersioning(expected),
                [our_event(event, stream) for event in events],
            )
        self.dispatcher.dispatch(*announced.records)

    def save_snapshot(self, snapshot: RawEvent) -> None:
        """Save a snapshot of a stream, unless the stream has one of a higher version."""
        with their_words():
            stream = stream_to_write(snapshot.stream_id)
            self.storage.save_snapshot(our_event(snapshot, stream))

    def delete_stream(self, stream_id: StreamId) -> None:
        """Delete a stream and its snapshot; do nothing if the stream does not exist."""
        self.storage.delete_stream(stream_to_find(stream_id))

    @property
    def current_position(self) -> Position | None:
        """The last position in the log of all tenants; None if the log is empty."""
        return self.storage.current_position

    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return a storage for the streams of that tenant.

        Raises:
            IllegalTenantId: the tenant id is not text.
        """
        try:
            storage = self.storage.scoped_for_tenant(tenant_id)
        except InvalidStreamIdError as error:
            raise IllegalTenantId(str(error)) from error
        return replace(self, storage=storage)

    def _expected(
        self, stream: values.StreamId, versioning: Versioning, events: Sequence[RawEvent]
    ) -> int:
        """Return the version that the stream must have, which the events' own versions decide."""
        versions = [event.version for event in events]
        first = versions[0]
        if first is None or None in versions:
            raise ExpectedVersionUsedOnVersionlessStream(
                f"Stream {stream}: events have no version, but an expected version is given. "
                "Number them, or append them with NO_VERSIONING."
            )
        # 0 is their default and sets no condition: the events may have any versions.
        expected = versioning.expected_version or first - 1
        if expected < 0 or versions != list(range(expected + 1, expected + 1 + len(versions))):
            found = self.storage.fetch_events(stream, 1, 2)
            if found and found[0].version is None:
                raise ExpectedVersionUsedOnVersionlessStream(f"Stream {stream} has no versions.")
            raise ConcurrentStreamWriteError(
                f"Stream {stream}: the events must have consecutive versions from {expected + 1} "
                f"on, not {versions}. Nothing was written."
            )
        return expected


@dataclass(slots=True)
class _Announced:
    """The listener of one append.

    Attributes:
        events: the appended events, as objects of their classes.
        records: after the append, the same events with their positions.
    """

    events: Sequence[RawEvent]
    records: list[RecordedRaw] = field(default_factory=list)

    def __bool__(self) -> bool:
        return True

    def __call__(
        self,
        events: Sequence[values.RawEvent],
        tenant_id: TenantId,
        first_position: Position | None,
        generation: int,  # noqa: ARG002 - they know no generations
    ) -> None:
        positions = (
            [_NO_POSITION] * len(events)
            if first_position is None
            else range(first_position, first_position + len(events))
        )
        self.records = [
            RecordedRaw(entry=event, position=position, tenant_id=tenant_id)
            for event, position in zip(self.events, positions, strict=True)
        ]


def _choose(
    events: Sequence[RawEvent], filterer: OutboxFiltererStrategy | None
) -> Callable[[values.RawEvent], bool] | None:
    """Return a filter of ours that calls their filter with their events."""
    if filterer is None:
        return None
    chosen = {event.uuid for event in events if filterer(event)}
    return lambda event: event.uuid in chosen
