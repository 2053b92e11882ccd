"""`MemoryStorage`: streams in memory, as simple as the contract allows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Self
from uuid import UUID

from dynamo_es.contracts import (
    ANOTHER_GENERATION,
    STORED_IN_ONE_STREAM,
    AppendCost,
    AppendHooks,
    StorageStrategy,
    StreamAppend,
    StreamHead,
)
from dynamo_es.contracts.checks import (
    check_iteration,
    check_range,
    check_stream,
    check_tenant,
)
from dynamo_es.contracts.event_checks import (
    check_append,
    check_appends,
    check_many,
    check_snapshot,
)
from dynamo_es.contracts.storage import PAGE_SIZE
from dynamo_es.contracts.stream_keys import check_names, stream_key, tenant_prefix
from dynamo_es.exceptions import (
    ConcurrentStreamWriteError,
    ExpectedVersionUsedOnVersionlessStream,
    InvalidEnlistedWriteError,
    NoExpectedVersionGivenOnVersionedStream,
    SnapshotAheadOfStreamError,
)
from dynamo_es.memory.boundaries import BoundaryAppends
from dynamo_es.memory.data import Data, LogEntry, StoredStream, copy_event
from dynamo_es.values import (
    DEFAULT_TENANT,
    NO_VERSIONING,
    ExplicitVersioning,
    StoredVersion,
    StreamId,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynamo_es.contracts import EnlistedWrite, StreamCommit
    from dynamo_es.memory.boundaries import Told
    from dynamo_es.memory.data import Identity
    from dynamo_es.values import Position, RawEvent, TenantId, Versioning


class MemoryStorage(BoundaryAppends, StorageStrategy):
    """Streams in memory for one tenant. Safe to share between threads.

    Appends and loads copy the payloads, so you can change yours afterwards.

    Args:
        tenant_id: the tenant, any text.
        shared: data of another storage, to share it; None: start empty.
        hooks: the outbox filter and the listener; None: neither so far.

    Raises:
        InvalidStreamIdError: the tenant id is not text.
    """

    def __init__(
        self,
        tenant_id: TenantId = DEFAULT_TENANT,
        *,
        shared: Data | None = None,
        hooks: AppendHooks | None = None,
    ) -> None:
        check_tenant(tenant_id)
        self._tenant_id = tenant_id
        self._data = Data() if shared is None else shared
        self.hooks = AppendHooks() if hooks is None else hooks

    @property
    def data(self) -> Data:
        """The data that this storage shares with those of other tenants."""
        return self._data

    @property
    def tenant_id(self) -> TenantId:
        """The tenant of the streams."""
        return self._tenant_id

    def fetch_events(
        self,
        stream_id: StreamId,
        start: int | None = None,
        stop: int | None = None,
        *,
        consistent: bool = True,  # noqa: ARG002 - every read is
    ) -> list[RawEvent]:
        """Return the events of a stream; see `StorageStrategy.fetch_events`."""
        identity = self._identify(stream_id)
        check_range(start, stop)
        return list(self._copies(identity, start, stop, newest_first=False))

    def iter_events(
        self,
        stream_id: StreamId,
        start: int | None = 1,
        stop: int | None = None,
        *,
        newest_first: bool = False,
        page_size: int = PAGE_SIZE,
        consistent: bool = True,  # noqa: ARG002 - every read is
    ) -> Iterator[RawEvent]:
        """Yield the events of a stream; see `StorageStrategy.iter_events`."""
        identity = self._identify(stream_id)
        check_iteration(start, stop, page_size, newest_first=newest_first)
        return self._copies(identity, start, stop, newest_first=newest_first)

    def _copies(
        self, identity: Identity, start: int | None, stop: int | None, *, newest_first: bool
    ) -> Iterator[RawEvent]:
        with self._data.lock:
            stream = self._data.streams.get(identity)
            if stream is None:
                return
            found = stream.select(start, stop)
            _, category, number = identity
            stored_id = StreamId(UUID(int=number), stream.name, category=category)
        for event in reversed(found) if newest_first else found:
            yield replace(copy_event(event), stream_id=stored_id)

    def head(self, stream_id: StreamId) -> StreamHead | None:
        """Return where a stream ends; see `StorageStrategy.head`."""
        identity = self._identify(stream_id)
        with self._data.lock:
            stream = self._data.streams.get(identity)
            if stream is None:
                return None
            return StreamHead(stream.version, stream.generation, versioned=stream.versioned)

    def commit_at(self, stream_id: StreamId, version: int, generation: int) -> StreamCommit | None:
        """Return the commit that holds a version; see `StorageStrategy.commit_at`."""
        identity = self._identify(stream_id)
        with self._data.lock:
            stream = self._data.streams.get(identity)
            if stream is None or stream.generation != generation:
                return None
            return stream.commit_at(version)

    def append_cost(
        self, stream_id: StreamId, versioning: Versioning, events: Sequence[RawEvent]
    ) -> AppendCost:
        """Return a price of 0; see `StorageStrategy.append_cost`."""
        check_append(stream_id, versioning, events)
        if events:
            self._identify(stream_id)
            check_names(stream_id, events)
        return AppendCost(events=len(events), items=0, size=0, compressed=False, write_units=0)

    def insert_events(
        self,
        stream_id: StreamId,
        versioning: Versioning,
        events: Sequence[RawEvent],
        *,
        transact_with: Sequence[EnlistedWrite] = (),
    ) -> StoredVersion | None:
        """Append events to a stream; see `StorageStrategy.insert_events`."""
        check_append(stream_id, versioning, events)
        _refuse_enlisted(transact_with)
        self._identify(stream_id)
        if not events:
            return None
        return self._insert([StreamAppend(stream_id, versioning, events)])[0]

    def insert_events_of_several(
        self,
        appends: Sequence[StreamAppend],
        *,
        transact_with: Sequence[EnlistedWrite] = (),
    ) -> list[StoredVersion]:
        """Append to several streams; see `StorageStrategy.insert_events_of_several`."""
        check_appends(appends)
        _refuse_enlisted(transact_with)
        return [version for version in self._insert(appends) if version is not None]

    def insert_many(self, appends: Sequence[StreamAppend]) -> list[StoredVersion | None]:
        """Append to many streams, each on its own; see `StorageStrategy.insert_many`."""
        check_many(appends)
        for append in appends:
            self._identify(append.stream_id)
        return super().insert_many(appends)

    def _insert(self, appends: Sequence[StreamAppend]) -> list[StoredVersion | None]:
        """Append to all streams or to none, and tell the listener; return the new versions."""
        copies = [
            replace(append, events=[copy_event(event) for event in append.events])
            for append in appends
        ]
        chosen = [self._chosen_for_outbox(append.events) for append in appends]
        for append in appends:
            self._identify(append.stream_id)
            check_names(append.stream_id, append.events)
        told: list[Told] = []
        versions: list[StoredVersion | None] = []
        with self._data.lock:
            repeated = self._check_all(copies)
            for append, marks in zip(copies, chosen, strict=True):
                stream, first = self._store(append, marks, repeated=repeated)
                told.append(self._told(stream, first, len(append.events)))
                last = first + len(append.events)
                version = StoredVersion(last, stream.generation, repeated=repeated)
                versions.append(version if stream.versioned else None)
        self._tell(told)
        return versions

    def _told(self, stream: StoredStream, first: int, count: int) -> Told:
        """Return what the listener is told of stored events."""
        stored = [copy_event(event) for event in stream.events[first : first + count]]
        position = self._position_of(stream, first) if self.hooks.listener else None
        return stored, position, stream.generation

    def _tell(self, told: Sequence[Told]) -> None:
        if listener := self.hooks.listener:
            for stored, position, generation in told:
                listener(stored, self._tenant_id, position, generation)

    def _check_all(self, appends: Sequence[StreamAppend]) -> bool:
        """Return whether the events of all streams are stored already.

        Raises:
            ConcurrentStreamWriteError: a stream is at another version.
        """
        stored = [append for append in appends if self._is_stored(append)]
        if stored and len(stored) < len(appends):
            stream_id, versioning = stored[0].stream_id, stored[0].versioning
            expected = versioning.expected_version  # type: ignore[attr-defined]
            raise ConcurrentStreamWriteError(
                stream_id,
                expected,
                expected + len(stored[0].events),
                STORED_IN_ONE_STREAM,
            )
        return bool(stored)

    def _is_stored(self, append: StreamAppend) -> bool:
        """Whether the events are stored at their versions; if not, they may be appended.

        Raises:
            ConcurrentStreamWriteError: the stream is at another version.
        """
        stream_id, versioning, events = append.stream_id, append.versioning, append.events
        stream = self._data.streams.get(self._identify(stream_id))
        if stream is not None:
            _refuse_mixing(stream_id, stream, versioning)
        if isinstance(versioning, ExplicitVersioning):
            expected = versioning.expected_version
            actual = 0 if stream is None else stream.version
            generation = versioning.generation
            if generation is not None and (stream is None or stream.generation != generation):
                raise ConcurrentStreamWriteError(stream_id, expected, actual, ANOTHER_GENERATION)
            if stream is not None and _are_stored(stream, expected, events):
                return True
            if actual != expected:
                winning = [] if stream is None else stream.events[expected:]
                raise ConcurrentStreamWriteError(
                    stream_id, expected, actual, winning=tuple(map(copy_event, winning))
                )
        return False

    def _store(
        self, append: StreamAppend, chosen: list[bool], *, repeated: bool
    ) -> tuple[StoredStream, int]:
        """Store events, unless they are; return the stream, and the index of the first of them."""
        data = self._data
        identity = self._identify(append.stream_id)
        stream = data.streams.get(identity)
        if repeated and stream is not None and isinstance(append.versioning, ExplicitVersioning):
            return stream, append.versioning.expected_version
        if stream is None:
            versioned = append.versioning is not NO_VERSIONING
            data.generations += 1
            stream = StoredStream(versioned, generation=data.generations)
            data.streams[identity] = stream
        first = stream.version
        stream.append(append.stream_id, append.events)
        put_at = round(data.clock() * 1_000_000)
        for index, outbox in enumerate(chosen, first):
            data.log_of(self._tenant_id).append(
                LogEntry(identity, stream, index, outbox, index == first, put_at)
            )
        return stream, first

    def _chosen_for_outbox(self, events: Sequence[RawEvent]) -> list[bool]:
        wanted = self.hooks.outbox_filter
        return [wanted is not None and bool(wanted(event)) for event in events]

    def _position_of(self, stream: StoredStream, index: int) -> Position:
        log = self._data.log_of(self._tenant_id)
        for position in range(len(log), 0, -1):
            entry = log[position - 1]
            if entry.stream is stream and entry.place == index:
                return position
        raise AssertionError("every event has its place in the log")

    def save_snapshot(self, snapshot: RawEvent) -> None:
        """Save the snapshot of a stream; see `StorageStrategy.save_snapshot`."""
        version = check_snapshot(snapshot)
        identity = self._identify(snapshot.stream_id)
        copy = copy_event(snapshot)
        with self._data.lock:
            stream = self._data.streams.get(identity)
            if stream is None:
                raise SnapshotAheadOfStreamError(snapshot.stream_id, version, 0)
            if not stream.versioned:
                raise ExpectedVersionUsedOnVersionlessStream(snapshot.stream_id)
            if snapshot.generation not in (None, stream.generation):
                return
            if version > stream.version:
                raise SnapshotAheadOfStreamError(snapshot.stream_id, version, stream.version)
            if version > stream.snapshot_version:
                stream.snapshot = replace(copy, generation=stream.generation)
                stream.snapshot_version = version

    def delete_stream(self, stream_id: StreamId) -> None:
        """Delete a stream with its snapshot; see `StorageStrategy.delete_stream`."""
        identity = self._identify(stream_id)
        with self._data.lock:
            self._data.streams.pop(identity, None)

    @property
    def current_position(self) -> Position | None:
        """The last position; see `StorageStrategy.current_position`."""
        with self._data.lock:
            return len(self._data.log_of(self._tenant_id)) or None

    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return a storage for that tenant over the same data."""
        return type(self)(tenant_id, shared=self._data, hooks=self.hooks)

    def _identify(self, stream_id: StreamId) -> Identity:
        check_stream(stream_id)
        stream_key(tenant_prefix(self._tenant_id), stream_id)  # refuses what DynamoDB refuses
        return self._tenant_id, stream_id.category, stream_id.int


def _refuse_mixing(stream_id: StreamId, stream: StoredStream, versioning: Versioning) -> None:
    if versioning is NO_VERSIONING and stream.versioned:
        raise NoExpectedVersionGivenOnVersionedStream(stream_id)
    if versioning is not NO_VERSIONING and not stream.versioned:
        raise ExpectedVersionUsedOnVersionlessStream(stream_id)


def _refuse_enlisted(writes: Sequence[EnlistedWrite]) -> None:
    if writes:
        raise InvalidEnlistedWriteError(
            "MemoryBackend does not take transact_with, because it has no tables: use "
            "DynamoBackend.local()."
        )


def _are_stored(stream: StoredStream, expected: int, events: Sequence[RawEvent]) -> bool:
    stored = stream.events[expected : expected + len(events)]
    return [event.uuid for event in stored] == [event.uuid for event in events]
