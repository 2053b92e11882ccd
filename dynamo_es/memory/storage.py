"""`MemoryStorage`: streams in memory, as simple as the contract allows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Self
from uuid import UUID

from dynamo_es.contracts import StreamHead
from dynamo_es.contracts.checks.arguments import check_iteration, check_range
from dynamo_es.contracts.checks.events import check_snapshot
from dynamo_es.contracts.storage import PAGE_SIZE
from dynamo_es.exceptions import ExpectedVersionUsedOnVersionlessStream, SnapshotAheadOfStreamError
from dynamo_es.memory.boundaries import BoundaryAppends
from dynamo_es.memory.data import copy_event
from dynamo_es.memory.limits import check_snapshot_size
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamo_es.contracts import StreamCommit
    from dynamo_es.memory.data import Data, Identity
    from dynamo_es.values import Position, RawEvent, TenantId


class MemoryStorage(BoundaryAppends):
    """Streams in memory for one tenant. Safe to share between threads.

    Appends and loads copy the payloads, so later changes to your own objects do no harm.

    Args:
        tenant_id: the tenant, any text.
        shared: data to share with another storage; None: start empty.
        hooks: the outbox filter and the listener; None: neither yet.

    Raises:
        InvalidStreamIdError: the tenant id is not text.
    """

    @property
    def data(self) -> Data:
        """The data that this storage shares with the storages of other tenants."""
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
        """Return a stream's generation and newest version; see `StorageStrategy.head`."""
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
            check_snapshot_size(self._tenant_id, copy, stream.generation)
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
        """Return the last assigned position; see `StorageStrategy.current_position`."""
        with self._data.lock:
            return len(self._data.log_of(self._tenant_id)) or None

    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return a storage for that tenant over the same data."""
        return type(self)(tenant_id, shared=self._data, hooks=self.hooks)
