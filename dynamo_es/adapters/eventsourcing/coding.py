"""Converts stored events of ``eventsourcing`` to events of this store, and back: pure functions.

A state that is a JSON object in exactly the form that this store writes, such as from the library's
transcoder, is stored as that object, so that every tool can read it. Any other state (compressed,
encrypted, from another transcoder) is stored as text or, if it is not text, in base64. You get each
state back byte for byte.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

from pydantic_core import from_json, to_json

from dynamo_es.adapters.eventsourcing.versions import (
    ALL_IDS_ARE_TEXT,
    make_notification,
    make_stored_event,
    metadata_of,
    uuid_of,
)
from dynamo_es.dynamodb.streams.items import decode_events
from dynamo_es.values import RawEvent, StreamId

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from eventsourcing.persistence import Notification, StoredEvent

    from dynamo_es.dynamodb.streams.items import Commit
    from dynamo_es.values import RecordedRaw

FIRST_VERSION: Final = 1
"""First version of an originator, unless its events have another."""

# Names that begin with this mark are ours. Names of metadata that begin with it get a second mark.
_MARK: Final = "$"
_INITIAL: Final = "$initial"
_IS_TEXT: Final = "$text_id"
_TEXT: Final = "$text"
_BINARY: Final = "$base64"


def stream_of(originator_id: UUID | str, category: str) -> StreamId:
    """Return the stream of an originator.

    A UUID, or its text, is the stream's UUID; any other text is the stream's name.
    """
    uuid = originator_id if isinstance(originator_id, UUID) else _uuid_in(originator_id)
    if uuid is not None:
        return StreamId(uuid, category=category)
    return StreamId(name=str(originator_id), category=category)


def raw_events(
    stream_id: StreamId, events: Sequence[StoredEvent], initial: int, now: datetime
) -> list[RawEvent]:
    """Return stored events as raw events of this store.

    Args:
        stream_id: stream of the originator.
        events: events of one originator, with consecutive versions.
        initial: version of the originator's first event, which gets version 1 in this store.
        now: time at which the events are stored.
    """
    return [
        RawEvent(
            # A new id: storing the same event again is then a conflict.
            uuid_of(event) or uuid4(),
            stream_id,
            now,
            event.topic,
            encode_state(event.state),
            _context(event, initial),
        )
        for event in events
    ]


def stored_event(originator_id: UUID | str, event: RawEvent) -> StoredEvent:
    """Return the stored event that a raw event was made from."""
    return make_stored_event(
        originator_id,
        _version(event),
        event.name,
        decode_state(event.data),
        event.uuid,
        decode_metadata(event.context),
    )


def notification(record: RecordedRaw) -> Notification:
    """Return an event of the log as a notification."""
    event = record.entry
    originator_id: UUID | str | None = event.stream_id.name
    if originator_id is None:
        originator_id = UUID(int=event.stream_id.int)
        if _IS_TEXT in event.context:
            originator_id = str(originator_id)
    return make_notification(record.position, stored_event(originator_id, event))


def initial_of(commit: Commit, stream_id: StreamId) -> int:
    """Return the version of the originator's first event."""
    return initial_in(decode_events(commit.item, stream_id, commit.version)[0])


def initial_in(event: RawEvent) -> int:
    """Return the version of the originator's first event, which each of its events carries."""
    return int(event.context.get(_INITIAL, FIRST_VERSION))


def encode_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata as the context of an event, without this module's own entries."""
    return {
        _MARK + name if name.startswith(_MARK) else name: value for name, value in metadata.items()
    }


def decode_metadata(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata that was passed to `encode_metadata`."""
    found: dict[str, Any] = {}
    for name, value in context.items():
        if not name.startswith(_MARK):
            found[name] = value
        elif name.startswith(_MARK * 2):
            found[name[1:]] = value
    return found


def encode_state(state: bytes) -> dict[str, Any]:
    """Return a state as a JSON object."""
    if state[:1] == b"{":
        try:
            parsed = from_json(state, allow_inf_nan=False)
            # Only if encoding it gives the same bytes (no repeated keys, other spaces or other
            # forms of # numbers), and it has none of our marks.
            if not parsed.keys() & {_TEXT, _BINARY} and to_json(parsed) == state:
                return dict(parsed)
        except ValueError:
            pass
    try:
        return {_TEXT: state.decode()}
    except UnicodeDecodeError:
        return {_BINARY: b64encode(state).decode()}


def decode_state(data: dict[str, Any]) -> bytes:
    """Return the state that was passed to `encode_state`."""
    if _BINARY in data:
        return b64decode(data[_BINARY])
    if _TEXT in data:
        return str(data[_TEXT]).encode()
    return to_json(data)


def _uuid_in(text: str) -> UUID | None:
    """Return the UUID that a text is the standard form of; None for any other text."""
    try:
        uuid = UUID(text)
    except ValueError:
        return None
    return uuid if str(uuid) == text else None


def _context(event: StoredEvent, initial: int) -> dict[str, Any]:
    context = encode_metadata(metadata_of(event))
    if initial != FIRST_VERSION:
        context[_INITIAL] = initial
    originator_id = event.originator_id
    if not ALL_IDS_ARE_TEXT and isinstance(originator_id, str) and _uuid_in(originator_id):
        context[_IS_TEXT] = True
    return context


def _version(event: RawEvent) -> int:
    if event.version is None:
        raise ValueError(f"The event {event.uuid} has no version, so no recorder has stored it.")
    return event.version - 1 + initial_in(event)
