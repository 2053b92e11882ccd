"""`EventStore`: appends and loads typed events; applications use this store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, overload

from dynamo_es.contracts.checks import check_count, check_kind, check_range, check_stream
from dynamo_es.event_store.appends import Appends
from dynamo_es.event_store.reading import (
    PAGE_SIZE,
    check_classes,
    classes_of,
    pages_backward,
    pages_forward,
)
from dynamo_es.event_store.wrapped import WrappedEvent
from dynamo_es.exceptions import InvalidRangeError
from dynamo_es.values import RawEvent, StoredVersion

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import UnionType
    from uuid import UUID

    from dynamo_es.event_store.event import Event
    from dynamo_es.event_store.reading import E, Expected
    from dynamo_es.values import Position, StreamId, TenantId


class EventStore(Appends):
    """Appends and loads one tenant's typed events. A backend makes it; threads can share it.

    Args:
        storage: the storage of the events.
        serde: turns events into JSON and back.
        tenant_id: the tenant of the streams.
    """

    @property
    def tenant_id(self) -> TenantId:
        """The tenant whose streams these are."""
        return self._tenant_id

    def version(self, stream_id: StreamId) -> StoredVersion | None:
        """Return the version of a stream, 0 if it does not exist; None without versions.

        Cost on DynamoDB: 1 request, however long the stream is; see `StorageStrategy.head`.
        """
        check_stream(stream_id)
        head = self._storage.head(stream_id)
        if head is None:
            return StoredVersion(0, 0)
        return StoredVersion(head.length, head.generation) if head.versioned else None

    def exists(self, stream_id: StreamId) -> bool:
        """Return whether a stream has any event, at the cost of `version`."""
        check_stream(stream_id)
        return self._storage.head(stream_id) is not None

    @overload
    def load_stream(
        self,
        stream_id: StreamId,
        start: int | None = None,
        stop: int | None = None,
        *,
        events: None = None,
        keep_unknown: bool = False,
    ) -> list[WrappedEvent[Any]]: ...
    @overload
    def load_stream(
        self,
        stream_id: StreamId,
        start: int | None = None,
        stop: int | None = None,
        *,
        events: Expected[E],
    ) -> list[WrappedEvent[E]]: ...
    def load_stream(
        self,
        stream_id: StreamId,
        start: int | None = None,
        stop: int | None = None,
        *,
        events: UnionType | Expected[Any] | None = None,
        keep_unknown: bool = False,
    ) -> list[WrappedEvent[Any]]:
        """Return the events of a stream, in the order of their versions.

        ``load_stream(ann, events=(Opened, Deposited))`` refuses events of other classes, and a
        type checker knows the classes of the rest.

        Args:
            stream_id: the stream.
            start: first version, inclusive, 1-based. None: the newest snapshot and the events
                after it; without one, from the first event.
            stop: version to stop before, exclusive. None: to the end.
            events: the class of the events, a tuple of classes, or a union. None: any class.
            keep_unknown: return an event whose name no class has as an `UnknownEvent`.

        Returns:
            The events; ``[]`` for a stream that does not exist. A snapshot is passed over if its
            class is gone or has another schema version now.

        Raises:
            UnknownEventError: no class has the name of an event.
            UnreadableEventError: an event does not fit its class, is not of a class in
                ``events``, or an upcaster failed.
            EventDefinitionError: ``events`` has something that is not an event class.

        Other errors and the cost: see `StorageStrategy.fetch_events` and, for encrypted fields,
        `Encryption.decrypt`. A snapshot that is passed over costs one more load.
        """
        classes = None if events is None else classes_of(events)
        raws = self.load_raw(stream_id, start, stop)
        return self._objects(raws, classes, keep_unknown=keep_unknown)

    @overload
    def iter_stream(
        self,
        stream_id: StreamId,
        start: int = 1,
        stop: int | None = None,
        *,
        newest_first: bool = False,
        page_size: int = PAGE_SIZE,
        events: None = None,
        keep_unknown: bool = False,
    ) -> Iterator[WrappedEvent[Any]]: ...
    @overload
    def iter_stream(
        self,
        stream_id: StreamId,
        start: int = 1,
        stop: int | None = None,
        *,
        newest_first: bool = False,
        page_size: int = PAGE_SIZE,
        events: Expected[E],
    ) -> Iterator[WrappedEvent[E]]: ...
    def iter_stream(  # noqa: PLR0913 - options, each by its name
        self,
        stream_id: StreamId,
        start: int = 1,
        stop: int | None = None,
        *,
        newest_first: bool = False,
        page_size: int = PAGE_SIZE,
        events: UnionType | Expected[Any] | None = None,
        keep_unknown: bool = False,
    ) -> Iterator[WrappedEvent[Any]]:
        """Yield the events of a stream one by one; read each page when you get to it.

        ``next(store.iter_stream(ann, newest_first=True, page_size=1))`` is the newest event. Memory
        holds one page. Snapshots are left out.

        Args:
            stream_id: the stream.
            start: first version, inclusive, 1-based.
            stop: version to stop before, exclusive. None: to the end.
            newest_first: begin with the last event of the range. Events that are appended while
                you read are left out.
            page_size: events read at a time, 1 or more.
            events: as in `load_stream`.
            keep_unknown: as in `load_stream`.

        Raises:
            StreamGapError: the stream was deleted while you were reading it.
            InputError: a page size that is not an integer of 1 or more.

        Other errors: see `load_stream`. The first request is sent when you ask for the first event.

        Cost on DynamoDB: at most 2 requests a page, and 1 more per MB; newest first, 1 request
        more at the beginning. A commit on the edge of two pages is read twice.
        """
        check_stream(stream_id)
        check_range(start, stop)
        if start is None:
            raise InvalidRangeError("start must be a version of 1 or more, not None.")
        check_count("page_size", page_size)
        classes = None if events is None else classes_of(events)
        read = pages_backward if newest_first else pages_forward
        return (
            wrapped
            for page in read(self._storage, stream_id, start, stop, page_size)
            for wrapped in self._objects(page, classes, keep_unknown=keep_unknown)
        )

    def _objects(
        self, raws: list[RawEvent], classes: tuple[type[Event], ...] | None, *, keep_unknown: bool
    ) -> list[WrappedEvent[Any]]:
        found = self._serde.deserialize_all(raws, keep_unknown=keep_unknown)
        if classes is not None and found:
            check_classes(found, classes, raws[0].stream_id)
        return found

    def load_raw(
        self, stream_id: StreamId, start: int | None = None, stop: int | None = None
    ) -> list[RawEvent]:
        """Return the events of `load_stream` in their stored form; `read` makes objects of them."""
        raws = self._storage.fetch_events(stream_id, start, stop)
        if start is None and raws and self._serde.is_outdated_snapshot(raws[0]):
            raws = self._storage.fetch_events(stream_id, 1, stop)
        return raws

    def load_chosen(
        self,
        stream_id: StreamId,
        start: int,
        stop: int,
        names: frozenset[str] | None,
        *,
        keep_unknown: bool = False,
    ) -> list[tuple[UUID, WrappedEvent[Any] | None]]:
        """Return a range of a stream, with objects for the events of some names only.

        Args:
            stream_id: the stream.
            start: first version, inclusive, 1-based.
            stop: version to stop before, exclusive.
            names: names of the events to make objects of; None: all. The others need no class.
            keep_unknown: as in `load_stream`.

        Returns:
            The uuid of each event, and the event; None in place of an event that was not chosen.

        Errors and cost are those of `load_stream`.
        """
        raws = self._storage.fetch_events(stream_id, start, stop)
        chosen = [raw for raw in raws if names is None or raw.name in names]
        read = iter(self._serde.deserialize_all(chosen, keep_unknown=keep_unknown))
        return [
            (raw.uuid, next(read) if names is None or raw.name in names else None) for raw in raws
        ]

    def read(self, raws: Iterable[RawEvent]) -> list[WrappedEvent[Any]]:
        """Return stored events as objects, such as ``ConcurrentStreamWriteError.winning``.

        Each call makes new objects. Errors are those of `load_stream`.
        """
        check_kind("raws", raws, Iterable)
        raws = list(raws)
        for raw in raws:
            check_kind("Each of raws", raw, RawEvent)
        return self._serde.deserialize_all(raws)

    def save_snapshot(
        self,
        stream_id: StreamId,
        snapshot: WrappedEvent[Any],
        *,
        notes: dict[str, Any] | None = None,
    ) -> None:
        """Save the snapshot of a stream at a version; an older one never replaces a newer one.

        Args:
            stream_id: the stream.
            snapshot: an event, usually a `Snapshot`, wrapped with the stream's version that it
                stands for and, if known, the generation. A snapshot of an earlier generation is
                dropped.
            notes: the library's own entries for the stored context; their names begin with ``$``.

        Raises:
            SnapshotAheadOfStreamError: the stream has not reached that version.
            InvalidEventError: a snapshot without a version, or that would load with other values.

        Other errors and the cost: see `StorageStrategy.save_snapshot`.
        """
        check_kind("snapshot", snapshot, WrappedEvent)
        raw = self._serde.serialize(snapshot, stream_id)
        if notes:
            raw = replace(raw, context=raw.context | notes)
        self._storage.save_snapshot(raw)

    def is_snapshot(self, raw: RawEvent) -> bool:
        """Return whether a stored event is of a `Snapshot` class."""
        check_kind("raw", raw, RawEvent)
        kind = self._serde.registry.kind_named(raw.name)
        return kind is not None and kind.is_snapshot

    def delete_stream(self, stream_id: StreamId) -> None:
        """Delete a stream with its snapshot; for errors see `StorageStrategy.delete_stream`."""
        self._storage.delete_stream(stream_id)

    @property
    def position(self) -> Position | None:
        """The last position in the log of all tenants; None if the log is empty."""
        return self._storage.current_position
