"""`MemoryAppends`: the part of `MemoryStorage` that appends to one stream or to several."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from dynamo_es.contracts import (
    ANOTHER_GENERATION,
    STORED_IN_ONE_STREAM,
    AppendCost,
    AppendHooks,
    StorageStrategy,
    StreamAppend,
)
from dynamo_es.contracts.checks.arguments import check_stream, check_tenant
from dynamo_es.contracts.checks.events import check_all, check_append, check_many
from dynamo_es.contracts.stream_keys import check_names, stream_key, tenant_prefix
from dynamo_es.exceptions import (
    AppendAllConflictError,
    ConcurrentStreamWriteError,
    ExpectedVersionUsedOnVersionlessStream,
    InvalidEnlistedWriteError,
    NoExpectedVersionGivenOnVersionedStream,
)
from dynamo_es.memory.data import Data, LogEntry, StoredStream, copy_event
from dynamo_es.memory.limits import check_append_size, check_sizes_together
from dynamo_es.values import (
    DEFAULT_TENANT,
    NO_VERSIONING,
    ExplicitVersioning,
    Position,
    RawEvent,
    StoredVersion,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.contracts import EnlistedWrite, StreamCheck
    from dynamo_es.memory.data import Identity
    from dynamo_es.values import StreamId, TenantId, Versioning

Notice: TypeAlias = tuple[list[RawEvent], Position | None, int]
"""Stored events for the listener, the position of the first one, and the generation."""


class MemoryAppends(StorageStrategy):
    """Appends events in memory for one tenant. `MemoryStorage` adds the reads."""

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

    def append_cost(
        self, stream_id: StreamId, versioning: Versioning, events: Sequence[RawEvent]
    ) -> AppendCost:
        """Return a price of 0; see `StorageStrategy.append_cost`."""
        check_append(stream_id, versioning, events)
        if events:
            self._identify(stream_id)
            check_names(stream_id, events)
            check_append_size(self._tenant_id, StreamAppend(stream_id, versioning, events))
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

    def insert_all(
        self,
        appends: Sequence[StreamAppend],
        *,
        unchanged: Sequence[StreamCheck] = (),
        transact_with: Sequence[EnlistedWrite] = (),
    ) -> list[StoredVersion]:
        """Append to several streams; see `StorageStrategy.insert_all`."""
        check_all(appends, unchanged)
        _refuse_enlisted(transact_with)
        stored = self._insert(appends, unchanged)
        return [version for version in stored if version is not None]

    def insert_many(self, appends: Sequence[StreamAppend]) -> list[StoredVersion | None]:
        """Append to many streams, each on its own; see `StorageStrategy.insert_many`."""
        check_many(appends)
        for append in appends:
            self._identify(append.stream_id)
        return super().insert_many(appends)

    def _insert(
        self, appends: Sequence[StreamAppend], unchanged: Sequence[StreamCheck] = ()
    ) -> list[StoredVersion | None]:
        """Append to all streams or to none, and call the listener; return the new versions."""
        copies = [
            replace(append, events=[copy_event(event) for event in append.events])
            for append in appends
        ]
        chosen = [self._chosen_for_outbox(append.events) for append in appends]
        for append in appends:
            self._identify(append.stream_id)
            check_names(append.stream_id, append.events)
        for check in unchanged:
            self._identify(check.stream_id)
        check_sizes_together(self._tenant_id, appends, unchanged)
        notices: list[Notice] = []
        versions: list[StoredVersion | None] = []
        with self._data.lock:
            repeated = self._check(copies, unchanged)
            for append, marks in zip(copies, chosen, strict=True):
                stream, first = self._store(append, marks, repeated=repeated)
                notices.append(self._notice_of(stream, first, len(append.events)))
                last = first + len(append.events)
                version = StoredVersion(last, stream.generation, repeated=repeated)
                versions.append(version if stream.versioned else None)
        self._notify(notices)
        return versions

    def _notice_of(self, stream: StoredStream, first: int, count: int) -> Notice:
        """Return the notice that the listener gets about stored events."""
        stored = [copy_event(event) for event in stream.events[first : first + count]]
        position = self._position_of(stream, first) if self.hooks.listener else None
        return stored, position, stream.generation

    def _notify(self, notices: Sequence[Notice]) -> None:
        if listener := self.hooks.listener:
            for stored, position, generation in notices:
                listener(stored, self._tenant_id, position, generation)

    def _check(self, appends: Sequence[StreamAppend], unchanged: Sequence[StreamCheck]) -> bool:
        """Return whether the events of all streams are stored already.

        Raises:
            ConcurrentStreamWriteError: a stream is at another version.
        """
        conflicts: dict[StreamId, ConcurrentStreamWriteError] = {}
        stored = [append for append in appends if self._is_stored(append, conflicts)]
        if appends and len(stored) == len(appends):
            return True
        for append in stored:
            conflicts[append.stream_id] = _stored_alone(append)
        for check in unchanged:
            conflict = self._conflict(check.stream_id, check.versioning)
            if conflict is not None:
                conflicts[check.stream_id] = conflict
        if conflicts and (unchanged or len(appends) > 1):
            named = [append.stream_id for append in appends]
            named += [check.stream_id for check in unchanged]
            raise AppendAllConflictError({s: conflicts[s] for s in named if s in conflicts})
        for conflict in conflicts.values():
            raise conflict
        return False

    def _is_stored(
        self, append: StreamAppend, conflicts: dict[StreamId, ConcurrentStreamWriteError]
    ) -> bool:
        """Return whether the events are already stored; if they cannot be stored, note why."""
        stream_id, versioning = append.stream_id, append.versioning
        stream = self._data.streams.get(self._identify(stream_id))
        if stream is not None:
            _refuse_mixing(stream_id, stream, versioning)
        if not isinstance(versioning, ExplicitVersioning):
            return False
        if (
            stream is not None
            and versioning.generation in (None, stream.generation)
            and _are_stored(stream, versioning.expected_version, append.events)
        ):
            return True
        conflict = self._conflict(stream_id, versioning)
        if conflict is not None:
            conflicts[stream_id] = conflict
        return False

    def _conflict(
        self, stream_id: StreamId, versioning: ExplicitVersioning
    ) -> ConcurrentStreamWriteError | None:
        """Return the conflict if a stream is not at the expected version; None if it is."""
        stream = self._data.streams.get(self._identify(stream_id))
        expected, generation = versioning.expected_version, versioning.generation
        actual = 0 if stream is None else stream.version
        if stream is not None:
            _refuse_mixing(stream_id, stream, versioning)
        if generation is not None and (stream is None or stream.generation != generation):
            return ConcurrentStreamWriteError(stream_id, expected, actual, ANOTHER_GENERATION)
        if actual == expected:
            return None
        winning = [] if stream is None else stream.events[expected:]
        return ConcurrentStreamWriteError(
            stream_id, expected, actual, winning=tuple(map(copy_event, winning))
        )

    def _store(
        self, append: StreamAppend, chosen: list[bool], *, repeated: bool
    ) -> tuple[StoredStream, int]:
        """Store events unless they are stored already; return the stream and the first index."""
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

    def _identify(self, stream_id: StreamId) -> Identity:
        check_stream(stream_id)
        stream_key(tenant_prefix(self._tenant_id), stream_id)  # refuses what DynamoDB refuses
        return self._tenant_id, stream_id.category, stream_id.int


def _stored_alone(append: StreamAppend) -> ConcurrentStreamWriteError:
    """Return the conflict for events that are stored while those of another stream are not."""
    expected: int = append.versioning.expected_version  # type: ignore[attr-defined]
    actual = expected + len(append.events)
    return ConcurrentStreamWriteError(append.stream_id, expected, actual, STORED_IN_ONE_STREAM)


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
