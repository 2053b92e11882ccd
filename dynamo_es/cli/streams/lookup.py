"""Finds a stream's newest event, with only the public contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dynamo_es.exceptions import EventStoreError

if TYPE_CHECKING:
    from dynamo_es.contracts import StorageStrategy
    from dynamo_es.values import RawEvent, StreamId


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
    head = storage.head(stream_id)
    if head is None:
        return None
    events = storage.fetch_events(stream_id, head.length if head.versioned else 1)
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
