"""The contract `StorageStrategy` kept in memory, in the plainest way that is right."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Self, TypeAlias
from uuid import UUID

from dynamo_es.contracts import StorageStrategy
from dynamo_es.contracts.checks import (
    check_append,
    check_range,
    check_snapshot,
    check_stream,
    check_tenant,
)
from dynamo_es.exceptions import (
    ConcurrentStreamWriteError,
    ExpectedVersionUsedOnVersionlessStream,
    NoExpectedVersionGivenOnVersionedStream,
    SnapshotAheadOfStreamError,
)
from dynamo_es.values import (
    DEFAULT_TENANT,
    NO_VERSIONING,
    ExplicitVersioning,
    Position,
    RawEvent,
    StreamId,
    TenantId,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.values import Versioning

_Identity: TypeAlias = tuple[TenantId, str | None, int]
"""Tenant, category and UUID; a tuple, because joined text could collide."""


@dataclass(slots=True)
class _Stream:
    versioned: bool
    name: str | None = None
    events: list[RawEvent] = field(default_factory=list)
    snapshot: RawEvent | None = None
    snapshot_version: int = 0

    @property
    def version(self) -> int:
        return len(self.events)


@dataclass(slots=True)
class _Data:
    """What the storages of all tenants share; touched only under the lock."""

    lock: Lock = field(default_factory=Lock)
    streams: dict[_Identity, _Stream] = field(default_factory=dict)
    last_position: Position = 0


class MemoryStorage(StorageStrategy):
    """Streams in memory for one tenant. Safe to share between threads.

    Payloads are copied on the way in and on the way out: what a caller changes afterwards
    changes nothing here.

    Args:
        tenant_id: the tenant, any text.
        shared: the data of another storage, to work on the same; None: start empty.

    Raises:
        InvalidStreamIdError: the tenant is not text.
    """

    def __init__(
        self, tenant_id: TenantId = DEFAULT_TENANT, *, shared: _Data | None = None
    ) -> None:
        check_tenant(tenant_id)
        self._tenant_id = tenant_id
        self._data = _Data() if shared is None else shared

    @property
    def tenant_id(self) -> TenantId:
        """Whose streams they are."""
        return self._tenant_id

    def fetch_events(
        self, stream_id: StreamId, start: int | None = None, stop: int | None = None
    ) -> list[RawEvent]:
        """Return the events of a stream; see `StorageStrategy.fetch_events`."""
        identity = self._identify(stream_id)
        check_range(start, stop)
        with self._data.lock:
            stream = self._data.streams.get(identity)
            if stream is None:
                return []
            found = _select(stream, start, stop)
            stored_id = StreamId(UUID(int=stream_id.int), stream.name, category=stream_id.category)
        return [replace(_copy(event), stream_id=stored_id) for event in found]

    def insert_events(
        self, stream_id: StreamId, versioning: Versioning, events: Sequence[RawEvent]
    ) -> int | None:
        """Append events to a stream; see `StorageStrategy.insert_events`."""
        check_append(stream_id, versioning, events)
        identity = self._identify(stream_id)
        if not events:
            return None
        copies = [_copy(event) for event in events]
        with self._data.lock:
            stream = self._data.streams.get(identity)
            if stream is not None:
                _refuse_mixing(stream_id, stream, versioning)
            if isinstance(versioning, ExplicitVersioning):
                expected = versioning.expected_version
                actual = 0 if stream is None else stream.version
                if stream is not None and _are_stored(stream, expected, copies):
                    return expected + len(copies)
                if actual != expected:
                    winning = [] if stream is None else stream.events[expected:]
                    raise ConcurrentStreamWriteError(
                        stream_id, expected, actual, winning=tuple(map(_copy, winning))
                    )
            if stream is None:
                stream = _Stream(versioned=versioning is not NO_VERSIONING)
                self._data.streams[identity] = stream
            _append(stream, stream_id, copies)
            # The log is a list of commits: the events of one append share one place in it.
            self._data.last_position += 1
            return stream.version if stream.versioned else None

    def save_snapshot(self, snapshot: RawEvent) -> None:
        """Save the snapshot of a stream; see `StorageStrategy.save_snapshot`."""
        version = check_snapshot(snapshot)
        identity = self._identify(snapshot.stream_id)
        copy = _copy(snapshot)
        with self._data.lock:
            stream = self._data.streams.get(identity)
            if stream is None:
                raise SnapshotAheadOfStreamError(snapshot.stream_id, version, 0)
            if not stream.versioned:
                raise ExpectedVersionUsedOnVersionlessStream(snapshot.stream_id)
            if version > stream.version:
                raise SnapshotAheadOfStreamError(snapshot.stream_id, version, stream.version)
            if version > stream.snapshot_version:
                stream.snapshot, stream.snapshot_version = copy, version

    def delete_stream(self, stream_id: StreamId) -> None:
        """Delete a stream with its snapshot; see `StorageStrategy.delete_stream`."""
        identity = self._identify(stream_id)
        with self._data.lock:
            self._data.streams.pop(identity, None)

    @property
    def current_position(self) -> Position | None:
        """The last position assigned, over all tenants; None when none was."""
        with self._data.lock:
            return self._data.last_position or None

    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return a storage of that tenant over the same data."""
        return type(self)(tenant_id, shared=self._data)

    def _identify(self, stream_id: StreamId) -> _Identity:
        check_stream(stream_id)

        return self._tenant_id, stream_id.category, stream_id.int


def _select(stream: _Stream, start: int | None, stop: int | None) -> list[RawEvent]:
    end = stream.version if stop is None else stop - 1
    if start is None and stream.snapshot is not None and stream.snapshot_version <= end:
        return [stream.snapshot, *stream.events[stream.snapshot_version : end]]
    first = 1 if start is None else start
    return stream.events[first - 1 : end]


def _refuse_mixing(stream_id: StreamId, stream: _Stream, versioning: Versioning) -> None:
    if versioning is NO_VERSIONING and stream.versioned:
        raise NoExpectedVersionGivenOnVersionedStream(stream_id)
    if versioning is not NO_VERSIONING and not stream.versioned:
        raise ExpectedVersionUsedOnVersionlessStream(stream_id)


def _are_stored(stream: _Stream, expected: int, events: list[RawEvent]) -> bool:
    stored = stream.events[expected : expected + len(events)]
    return [event.uuid for event in stored] == [event.uuid for event in events]


def _append(stream: _Stream, stream_id: StreamId, events: list[RawEvent]) -> None:
    if stream.name is None:
        stream.name = stream_id.name
    for event in events:
        version = stream.version + 1 if stream.versioned else None
        stream.events.append(replace(event, version=version))


def _copy(event: RawEvent) -> RawEvent:
    return replace(event, data=_copy_json(event.data), context=_copy_json(event.context))


def _copy_json(value: dict[str, Any]) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(value))
    return copy
