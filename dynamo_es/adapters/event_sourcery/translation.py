"""Converts values between their classes and ours, and our errors to theirs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from uuid import UUID

import event_sourcery
from event_sourcery import event as theirs
from event_sourcery import exceptions as their_errors

from dynamo_es import exceptions as errors
from dynamo_es.values import RawEvent, RecordedRaw, StreamId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ERRORS: Final[dict[type[errors.EventStoreError], type[their_errors.EventStoreException]]] = {
    errors.ConcurrentStreamWriteError: their_errors.ConcurrentStreamWriteError,
    errors.ExpectedVersionUsedOnVersionlessStream: (
        their_errors.ExpectedVersionUsedOnVersionlessStream
    ),
    errors.NoExpectedVersionGivenOnVersionedStream: (
        their_errors.NoExpectedVersionGivenOnVersionedStream
    ),
    errors.IncompatibleUuidAndName: their_errors.AnotherStreamWithThisNameButOtherIdExists,
}


@contextmanager
def their_words() -> Iterator[None]:
    """Raise their error in place of ours, if they have one; ours is attached as the cause."""
    try:
        yield
    except tuple(_ERRORS) as error:
        raise _ERRORS[type(error)](str(error)) from error


def stream_to_write(stream_id: event_sourcery.StreamId) -> StreamId:
    """Convert a stream id to ours.

    Raises:
        IncompatibleUuidAndName: the name derives another UUID here.
    """
    return StreamId(stream_id, stream_id.name, category=stream_id.category)


def stream_to_find(stream_id: event_sourcery.StreamId) -> StreamId:
    """Convert a stream id to ours without its name, which the stored stream has."""
    return StreamId(stream_id, category=stream_id.category)


def our_event(event: theirs.RawEvent, stream_id: StreamId) -> RawEvent:
    """Convert an event or a snapshot to ours."""
    return RawEvent(
        uuid=event.uuid,
        stream_id=stream_id,
        created_at=event.created_at,
        name=event.name,
        data=event.data,
        context=event.context,
        version=event.version,
    )


def their_events(events: Iterable[RawEvent]) -> list[theirs.RawEvent]:
    """Convert events of one stream to theirs."""
    stream_id: event_sourcery.StreamId | None = None
    found = []
    for event in events:
        stream_id = stream_id or _their_stream(event.stream_id)
        found.append(_their_event(event, stream_id))
    return found


def their_record(record: RecordedRaw) -> theirs.RecordedRaw:
    """Convert an event of the log to theirs."""
    return theirs.RecordedRaw(
        entry=_their_event(record.entry, _their_stream(record.entry.stream_id)),
        position=record.position,
        tenant_id=record.tenant_id,
    )


def _their_stream(stream_id: StreamId) -> event_sourcery.StreamId:
    return event_sourcery.StreamId(
        uuid=UUID(int=stream_id.int), name=stream_id.name, category=stream_id.category
    )


def _their_event(event: RawEvent, stream_id: event_sourcery.StreamId) -> theirs.RawEvent:
    return theirs.RawEvent(
        uuid=event.uuid,
        stream_id=stream_id,
        created_at=event.created_at,
        name=event.name,
        data=event.data,
        context=event.context,
        version=event.version,
    )
