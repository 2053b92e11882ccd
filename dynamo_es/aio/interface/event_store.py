"""`AsyncEventStore`: scripts/async-interface writes it, from `EventStore`."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from dynamo_es.aio.base import Over
from dynamo_es.contracts.storage import PAGE_SIZE
from dynamo_es.event_store.appends import NO_VERSIONS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Iterable, Mapping, Sequence
    from datetime import datetime
    from types import UnionType
    from typing import Any
    from uuid import UUID

    from dynamo_es.contracts import AppendCost, EnlistedWrite
    from dynamo_es.event_store.event import Event
    from dynamo_es.event_store.expected_classes import E, Expected
    from dynamo_es.event_store.past import PastVersion
    from dynamo_es.event_store.store import EventStore
    from dynamo_es.event_store.wrapped import WrappedEvent
    from dynamo_es.grouping.groups import Groups
    from dynamo_es.values import (
        ExplicitVersioning,
        Position,
        RawEvent,
        StoredVersion,
        StreamId,
        TenantId,
        Versioning,
    )


class AsyncEventStore(Over):
    """Appends and loads one tenant's typed events; see `EventStore`."""

    _sync: EventStore

    async def append(
        self,
        *events: Event | WrappedEvent[Any],
        stream_id: StreamId,
        expected_version: int | Versioning = 0,
        transact_with: Sequence[EnlistedWrite] = (),
        group: bool = False,
    ) -> StoredVersion | None:
        """Append events to a stream: all or none.

        Args:
            events: the events, in order; wrap one in `WrappedEvent` to choose its metadata.
            stream_id: the stream.
            expected_version: version that the stream must have; 0 (the default): it must not exist.
                With the result of an append or of `EventStore.version`, or with an
                ``ExplicitVersioning`` that has a generation, the append is also refused if the
                stream was deleted and created again since. ``ANY_VERSION``: append at the end.
                ``NO_VERSIONING``: append to a stream without versions.
            transact_with: up to 99 writes to your own tables, in the form of boto3's
                ``TransactItems``; carried out with the events, or not at all.
            group: whether to put appends of this process that wait for the same stream into one
                commit, up to 25 appends in a request. It needs ``ANY_VERSION``, and no
                ``transact_with``. If no other append is on its way, this one is sent at once.

        Returns:
            The version of the last event, with its generation. None if there are no events, or the
            stream has no versions.

        Raises:
            ConcurrentStreamWriteError: the stream has another version. Nothing was written.
            InvalidEventError: an event would load with other values or types.
            EventDefinitionError: another process could not load events of this class.
            AppendOutcomeUnknownError: the answer was lost. Append the same wrapped events again.
                With ``ANY_VERSION`` or ``NO_VERSIONING``, first look for them in the stream.
            ContentionError: with ``group``, the appends before it took more than ten seconds.
            InputError: ``group`` comes with an expected version or with ``transact_with``.

        Other errors, and the cost: see `StorageStrategy.insert_events` and `Encryption.encrypt`.
        """
        return await self._bridge.run(
            self._sync.append,
            *events,
            stream_id=stream_id,
            expected_version=expected_version,
            transact_with=transact_with,
            group=group,
        )

    async def append_all(
        self,
        streams: Mapping[StreamId, Sequence[Event | WrappedEvent[Any]]],
        *,
        expected: Mapping[StreamId, int | Versioning] = NO_VERSIONS,
        unchanged: Mapping[StreamId, int | ExplicitVersioning] = NO_VERSIONS,
        transact_with: Sequence[EnlistedWrite] = (),
    ) -> dict[StreamId, StoredVersion]:
        """Append to several streams in one write: to all or to none.

        ``append_all({ann: [Sent(5)], bob: [Got(5)]}, expected={ann: 7, bob: 3}, unchanged={rules:
        2})``. A decision that you based on several streams is stored only if none of them has
        changed since you read it.

        Args:
            streams: the events of each stream, in order; one event or more.
            expected: version that each stream must have, as in `append`; a stream without an entry
                must not exist. `ANY_VERSION` is refused: you could not repeat the call safely.
            unchanged: version that each of these other streams must have when the call writes; 0:
                the stream must not exist. The call does not write to them.
            transact_with: writes to your own tables, as in `append`. Streams, checks and writes are
                at most 100 together.

        Returns:
            The new version of each stream in ``streams``.

        Raises:
            AppendAllConflictError: one or more streams have changed. Its ``conflicts`` has the
                error of at least one of them, with the events of the faster writer. Nothing was
                written. A call with one stream and nothing in ``unchanged`` raises
                `ConcurrentStreamWriteError` instead, as `append` does.
            InputError: an argument is wrong, such as a stream in both mappings, or ``unchanged``
                without ``streams``.
            AppendOutcomeUnknownError: the answer was lost. Append the same wrapped events again.

        Other errors, and the cost: see `StorageStrategy.insert_all`.
        """
        return await self._bridge.run(
            self._sync.append_all,
            streams,
            expected=expected,
            unchanged=unchanged,
            transact_with=transact_with,
        )

    async def append_cost(
        self,
        *events: Event | WrappedEvent[Any],
        stream_id: StreamId,
        expected_version: int | Versioning = 0,
    ) -> AppendCost:
        """Return what `append` would cost for these events, without a request.

        ``store.append_cost(Deposited(amount=5), stream_id=ann).write_units``. Arguments and errors
        are those of `append`. Encrypted fields count with the size of their ciphertext. In memory,
        nothing is charged: the result has the number of events, and 0 units.
        """
        return await self._bridge.run(
            self._sync.append_cost, *events, stream_id=stream_id, expected_version=expected_version
        )

    async def append_many(
        self,
        streams: Mapping[StreamId, Sequence[Event | WrappedEvent[Any]]],
        *,
        expected_version: int | Versioning | Mapping[StreamId, int | Versioning] = 0,
    ) -> dict[StreamId, StoredVersion | None]:
        """Append to many streams, each on its own, in few requests, such as for an import.

        ``append_many({ann: [Opened()], bob: [Opened()]})``. Each stream gets all its events or
        none, but some streams may fail while others succeed. To append to all streams or none, use
        `append_all`.

        Args:
            streams: the events of each stream, in order.
            expected_version: version that each stream must have, as in `append`; or a mapping with
                the version of each stream. A stream without an entry must not exist.

        Returns:
            The new version of each stream, as `append` returns it.

        Raises:
            AppendsFailedError: an append failed; its ``errors`` has the error of each stream, its
                ``stored`` the new versions of the others. To try again, append the failed events
                again, in the same `WrappedEvent` objects.
            InputError: an argument is wrong; nothing was written.

        Other errors: those of the events themselves, as in `append`; then nothing was written. Cost
        on DynamoDB: see `StorageStrategy.insert_many`.
        """
        return await self._bridge.run(
            self._sync.append_many, streams, expected_version=expected_version
        )

    async def delete_stream(
        self,
        stream_id: StreamId,
    ) -> None:
        """Delete a stream and its snapshot. Errors, cost: see `StorageStrategy.delete_stream`."""
        await self._bridge.run(self._sync.delete_stream, stream_id)

    async def exists(
        self,
        stream_id: StreamId,
    ) -> bool:
        """Return whether a stream has events. It costs as much as `version`."""
        return await self._bridge.run(self._sync.exists, stream_id)

    async def generation_of(
        self,
        stream_id: StreamId,
    ) -> int | None:
        """Return the present generation of a stream; None if it has no events. Cost: 1 request."""
        return await self._bridge.run(self._sync.generation_of, stream_id)

    @property
    def groups(self) -> Groups:
        """The queues in which grouped appends of this process wait for each other."""
        return self._sync.groups

    def is_consistent(
        self,
        asked: bool | None,
    ) -> bool:
        """Return whether a read must be consistent; ``asked`` is the caller's argument."""
        return self._sync.is_consistent(asked)

    def is_snapshot(
        self,
        raw: RawEvent,
    ) -> bool:
        """Return whether the class of a stored event is a `Snapshot` class."""
        return self._sync.is_snapshot(raw)

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
    ) -> AsyncGenerator[WrappedEvent[Any]]: ...

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
    ) -> AsyncGenerator[WrappedEvent[E]]: ...

    def iter_stream(  # noqa: PLR0913
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
    ) -> AsyncGenerator[WrappedEvent[Any]]:
        """Yield the events of a stream one by one, from a stream of any length.

        ``next(store.iter_stream(ann, newest_first=True, page_size=1))`` is the newest event. Memory
        holds two pages: while you work on one, a task reads the next. The first request is sent
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
        call: Any = self._sync.iter_stream
        return self._bridge.iterate(
            call(
                stream_id,
                start,
                stop,
                newest_first=newest_first,
                page_size=page_size,
                events=events,
                keep_unknown=keep_unknown,
                consistent=consistent,
            )
        )

    async def load_chosen(
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
        return await self._bridge.run(
            self._sync.load_chosen, stream_id, start, stop, names, keep_unknown=keep_unknown
        )

    async def load_past(
        self,
        stream_id: StreamId,
        past: PastVersion,
        start: int | None = None,
    ) -> list[RawEvent]:
        """Return the events up to a past version, in their stored form.

        A snapshot of a later version is not used.

        Raises:
            StreamGapError: the stream was deleted in the meantime.
        """
        return await self._bridge.run(self._sync.load_past, stream_id, past, start)

    async def load_raw(
        self,
        stream_id: StreamId,
        start: int | None = None,
        stop: int | None = None,
        *,
        consistent: bool = True,
    ) -> list[RawEvent]:
        """Return the events of `load_stream` in their stored form, for `read`."""
        return await self._bridge.run(
            self._sync.load_raw, stream_id, start, stop, consistent=consistent
        )

    @overload
    async def load_stream(
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
    async def load_stream(
        self,
        stream_id: StreamId,
        start: int | None = None,
        stop: int | None = None,
        *,
        events: Expected[E],
        consistent: bool | None = None,
        as_of: datetime | None = None,
    ) -> list[WrappedEvent[E]]: ...

    async def load_stream(  # noqa: PLR0913
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
        call: Any = self._sync.load_stream
        return await self._bridge.run(
            call,
            stream_id,
            start,
            stop,
            events=events,
            keep_unknown=keep_unknown,
            consistent=consistent,
            as_of=as_of,
        )

    @property
    def position(self) -> Coroutine[Any, Any, Position | None]:
        """The last position in the log of all tenants; None if the log is empty."""
        return self._bridge.run(lambda: self._sync.position)

    async def read(
        self,
        raws: Iterable[RawEvent],
    ) -> list[WrappedEvent[Any]]:
        """Return stored events, such as ``ConcurrentStreamWriteError.winning``, as objects.

        Each call makes new objects. Errors are those of `load_stream`.
        """
        return await self._bridge.run(self._sync.read, raws)

    async def save_snapshot(
        self,
        stream_id: StreamId,
        snapshot: WrappedEvent[Any],
        *,
        notes: dict[str, Any] | None = None,
    ) -> None:
        """Save a snapshot of a stream at a version. An older one never replaces a newer one.

        Args:
            stream_id: the stream.
            snapshot: an event, usually a `Snapshot`, wrapped with the version of the stream that it
                is the state of and, if known, the generation. A snapshot of an earlier generation
                is dropped.
            notes: the library's own entries for the stored context; their names begin with ``$``.

        Raises:
            SnapshotAheadOfStreamError: the stream has not reached that version.
            InvalidEventError: the snapshot has no version, or would load with other values.

        Other errors and the cost: see `StorageStrategy.save_snapshot`.
        """
        await self._bridge.run(self._sync.save_snapshot, stream_id, snapshot, notes=notes)

    @property
    def tenant_id(self) -> TenantId:
        """The tenant of the streams."""
        return self._sync.tenant_id

    async def version(
        self,
        stream_id: StreamId,
    ) -> StoredVersion | None:
        """Return the version of a stream: 0 if it does not exist, None if it has no versions.

        Cost on DynamoDB: 1 request, however long the stream is; see `StorageStrategy.head`.
        """
        return await self._bridge.run(self._sync.version, stream_id)

    async def version_as_of(
        self,
        stream_id: StreamId,
        moment: datetime,
    ) -> PastVersion:
        """Return the version that a stream had at a moment, for `load_past`."""
        return await self._bridge.run(self._sync.version_as_of, stream_id, moment)

    async def version_at(
        self,
        stream_id: StreamId,
        version: int,
    ) -> PastVersion:
        """Check that a stream had a version, and return it for `load_past`."""
        return await self._bridge.run(self._sync.version_at, stream_id, version)
