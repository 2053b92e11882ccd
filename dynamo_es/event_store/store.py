"""`EventStore`: the store of typed events that applications use."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dynamo_es.contracts.checks.arguments import check_kind, check_stream
from dynamo_es.event_store.appends import Appends
from dynamo_es.event_store.reader import StreamReader
from dynamo_es.event_store.wrapped import WrappedEvent
from dynamo_es.values import RawEvent, StoredVersion

if TYPE_CHECKING:
    from dynamo_es.values import Position, StreamId


class EventStore(Appends, StreamReader):
    """Appends and loads one tenant's typed events. Get it from a backend; threads can share it.

    Args:
        storage: the storage of the events.
        serde: turns events into JSON and back.
        tenant_id: the tenant of the streams.
        consistent: whether loads are consistent, unless a call says otherwise.
        groups: the queues in which grouped calls of this process wait; None: new queues.
    """

    def version(self, stream_id: StreamId) -> StoredVersion | None:
        """Return the version of a stream: 0 if it does not exist, None if it has no versions.

        Cost on DynamoDB: 1 request, however long the stream is; see `StorageStrategy.head`.
        """
        check_stream(stream_id)
        head = self._storage.head(stream_id)
        if head is None:
            return StoredVersion(0, 0)
        return StoredVersion(head.length, head.generation) if head.versioned else None

    def exists(self, stream_id: StreamId) -> bool:
        """Return whether a stream has events. It costs as much as `version`."""
        check_stream(stream_id)
        return self._storage.head(stream_id) is not None

    def save_snapshot(
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
        check_kind("snapshot", snapshot, WrappedEvent)
        raw = self._serde.serialize(snapshot, stream_id)
        if notes:
            raw = replace(raw, context=raw.context | notes)
        self._storage.save_snapshot(raw)

    def is_snapshot(self, raw: RawEvent) -> bool:
        """Return whether the class of a stored event is a `Snapshot` class."""
        check_kind("raw", raw, RawEvent)
        kind = self._serde.registry.kind_named(raw.name)
        return kind is not None and kind.is_snapshot

    def delete_stream(self, stream_id: StreamId) -> None:
        """Delete a stream and its snapshot. Errors, cost: see `StorageStrategy.delete_stream`."""
        self._storage.delete_stream(stream_id)

    @property
    def position(self) -> Position | None:
        """The last position in the log of all tenants; None if the log is empty."""
        return self._storage.current_position
