"""Questions about one stream, answered by the public contract alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from dynamo_es.exceptions import (
    ConcurrentStreamWriteError,
    EventStoreError,
    ExpectedVersionUsedOnVersionlessStream,
)
from dynamo_es.values import ExplicitVersioning, RawEvent

if TYPE_CHECKING:
    from dynamo_es.contracts import StorageStrategy
    from dynamo_es.values import StreamId

_UNREACHED: Final = 10**17
"""A version that no stream gets to."""


class StreamNotFoundError(EventStoreError):
    """There is no such stream."""

    def __init__(self, stream: object) -> None:
        super().__init__(
            f"There is no stream {stream}. Its category and its tenant are part of its identity: "
            "check --category and --tenant."
        )


class Head(NamedTuple):
    """The end of a stream.

    Attributes:
        version: its version; in a stream without versions, how many events it has.
        event: the newest one.
    """

    version: int
    event: RawEvent


def find_head(storage: StorageStrategy, stream_id: StreamId) -> Head | None:
    """Return the newest event of a stream and its version; None: there is no stream.

    Costs two requests, however long the stream is; without versions, a full load.
    """
    version = _version(storage, stream_id)
    if version == 0:
        return None
    events = storage.fetch_events(stream_id, 1 if version is None else version)
    if not events:  # deleted in between
        return None
    newest = events[-1]
    return Head(len(events) if newest.version is None else newest.version, newest)


def exists(storage: StorageStrategy, stream_id: StreamId) -> bool:
    """Whether a stream has any event."""
    return bool(storage.fetch_events(stream_id, 1, 2))


def begins_with_snapshot(
    storage: StorageStrategy, stream_id: StreamId, events: list[RawEvent]
) -> bool:
    """Whether the first of the events loaded is a snapshot. At version 1 that takes a look."""
    if not events or events[0].version is None:
        return False
    first = events[0]
    if first.version != 1:
        return True
    return storage.fetch_events(stream_id, 1, 2) != [first]


def _version(storage: StorageStrategy, stream_id: StreamId) -> int | None:
    """Return a stream's version, 0 without one; None: its events have no versions.

    The contract has no question for it, and loading a long stream for its last event would be
    dear. An append that expects a version which no stream gets to is always refused, after one
    read of one item, and the refusal tells the version.
    """
    probe = RawEvent(UUID(int=0), stream_id, datetime.min.replace(tzinfo=UTC), "Probe", {}, {})
    try:
        storage.insert_events(
            stream_id, ExplicitVersioning(_UNREACHED), [replace(probe, version=_UNREACHED + 1)]
        )
    except ConcurrentStreamWriteError as refused:
        return refused.actual or 0
    except ExpectedVersionUsedOnVersionlessStream:
        return None
    raise AssertionError("an append behind an unreached version was accepted")
