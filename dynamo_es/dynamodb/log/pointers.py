"""Pointers to commits, found in the events table's items and in the records of its stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from dynamo_es.contracts.stream_keys import MAX_KEY_BYTES, MAX_NAMES_BYTES
from dynamo_es.dynamodb.log.markers import MAX_PLACE_BYTES, Marker
from dynamo_es.dynamodb.streams.items import (
    MAX_COMMIT_EVENTS,
    generation_of,
    is_fence,
    is_snapshot,
    names_size,
    read_commit,
)
from dynamo_es.dynamodb.streams.keys import SNAPSHOT_VERSION, parse_stream_key
from dynamo_es.dynamodb.wire.sizes import item_size, write_units
from dynamo_es.dynamodb.wire.steps import number
from dynamo_es.exceptions import InvalidStreamIdError, StoredItemError
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamo_es.dynamodb.wire.steps import Item

_TYPES: Final = {
    "event_names": {"SS"},
    "stream_name": {"S"},
    "versionless": {"BOOL"},
    "outbox": {"BOOL", "NS"},
}
"""The types that each attribute of a commit may have."""

_OWN: Final = frozenset(
    {
        "generation",
        "event_count",
        "event_names",
        "events",
        "closed",
        "snapshot_version",
        "stream_name",
        "versionless",
        "outbox",
        "item_format",
    }
)
"""Attributes that only this library gives an item."""

_COMMITS: Final = frozenset({"event_count", "event_names"})
"""Attributes that only commits have."""

_SHORT_KEY: Final = 200
"""With at most this many characters in a key, its marker always fits, at 4 bytes a character."""


class Pointer(NamedTuple):
    """Names a commit, with all facts that consumers need to select it before they fetch it.

    A pointer that is passed to a sequencer is a *hint*: it says that the commit exists.

    Attributes:
        stream_key: partition key of the stream.
        stream_name: the stream's name; None: it has none.
        generation: generation of the stream to which the commit belongs.
        first_version: version of the first event, 1-based.
        event_count: number of events, and so of positions that the commit takes.
        event_names: names of the events, sorted, without repetitions.
        outbox: whether an outbox publishes some of the events.
        versionless: whether the stream is versionless.
    """

    stream_key: str
    stream_name: str | None
    generation: int
    first_version: int
    event_count: int
    event_names: tuple[str, ...]
    outbox: bool
    versionless: bool

    @property
    def last_version(self) -> int:
        """Version of the last event."""
        return self.first_version + self.event_count - 1

    @property
    def marker(self) -> Marker:
        """The marker of the commit's stream and generation."""
        return Marker.of_stream(self.stream_key, self.generation)

    @property
    def can_have_marker(self) -> bool:
        """Whether numbers and keys are within the limits of a stream, so that a marker fits."""
        return (
            self.first_version >= 1
            and 1 <= self.event_count <= MAX_COMMIT_EVENTS
            and self.first_version + self.event_count <= SNAPSHOT_VERSION
            and 0 <= self.generation <= SNAPSHOT_VERSION
            and (len(self.stream_key) <= _SHORT_KEY or self._has_short_marker)
        )

    @property
    def _has_short_marker(self) -> bool:
        marker = self.marker
        return (
            len(marker.log_key.encode()) <= MAX_KEY_BYTES
            and len(marker.place.encode()) <= MAX_PLACE_BYTES
        )


class Found(NamedTuple):
    """Items of the events table, sorted into commits, damaged and foreign items.

    Fences and snapshots are in none of the lists.

    Attributes:
        pointers: pointers to the commits.
        damaged: for each commit, fence or snapshot that cannot be read, the reason.
        foreign: keys of the items that this library did not write.
    """

    pointers: list[Pointer]
    damaged: list[StoredItemError]
    foreign: list[str]


def find_pointers(items: Iterable[Item]) -> Found:
    """Sort items of the events table, or images of them, into commits, damaged and foreign ones."""
    found = Found([], [], [])
    for item in items:
        try:
            pointer = find_pointer(item)
        except StoredItemError as error:
            if is_foreign(item):
                found.foreign.append(f"{error.stream_key!r} at {error.version}")
            else:
                found.damaged.append(error)
        else:
            if pointer is not None:
                found.pointers.append(pointer)
    return found


def find_pointer(item: Item) -> Pointer | None:
    """Return the pointer to a commit, from its item or image; None for a fence or a snapshot.

    Raises:
        StoredItemError: the item is none of the three, or this release cannot read it.
    """
    if is_fence(item):
        generation_of(item)
        if "events" in item or "event_count" in item:
            raise _damaged(item, "it is both a fence and a commit.")
        return None
    # The adapter for eventsourcing keeps snapshots in separate streams, at other sort keys.
    elsewhere = "snapshot_version" in item and _COMMITS.isdisjoint(item)
    if is_snapshot(item) or elsewhere:
        return None
    pointer = pointer_to(item)
    check_identity(pointer)
    return pointer


def pointer_to(item: Item) -> Pointer:
    """Return the pointer to a commit, from its stored item. The events are not needed.

    It does not check the stream's key; `check_identity` does that.

    Raises:
        StoredItemError: the item is not a commit, or this release cannot read it.
    """
    commit = read_commit(item)
    for name, types in _TYPES.items():
        if name in item and types.isdisjoint(item[name]):
            raise _damaged(item, f"its {name} is of another type.")
    if "event_names" not in item:
        raise _damaged(item, "it has no event_names.")
    if names_size(item) > MAX_NAMES_BYTES:
        raise _damaged(item, f"its names take more than {MAX_NAMES_BYTES:,} bytes.")
    return Pointer(
        stream_key=item["stream_key"]["S"],
        stream_name=item["stream_name"]["S"] if "stream_name" in item else None,
        generation=commit.generation,
        first_version=commit.version,
        event_count=commit.last - commit.version + 1,
        event_names=tuple(sorted(item["event_names"]["SS"])),
        outbox="outbox" in item,
        versionless=commit.versionless,
    )


def check_identity(pointer: Pointer) -> None:
    """Check that a pointer's key is that of a stream, and that its name belongs to that stream.

    Raises:
        StoredItemError: the key or the name is wrong.
    """
    try:
        _, category, uuid = parse_stream_key(pointer.stream_key)
        StreamId(uuid, pointer.stream_name, category=category)
    except InvalidStreamIdError:
        raise StoredItemError(
            pointer.stream_key, pointer.first_version, "its name is not the stream's."
        ) from None
    except ValueError:
        raise StoredItemError(
            pointer.stream_key, pointer.first_version, "its key is not a stream's."
        ) from None


def units_of(pointer: Pointer, item: Item) -> int:
    """Return the write units of a commit's item, read without the attributes of its pointer."""
    left_out: Item = {
        "event_count": number(pointer.event_count),
        "event_names": {"SS": list(pointer.event_names)},
    }
    if pointer.stream_name is not None:
        left_out["stream_name"] = {"S": pointer.stream_name}
    if pointer.versionless:
        left_out["versionless"] = {"BOOL": True}
    return write_units(item_size({**left_out, **item}))


def is_foreign(item: Item) -> bool:
    """Return whether an item has no attribute and no key that this library writes."""
    if not _OWN.isdisjoint(item):
        return False
    try:
        parse_stream_key(item["stream_key"]["S"])
    except ValueError:
        return True
    return False


def is_newer(item: Item) -> bool:
    """Return whether a newer release wrote an item, in a format that this one cannot read."""
    return "item_format" in item


def _damaged(item: Item, reason: str) -> StoredItemError:
    return StoredItemError(item["stream_key"]["S"], item["version"]["N"], reason)
