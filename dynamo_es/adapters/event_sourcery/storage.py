"""Streams of raw events: their `StorageStrategy`, on ours."""

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
"""Told to listeners of an event that has no position yet: below every position."""


@dataclass(frozen=True, slots=True)
class DynamoDBStorageStrategy(StorageStrategy):
    """Streams of one tenant.

    Attributes:
        storage: ours, of the same tenant.
        dispatcher: tells the listeners of what was appended.
        filterer: chooses events for the outbox; None: there is none.
    """

    storage: DynamoStorage
    dispatcher: Dispatcher
    filterer: OutboxFiltererStrategy | None

    def fetch_events(
        self, stream_id: StreamId, start: int | None = None, stop: int | None = None
    ) -> list[RawEvent]:
        """Return events from version ``start``, inclusive, to ``stop``, exclusive.

        Without a start, those from the newest snapshot on, and that first; with one, events only.
        """
        if start is not None:
            start = max(start, 1)
        if stop is not None and stop < 1:
            return []
        return their_events(self.storage.fetch_events(stream_to_find(stream_id), start, stop))

    def insert_events(
        self, stream_id: StreamId, versioning: Versioning, events: list[RawEvent]
    ) -> None:
        """Append events, all or none, and tell the listeners of them.

        What a listener raises comes out of here; the events are stored for good then.

        Raises:
            AnotherStreamWithThisNameButOtherIdExists: the UUID is not the one of the name.
            ExpectedVersionUsedOnVersionlessStream: versions on a stream without them, or the
                reverse: events without a version, though one is expected.
            NoExpectedVersionGivenOnVersionedStream: no versions on a stream with them.
            ConcurrentStreamWriteError: the stream is not at the version before that of the first
                event, or the versions do not follow each other from the expected one.
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
        """Keep a snapshot of a stream, unless there is one of a higher version."""
        with their_words():
            stream = stream_to_write(snapshot.stream_id)
            self.storage.save_snapshot(our_event(snapshot, stream))

    def delete_stream(self, stream_id: StreamId) -> None:
        """Delete this tenant's stream with its snapshot; nothing happens if there is none."""
        self.storage.delete_stream(stream_to_find(stream_id))

    @property
    def current_position(self) -> Position | None:
        """The last position in the log of all tenants; None when none was given."""
        return self.storage.current_position

    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return a storage of that tenant.

        Raises:
            IllegalTenantId: it is not text.
        """
        try:
            storage = self.storage.scoped_for_tenant(tenant_id)
        except InvalidStreamIdError as error:
            raise IllegalTenantId(str(error)) from error
        return replace(self, storage=storage)

    def _expected(
        self, stream: values.StreamId, versioning: Versioning, events: Sequence[RawEvent]
    ) -> int:
        """Return the version that the stream has to be at: the events' own versions decide."""
        versions = [event.version for event in events]
        first = versions[0]
        if first is None or None in versions:
            raise ExpectedVersionUsedOnVersionlessStream(
                f"Stream {stream}: events without a version, though one is expected of it. "
                "Number them, or append them with NO_VERSIONING."
            )
        # 0 is their default, and says nothing: the events may be those of any version.
        expected = versioning.expected_version or first - 1
        if expected < 0 or versions != list(range(expected + 1, expected + 1 + len(versions))):
            found = self.storage.fetch_events(stream, 1, 2)
            if found and found[0].version is None:
                raise ExpectedVersionUsedOnVersionlessStream(f"Stream {stream} has no versions.")
            raise ConcurrentStreamWriteError(
                f"Stream {stream}: the events have the versions {versions}, which do not follow "
                f"each other from {expected + 1} on. Nothing was written."
            )
        return expected


@dataclass(slots=True)
class _Announced:
    """Hears of the one append that it is made for.

    Attributes:
        events: what is appended, as theirs.
        records: the same, with positions, when it is done.
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
    """Return a filter of ours that asks theirs, about their events."""
    if filterer is None:
        return None
    chosen = {event.uuid for event in events if filterer(event)}
    return lambda event: event.uuid in chosen
