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
    from dynamo_es.event_store.past import PastVersion
    from dynamo_es.event_store.reading import E, Expected
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
        """Append events to a stream: all of them or none.

        Args:
            events: the events, in order; wrap one in `WrappedEvent` to choose its metadata.
            stream_id: the stream.
            expected_version: version that the stream must have; 0 (the default): it must not exist.
                The result of an append or of `EventStore.version`, or ``ExplicitVersioning`` with a
                generation, is also refused if the stream was deleted and created again since.
                ``ANY_VERSION``: append at the end. ``NO_VERSIONING``: to a stream without versions.
            transact_with: up to 99 writes to your own tables, in the form of boto3's
                ``TransactItems``; carried out with the events, or not at all.
            group: whether appends of this process that wait for the same stream become one commit:
                up to 25 appends a request. It needs ``ANY_VERSION``, and no ``transact_with``. An
                append that meets no other is sent at once.

        Returns:
            The version of the last event, with its generation. None: no events, or no versions.

        Raises:
            ConcurrentStreamWriteError: the stream has another version. Nothing was written.
            InvalidEventError: an event that would load with other values or types.
            EventDefinitionError: a class whose events another process could not load.
            AppendOutcomeUnknownError: the answer was lost. Append the same wrapped events again.
                With ``ANY_VERSION`` or ``NO_VERSIONING``, first look for them in the stream.
            ContentionError: with ``group``, the appends before it took more than ten seconds.
            InputError: ``group`` with an expected version or with ``transact_with``.

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
        """Append to several streams in one write: to all of them or to none.

        ``append_all({ann: [Sent(5)], bob: [Got(5)]}, expected={ann: 7, bob: 3},
        unchanged={rules: 2})``. What you decided from several streams is stored only if none of
        them has changed since you read them.

        Args:
            streams: the events of each stream, in order; one event or more.
            expected: version that each stream must have, as in `append`; a stream without an entry
                must not exist. `ANY_VERSION` is refused: you could not repeat the call safely.
            unchanged: versions of streams that the call does not write to, as in ``expected``. Each
                must have its version at the moment of the write; 0: it must not exist.
            transact_with: writes to your own tables, as in `append`. Streams, checks and writes are
                at most 100 together.

        Returns:
            The new version of each stream in ``streams``.

        Raises:
            AppendAllConflictError: streams have changed; its ``conflicts`` has the errors of one of
                them or more, with the events that were faster. Nothing was written. A call with
                one stream and nothing in ``unchanged`` raises `ConcurrentStreamWriteError`, as
                `append` does.
            InputError: a wrong argument, such as a stream in both mappings, or ``unchanged`` alone.
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
        """Return what `append` would be charged for these events, without a request.

        ``store.append_cost(Deposited(amount=5), stream_id=ann).write_units``. Arguments and
        errors are those of `append`. Encrypted fields count with the size of their ciphertext. In
        memory nothing is charged: the result counts the events, and its units are 0.
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
        """Append to many streams, each on its own, in few requests: for imports and fan-out.

        ``append_many({ann: [Opened()], bob: [Opened()]})``. Each stream gets all its events or
        none, as with `append`, but some streams may fail while others succeed. For all streams or
        none, see `append_all`.

        Args:
            streams: the events of each stream, in order.
            expected_version: version that each stream must have, as in `append`; or a mapping with
                the version of each stream, where a stream without an entry must not exist.

        Returns:
            The new version of each stream, as `append` returns it.

        Raises:
            AppendsFailedError: an append failed; its ``errors`` has the error of each stream, its
                ``stored`` the new versions of the others. To try again, append the failed events
                again, in the same `WrappedEvent` objects.
            InputError: a wrong argument; nothing was written.

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
        """Delete a stream with its snapshot; for errors see `StorageStrategy.delete_stream`."""
        await self._bridge.run(self._sync.delete_stream, stream_id)

    async def exists(
        self,
        stream_id: StreamId,
    ) -> bool:
        """Return whether a stream has any event, at the cost of `version`."""
        return await self._bridge.run(self._sync.exists, stream_id)

    async def generation_of(
        self,
        stream_id: StreamId,
    ) -> int | None:
        """Return the present generation of a stream; None: it has no events. Cost: 1 request."""
        return await self._bridge.run(self._sync.generation_of, stream_id)

    @property
    def groups(self) -> Groups:
        """Where grouped appends of this process wait for each other."""
        return self._sync.groups

    def is_consistent(
        self,
        asked: bool | None,
    ) -> bool:
        """Return whether a read must be consistent that asked for it, or left it to the default."""
        return self._sync.is_consistent(asked)

    def is_snapshot(
        self,
        raw: RawEvent,
    ) -> bool:
        """Return whether a stored event is of a `Snapshot` class."""
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
        """Yield the events of a stream one by one, however long it is.

        ``next(store.iter_stream(ann, newest_first=True, page_size=1))`` is the newest event. Memory
        holds two pages: while you work on one, a task reads the next. You get the stream as the
        first request finds it, which is sent when you ask for the first event; later appends are
        left out. You can stop at any time.

        Args:
            stream_id: the stream.
            start: first version, inclusive, 1-based. None: the newest snapshot and the events
                after it, as in `load_stream`.
            stop: version to stop before, exclusive. None: to the end.
            newest_first: begin with the last event of the range; it needs a ``start``.
            page_size: commits to read at a time, 1 or more; a page has at most 1 MB.
            events: as in `load_stream`.
            keep_unknown: as in `load_stream`.
            consistent: as in `load_stream`.

        Raises:
            StreamGapError: the stream was deleted while you were reading it. You have got its
                events up to there, and never those of a later generation.
            InputError: a page size that is not an integer of 1 or more; at the call.

        Other errors are those of `load_stream`, each in the place of its event. For the cost see
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
        """Return the events of `load_stream` in their stored form; `read` makes objects of them."""
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

        ``load_stream(ann, events=(Opened, Deposited))`` refuses events of other classes, and a
        type checker knows the classes of the rest.

        Args:
            stream_id: the stream.
            start: first version, inclusive, 1-based. None: the newest snapshot and the events
                after it; without one, from the first event.
            stop: version to stop before, exclusive. None: to the end.
            events: the class of the events, a tuple of classes, or a union. None: any class.
            keep_unknown: return an event whose name no class has as an `UnknownEvent`.
            consistent: whether the result has every append that was answered before the call.
                False: other processes' appends of the last second may be missing, at half the
                read units. None: as configured (``DynamoConfig.consistent_loads``).
            as_of: in place of ``stop``: leave out commits that were appended later; a moment with a
                time zone. The time of a commit is the latest ``created_at`` of its events. Such
                a load is consistent.

        Returns:
            The events; ``[]`` for a stream that does not exist. A snapshot is passed over if its
            class is gone or has another schema version now.

        Raises:
            UnknownEventError: no class has the name of an event.
            UnreadableEventError: an event does not fit its class, is not of a class in
                ``events``, or an upcaster failed.
            EventDefinitionError: ``events`` has something that is not an event class.
            InputError: ``as_of`` has no time zone, or is given with ``stop``.
            StreamGapError: with ``as_of``, also if the stream was deleted in the meantime.

        Other errors and the cost: see `StorageStrategy.fetch_events` and, for encrypted fields,
        `Encryption.decrypt`. A snapshot that is passed over costs one more load.
        ``as_of`` costs 2 requests more, and 1 for each halving of the stream's commits.
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
        """Return stored events as objects, such as ``ConcurrentStreamWriteError.winning``.

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
        await self._bridge.run(self._sync.save_snapshot, stream_id, snapshot, notes=notes)

    @property
    def tenant_id(self) -> TenantId:
        """The tenant whose streams these are."""
        return self._sync.tenant_id

    async def version(
        self,
        stream_id: StreamId,
    ) -> StoredVersion | None:
        """Return the version of a stream, 0 if it does not exist; None without versions.

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
        """Return a version that a stream has had, for `load_past`."""
        return await self._bridge.run(self._sync.version_at, stream_id, version)
