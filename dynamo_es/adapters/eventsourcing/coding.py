"""Converts stored events of ``eventsourcing`` to events of this store, and back: pure functions.

A state that is a JSON object in this store's own spelling, such as the library's transcoder writes,
is stored as that object, and every tool can read it. Any other state (compressed, encrypted, from
another transcoder) is stored as text or, if it is not text, in base64. You get each state back byte
for byte.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

from eventsourcing.persistence import Notification, StoredEvent
from pydantic_core import from_json, to_json

from dynamo_es.dynamodb.streams.items import decode_events
from dynamo_es.values import RawEvent, StreamId

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from dynamo_es.dynamodb.streams.items import Commit
    from dynamo_es.values import RecordedRaw

FIRST_VERSION: Final = 1
"""First version of an originator, unless its events have another."""

_INITIAL: Final = "initial_version"
_TEXT: Final = "$text"
_BINARY: Final = "$base64"


def stream_of(originator_id: UUID | str, category: str) -> StreamId:
    """Return the stream of an originator; a text id is the stream's name."""
    if isinstance(originator_id, UUID):
        return StreamId(originator_id, category=category)
    return StreamId(name=originator_id, category=category)


def raw_events(
    stream_id: StreamId, events: Sequence[StoredEvent], initial: int, now: datetime
) -> list[RawEvent]:
    """Return stored events as raw events of this store.

    Args:
        stream_id: stream of the originator.
        events: of one originator, with consecutive versions.
        initial: version of the originator's first event; versions here begin at 1.
        now: time at which they are stored.
    """
    context = {} if initial == FIRST_VERSION else {_INITIAL: initial}
    return [
        # A new UUID each time: storing an event a second time is a conflict.
        RawEvent(uuid4(), stream_id, now, event.topic, encode_state(event.state), context)
        for event in events
    ]


def stored_event(originator_id: UUID | str, event: RawEvent) -> StoredEvent:
    """Return a raw event as the stored event that it was made from."""
    return StoredEvent(originator_id, _version(event), event.name, decode_state(event.data))


def notification(record: RecordedRaw) -> Notification:
    """Return an event of the log as a notification."""
    event = record.entry
    name = event.stream_id.name
    return Notification(
        originator_id=UUID(int=event.stream_id.int) if name is None else name,
        originator_version=_version(event),
        topic=event.name,
        state=decode_state(event.data),
        id=record.position,
    )


def initial_of(commit: Commit, stream_id: StreamId) -> int:
    """Return the version of the originator's first event."""
    return initial_in(decode_events(commit.item, stream_id, commit.version)[0])


def initial_in(event: RawEvent) -> int:
    """Return the version of the originator's first event, which each of its events knows."""
    return int(event.context.get(_INITIAL, FIRST_VERSION))


def encode_state(state: bytes) -> dict[str, Any]:
    """Return a state as a JSON object."""
    if state[:1] == b"{":
        try:
            parsed = from_json(state, allow_inf_nan=False)
            # Not with a repeated key, other spaces, another spelling of a number, or our marks.
            if not parsed.keys() & {_TEXT, _BINARY} and to_json(parsed) == state:
                return dict(parsed)
        except ValueError:
            pass
    try:
        return {_TEXT: state.decode()}
    except UnicodeDecodeError:
        return {_BINARY: b64encode(state).decode()}


def decode_state(data: dict[str, Any]) -> bytes:
    """Return the state that `encode_state` was given."""
    if _BINARY in data:
        return b64decode(data[_BINARY])
    if _TEXT in data:
        return str(data[_TEXT]).encode()
    return to_json(data)


def _version(event: RawEvent) -> int:
    if event.version is None:
        raise ValueError(f"The event {event.uuid} has no version: it was not stored by a recorder.")
    return event.version - 1 + initial_in(event)
