"""Items of the events table: pure functions that convert events to DynamoDB's wire format."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

from dynamo_es.dynamodb.streams.event_json import to_json
from dynamo_es.dynamodb.streams.keys import SNAPSHOT_VERSION
from dynamo_es.dynamodb.wire.encoding.compression import MAX_TEXT_BYTES, pack, unpack
from dynamo_es.dynamodb.wire.sizes import text_size
from dynamo_es.exceptions import StoredItemError
from dynamo_es.values import RawEvent, StreamId
from dynamo_es.values.new_records import BlankRawEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydantic_core import SchemaValidator

    from dynamo_es.dynamodb.config import Compression
    from dynamo_es.dynamodb.wire.steps import Item


MAX_COMMIT_EVENTS: Final = 1_000_000
"""The most events of one commit. Each takes a position in the log."""


OF_COMMITS: Final = (
    *("generation", "event_count", "event_names", "stream_name", "versionless", "outbox"),
    "events",
)
"""Attributes of commits that fences do not have."""


class Head(NamedTuple):
    """The end of a stream.

    Attributes:
        generation: number of the stream's generation.
        version: version of its last event, 1-based.
        versionless: whether the stream is versionless.
    """

    generation: int
    version: int
    versionless: bool


class Commit(NamedTuple):
    """A stored commit: the events of one append.

    Attributes:
        version: version of its first event, 1-based.
        last: version of its last event (inclusive).
        generation: number of the stream's generation.
        versionless: whether the stream is versionless.
        item: the stored item.
    """

    version: int
    last: int
    generation: int
    versionless: bool
    item: Item

    @property
    def head(self) -> Head:
        """The stream's head, if this is its newest commit."""
        return Head(self.generation, self.last, self.versionless)


def commit_item(  # noqa: PLR0913 - what an item is made of, each by its name
    key: str,
    stream_name: str | None,
    events: Sequence[RawEvent],
    *,
    version: int,
    generation: int,
    versionless: bool,
    outbox: Callable[[RawEvent], bool] | None = None,
    text: bytes | None = None,
    compression: Compression = "units",
) -> tuple[Item, int]:
    """Return the item of a commit whose first event gets ``version``, and its size in bytes.

    The events are one JSON text, which `pack` may compress. The item marks the events that
    ``outbox`` chooses: either all of them, or their indexes in the commit. ``text`` is the result
    of `encode_events`, if the caller already has it.
    """
    names = [events[0].name] if len(events) == 1 else sorted({event.name for event in events})
    item: Item = {
        "stream_key": {"S": key},
        "version": {"N": str(version)},
        "generation": {"N": str(generation)},
        "event_count": {"N": str(len(events))},
        "event_names": {"SS": names},
    }
    if stream_name is not None:
        item["stream_name"] = {"S": stream_name}
    if versionless:
        item["versionless"] = {"BOOL": True}
    if outbox is not None and (chosen := [str(i) for i, e in enumerate(events) if outbox(e)]):
        item["outbox"] = {"BOOL": True} if len(chosen) == len(events) else {"NS": chosen}
    text = encode_events(events) if text is None else text
    return item, pack(item, "events", text, compression)


def names_size(item: Item) -> int:
    """Return the bytes of a commit's stream name and event names."""
    stream_name = item["stream_name"]["S"] if "stream_name" in item else ""
    return text_size(stream_name) + sum(map(text_size, item["event_names"]["SS"]))


def is_for_outbox(item: Item, index: int) -> bool:
    """Return whether the outbox publishes the event at an index in a commit, 0-based."""
    mark = item.get("outbox", {})
    return "BOOL" in mark or str(index) in mark.get("NS", ())


def snapshot_item(
    key: str, snapshot: RawEvent, *, generation: int, compression: Compression = "units"
) -> tuple[Item, int]:
    """Return the item of a snapshot, which has a version, and its size in bytes."""
    item: Item = {
        "stream_key": {"S": key},
        "version": {"N": str(SNAPSHOT_VERSION)},
        "generation": {"N": str(generation)},
        "snapshot_version": {"N": str(snapshot.version)},
    }
    return item, pack(item, "events", encode_events([snapshot]), compression)


def fence_item(key: str, *, version: int, closed: int, expires_at: int | None) -> Item:
    """Return a fence, which refuses late writers of a closed generation at a version.

    Args:
        key: partition key of the stream.
        version: sort key of the fence.
        closed: the closed generation.
        expires_at: seconds since the epoch after which DynamoDB may remove the fence; None: never.
    """
    item: Item = {
        "stream_key": {"S": key},
        "version": {"N": str(version)},
        "closed": {"N": str(closed)},
    }
    if expires_at is not None:
        item["expires_at"] = {"N": str(expires_at)}
    return item


def is_fence(item: Item) -> bool:
    """Return whether an item is a fence."""
    return "closed" in item


def generation_of(item: Item) -> int:
    """Return the generation of an item; for a fence, the generation that it closes."""
    return _number(item, "closed" if "closed" in item else "generation")


def is_snapshot(item: Item) -> bool:
    """Return whether an item is a snapshot."""
    return item.get("version") == _SNAPSHOT_PLACE


def snapshot_version(item: Item) -> int:
    """Return the version of the last event in a snapshot."""
    return _number(item, "snapshot_version")


def version_of(item: Item) -> int:
    """Return the sort key of an item."""
    return _number(item, "version")


def read_commit(item: Item) -> Commit:
    """Return an item that is neither a fence nor a snapshot as a commit.

    Raises:
        StoredItemError: this release cannot read the commit.
    """
    if "item_format" in item:
        raise _unreadable(item, "a newer release wrote it, in a format that this one cannot read.")
    version = _number(item, "version", 1)
    count = _number(item, "event_count", 1)
    if count > MAX_COMMIT_EVENTS:
        raise _unreadable(item, f"its event_count is above {MAX_COMMIT_EVENTS:,}.")
    last = version + count - 1
    if last >= SNAPSHOT_VERSION:
        raise _unreadable(item, f"its last version is not below {SNAPSHOT_VERSION}.")
    return Commit(version, last, _number(item, "generation"), "versionless" in item, item)


def encode_events(events: Sequence[RawEvent]) -> bytes:
    """Return events as JSON: ``[[uuid, created_at, name, data, context], …]``.

    The stream and the versions are left out, because the item already has them.
    """
    return to_json(
        [
            [event.uuid.hex, event.created_at.isoformat(), event.name, event.data, event.context]
            for event in events
        ]
    )


def decode_events(
    item: Item, stream_id: StreamId, version: int | None, most: int = MAX_TEXT_BYTES
) -> list[RawEvent]:
    """Return the events of a commit or a snapshot.

    Args:
        item: the stored item.
        stream_id: the stream id that each event gets.
        version: version of the first event; None in a versionless stream.
        most: the most bytes of the events, uncompressed.

    Raises:
        StoredItemError: this release cannot read the item.
    """
    try:
        text = unpack(item["events"], most)
    except (AttributeError, KeyError, TypeError):
        raise _unreadable(item, "it has no events.") from None
    except ValueError as error:
        raise _unreadable(item, f"its events: {error}") from None
    try:
        return _events(_parser()(text, cache_strings="keys"), item, stream_id, version)
    except (AttributeError, LookupError, ValueError, TypeError):
        # Leave out the original error, because its text quotes stored values.
        raise _unreadable(item, "its events are not in the form that an append stores.") from None


def _events(rows: Any, item: Item, stream_id: StreamId, version: int | None) -> list[RawEvent]:
    """Return the events of parsed rows. Raises a built-in error for any other JSON."""
    if type(rows) is not list:
        raise TypeError
    uuids = _uuids().validate_python([row[0] for row in rows])
    return make_events(uuids, rows, stream_id, version, int(item["generation"]["N"]))


def make_events(
    uuids: Sequence[UUID],
    rows: Sequence[Sequence[Any]],
    stream_id: StreamId,
    version: int | None,
    generation: int,
) -> list[RawEvent]:
    """Return the events of stored rows, whose UUIDs are parsed.

    Raises:
        TypeError: a row is not in the form that an append stores.
        ValueError: likewise.
    """
    at = datetime.fromisoformat
    events: list[RawEvent] = []
    number = version
    # Set the fields here, because a call for each event takes as long as all the rest.
    blank: Any = BlankRawEvent
    # Both have the same length, and `strict` would take a microsecond.
    for uuid, (_, created, name, data, context) in zip(uuids, rows):  # noqa: B905
        if type(data) is not dict or type(context) is not dict or type(name) is not str or not name:
            raise TypeError
        event = blank()
        event.uuid = uuid
        event.stream_id = stream_id
        event.created_at = at(created)
        event.name = name
        event.data = data
        event.context = context
        event.version = number
        event.generation = generation
        event.__class__ = RawEvent
        events.append(event)
        if number is not None:
            number += 1
    return events


def event_uuids(item: Item, most: int = MAX_TEXT_BYTES) -> list[UUID]:
    """Return the UUIDs of a commit's events, in order."""
    return [event.uuid for event in decode_events(item, _NO_STREAM, None, most)]


def _number(item: Item, name: str, least: int = 0) -> int:
    try:
        value = int(item[name]["N"])
    except (KeyError, TypeError, ValueError):
        raise _unreadable(item, f"its {name} is not a whole number.") from None
    if not least <= value <= SNAPSHOT_VERSION:
        raise _unreadable(item, f"its {name} is not between {least} and {SNAPSHOT_VERSION}.")
    return value


def _unreadable(item: Item, reason: str) -> StoredItemError:
    key = item.get("stream_key", {}).get("S", "?")
    return StoredItemError(key, item.get("version", {}).get("N"), reason)


@cache
def _parser() -> Callable[..., Any]:
    # Imported when events are read, and only once, because the statement takes a microsecond.
    from pydantic_core import from_json

    return from_json


@cache
def _uuids() -> SchemaValidator:
    """Return a fast parser of events' UUIDs. In Python, they would take as long as all the rest."""
    # Imported when events are read: a process that only appends starts without it.
    from pydantic_core import SchemaValidator

    return SchemaValidator({"type": "list", "items_schema": {"type": "uuid"}})


_NO_STREAM: Final = StreamId(UUID(int=0))
_SNAPSHOT_PLACE: Final = {"N": str(SNAPSHOT_VERSION)}
