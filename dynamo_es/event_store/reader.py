"""`StreamReader`: the part of `EventStore` that loads and iterates typed events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, overload

from dynamo_es.contracts.checks.arguments import check_iteration, check_kind, check_stream
from dynamo_es.contracts.storage import PAGE_SIZE
from dynamo_es.event_store.expected_classes import check_classes, classes_of
from dynamo_es.event_store.past import version_as_of, version_at
from dynamo_es.exceptions import InputError, StreamGapError
from dynamo_es.grouping.groups import Groups
from dynamo_es.values import DEFAULT_TENANT, RawEvent
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from types import UnionType
    from uuid import UUID

    from dynamo_es.contracts import StorageStrategy
    from dynamo_es.event_store.event import Event
    from dynamo_es.event_store.expected_classes import E, Expected
    from dynamo_es.event_store.past import PastVersion
    from dynamo_es.event_store.serde import Serde
    from dynamo_es.event_store.wrapped import WrappedEvent
    from dynamo_es.values import StreamId, TenantId


class StreamReader:
    """Reads one tenant's typed events. A part of `EventStore`, which appends them too."""

    def __init__(
        self,
        storage: StorageStrategy,
        serde: Serde,
        tenant_id: TenantId = DEFAULT_TENANT,
        *,
        consistent: bool = True,
        groups: Groups | None = None,
    ) -> None:
        self._storage = storage
        self._serde = serde
        self._tenant_id = tenant_id
        self._consistent = consistent
        self._groups = Groups() if groups is None else groups

    @property
    def groups(self) -> Groups:
        """The queues in which grouped appends of this process wait for each other."""
        return self._groups

    @property
    def tenant_id(self) -> TenantId:
        """The tenant of the streams."""
        return self._tenant_id

    @overload
    def load_stream(
        self,
        stream_id: StreamId,
        start: int | None = None,
        stop: int | None = None,
        *,
        events: None = None,
        keep_unknown: bool = False,
        consistent: bool | None = None,
        as_of: datetime | None = None,
    ) -> list[WrappedEvent[Any]]: ...
    @overload
    def load_stream(
        self,
        stream_id: StreamId,
        start: int | None = None,
        stop: int | None = None,
        *,
        events: Expected[E],
        consistent: bool | None = None,
        as_of: datetime | None = None,
    ) -> list[WrappedEvent[E]]: ...
    def load_stream(  # noqa: PLR0913 - options, each by its name
        self,
        stream_id: StreamId,
        start: int | None = None,
        stop: int | None = None,
        *,
        events: UnionType | Expected[Any] | None = None,
        keep_unknown: bool = False,
        consistent: bool | None = None,
        as_of: datetime | None = None,
    ) -> list[WrappedEvent[Any]]:
        """Return the events of a stream, in the order of their versions.

        ``load_stream(ann, events=(Opened, Deposited))`` refuses events of other classes, and type
        checkers know the classes of the result.

        Args:
            stream_id: the stream.
            start: first version, inclusive, 1-based. None: the newest snapshot and the events after
                it; all events if there is no snapshot.
            stop: version to stop before, exclusive. None: read to the end.
            events: the class of the events, a tuple of classes, or a union. None: any class.
            keep_unknown: whether to return an `UnknownEvent` for an event whose name no class has.
            consistent: whether the result includes every append that succeeded before the call.
                False: the load costs half, but other processes' appends of the last second may be
                missing. None: as configured (``DynamoConfig.consistent_loads``).
            as_of: a datetime with a time zone, in place of ``stop``: leave out commits that were
                appended later. The time of a commit is the latest ``created_at`` of its events.
                Such a load is consistent.

        Returns:
            The events; ``[]`` if the stream does not exist. If the class of the snapshot is gone or
            has another schema version, you get all events instead.

        Raises:
            UnknownEventError: no class has the name of an event.
            UnreadableEventError: an event does not fit its class, its class is not in ``events``,
                or an upcaster failed.
            EventDefinitionError: an entry of ``events`` is not an event class.
            InputError: ``as_of`` has no time zone, or is given with ``stop``.
            StreamGapError: with ``as_of``, also if the stream was deleted in the meantime.

        Other errors and the cost: see `StorageStrategy.fetch_events` and, for encrypted fields,
        `Encryption.decrypt`. A snapshot that cannot be used costs one more load. ``as_of`` costs 2
        requests more, and 1 for each step of a binary search among the commits.
        """
        classes = None if events is None else classes_of(events)
        consistent = self.is_consistent(consistent)
        if as_of is None:
            raws = self.load_raw(stream_id, start, stop, consistent=consistent)
        elif stop is None:
            raws = self.load_past(stream_id, self.version_as_of(stream_id, as_of), start)
        else:
            raise InputError("Give load_stream a stop or as_of, not both.")
        found = self._serde.deserialize_all(raws, keep_unknown=keep_unknown)
        if classes is not None:
            check_classes(found, classes, stream_id)
        return found

    @overload
    def iter_stream(
        self,
        stream_id: StreamId,
        start: int | None = 1,
        stop: int | None = None,
        *,
        newest_first: bool = False,
        page_size: int = PAGE_SIZE,
        events: None = None,
        keep_unknown: bool = False,
        consistent: bool | None = None,
    ) -> Iterator[WrappedEvent[Any]]: ...
    @overload
    def iter_stream(
        self,
        stream_id: StreamId,
        start: int | None = 1,
        stop: int | None = None,
        *,
        newest_first: bool = False,
        page_size: int = PAGE_SIZE,
        events: Expected[E],
        consistent: bool | None = None,
    ) -> Iterator[WrappedEvent[E]]: ...
    def iter_stream(  # noqa: PLR0913 - options, each by its name
        self,
        stream_id: StreamId,
        start: int | None = 1,
        stop: int | None = None,
        *,
        newest_first: bool = False,
        page_size: int = PAGE_SIZE,
        events: UnionType | Expected[Any] | None = None,
        keep_unknown: bool = False,
        consistent: bool | None = None,
    ) -> Iterator[WrappedEvent[Any]]:
        """Yield the events of a stream one by one, from a stream of any length.

        ``next(store.iter_stream(ann, newest_first=True, page_size=1))`` is the newest event. Memory
        holds two pages: while you work on one, a thread reads the next. The first request is sent
        when you ask for the first event; appends after that request are left out. You can stop at
        any time.

        Args:
            stream_id: the stream.
            start: first version, inclusive, 1-based. None: the newest snapshot and the events
                after it, as in `load_stream`.
            stop: version to stop before, exclusive. None: read to the end.
            newest_first: begin with the last event of the range; it needs a ``start``.
            page_size: commits to read at a time, 1 or more; a page has at most 1 MB.
            events: as in `load_stream`.
            keep_unknown: as in `load_stream`.
            consistent: as in `load_stream`.

        Raises:
            StreamGapError: the stream was deleted while you were reading it. You got its events up
                to there, and none of a later generation.
            InputError: the page size is not an integer of 1 or more. Raised by the call itself.

        Other errors are those of `load_stream`, each raised when its event comes. For the cost see
        `StorageStrategy.iter_events`.
        """
        check_stream(stream_id)
        check_iteration(start, stop, page_size, newest_first=newest_first)
        classes = None if events is None else classes_of(events)
        options: dict[str, Any] = {"newest_first": newest_first, "page_size": page_size}
        if not self.is_consistent(consistent):
            options["consistent"] = False
        raws = self._storage.iter_events(stream_id, start, stop, **options)
        if start is None:
            whole = self._storage.iter_events(stream_id, 1, stop, **options)
            raws = self._without_outdated(raws, whole)
        return self._one_by_one(raws, classes, keep_unknown=keep_unknown)

    def _without_outdated(
        self, raws: Iterator[RawEvent], whole: Iterator[RawEvent]
    ) -> Iterator[RawEvent]:
        """Yield the whole stream instead if its snapshot cannot be used."""
        first = next(raws, None)
        if first is None:
            return
        if self._serde.is_outdated_snapshot(first):
            yield from whole
        else:
            yield first
            yield from raws

    def _one_by_one(
        self,
        raws: Iterable[RawEvent],
        classes: tuple[type[Event], ...] | None,
        *,
        keep_unknown: bool,
    ) -> Iterator[WrappedEvent[Any]]:
        for raw in raws:
            wrapped = self._serde.deserialize(raw, keep_unknown=keep_unknown)
            if classes is not None:
                check_classes([wrapped], classes, raw.stream_id)
            yield wrapped

    def is_consistent(self, asked: bool | None) -> bool:  # noqa: FBT001 - None: the default
        """Return whether a read must be consistent; ``asked`` is the caller's argument."""
        if asked is not None and type(asked) is not bool:
            raise InputError(f"consistent must be True, False or None, not {shown(asked)}.")
        return self._consistent if asked is None else asked

    def load_raw(
        self,
        stream_id: StreamId,
        start: int | None = None,
        stop: int | None = None,
        *,
        consistent: bool = True,
    ) -> list[RawEvent]:
        """Return the events of `load_stream` in their stored form, for `read`."""
        options = {} if consistent else {"consistent": False}
        raws = self._storage.fetch_events(stream_id, start, stop, **options)
        if start is None and raws and self._serde.is_outdated_snapshot(raws[0]):
            raws = self._storage.fetch_events(stream_id, 1, stop, **options)
        return raws

    def version_as_of(self, stream_id: StreamId, moment: datetime) -> PastVersion:
        """Return the version that a stream had at a moment, for `load_past`."""
        return version_as_of(self._storage, stream_id, moment)

    def version_at(self, stream_id: StreamId, version: int) -> PastVersion:
        """Check that a stream had a version, and return it for `load_past`."""
        return version_at(self._storage, stream_id, version)

    def load_past(
        self, stream_id: StreamId, past: PastVersion, start: int | None = None
    ) -> list[RawEvent]:
        """Return the events up to a past version, in their stored form.

        A snapshot of a later version is not used.

        Raises:
            StreamGapError: the stream was deleted in the meantime.
        """
        from dynamo_es.event_store.past import PastVersion

        check_kind("past", past, PastVersion)
        if not past.version:
            return []
        raws = self.load_raw(stream_id, start, past.version + 1)
        found = raws[-1].generation if raws else 0
        if found != past.generation and (start or 1) <= past.version:
            raise StreamGapError(stream_id, past.version)
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
        """Return a range of a stream, with objects only for events that have one of some names.

        Args:
            stream_id: the stream.
            start: first version, inclusive, 1-based.
            stop: version to stop before, exclusive.
            names: names of the events to return as objects; None: all. Other events need no class.
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

    def generation_of(self, stream_id: StreamId) -> int | None:
        """Return the present generation of a stream; None if it has no events. Cost: 1 request."""
        head = self._storage.head(stream_id)
        return None if head is None else head.generation

    def read(self, raws: Iterable[RawEvent]) -> list[WrappedEvent[Any]]:
        """Return stored events, such as ``ConcurrentStreamWriteError.winning``, as objects.

        Each call makes new objects. Errors are those of `load_stream`.
        """
        check_kind("raws", raws, Iterable)
        raws = list(raws)
        for raw in raws:
            check_kind("Each of raws", raw, RawEvent)
        return self._serde.deserialize_all(raws)
