"""Finds a stream's newest event, with only the public contract."""

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
"""A version that no stream reaches."""


class StreamNotFoundError(EventStoreError):
    """The stream does not exist."""

    def __init__(self, stream: object) -> None:
        super().__init__(
            f"There is no stream {stream}. Category and tenant also identify a stream: check "
            "--category and --tenant."
        )


class Head(NamedTuple):
    """The end of a stream.

    Attributes:
        version: the stream's version; for a versionless stream, its number of events.
        event: the newest event.
    """

    version: int
    event: RawEvent


def find_head(storage: StorageStrategy, stream_id: StreamId) -> Head | None:
    """Return a stream's version and newest event; None if the stream does not exist.

    Costs 2 requests for a stream of any length; for a versionless stream, a full load.
    """
    version = _version(storage, stream_id)
    if version == 0:
        return None
    events = storage.fetch_events(stream_id, 1 if version is None else version)
    if not events:  # deleted between the two requests
        return None
    newest = events[-1]
    return Head(len(events) if newest.version is None else newest.version, newest)


def exists(storage: StorageStrategy, stream_id: StreamId) -> bool:
    """Return whether a stream has any event."""
    return bool(storage.fetch_events(stream_id, 1, 2))


def begins_with_snapshot(
    storage: StorageStrategy, stream_id: StreamId, events: list[RawEvent]
) -> bool:
    """Return whether the first event is a snapshot. Costs 1 request if it is at version 1."""
    if not events or events[0].version is None:
        return False
    first = events[0]
    if first.version != 1:
        return True
    return storage.fetch_events(stream_id, 1, 2) != [first]


def _version(storage: StorageStrategy, stream_id: StreamId) -> int | None:
    """Return a stream's version; 0 if it does not exist; None if it is versionless.

    The contract has no call for the version, and loading a long stream for its last event is
    expensive. An append that expects an unreachable version is always refused after a read of one
    item, and the error has the version.
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
    raise AssertionError("an append after an unreachable version was accepted")
