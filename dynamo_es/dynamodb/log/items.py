"""Items of the log table: pages of pointers to commits, and markers of what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic_core import from_json, to_json

from dynamo_es.dynamodb.streams.items import (
    MAX_COMMIT_EVENTS,
    MAX_NAMES_BYTES,
    names_size,
    read_commit,
)
from dynamo_es.dynamodb.streams.keys import MAX_KEY_BYTES, SNAPSHOT_VERSION
from dynamo_es.dynamodb.wire.compression import pack, unpack
from dynamo_es.dynamodb.wire.sizes import SAFE_ITEM_BYTES, item_size
from dynamo_es.exceptions import StoredItemError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.dynamodb.wire.steps import Item
    from dynamo_es.values import Position

PAGES_KEY: Final = "log"
"""Partition key of the pages."""

PLACE_DIGITS: Final = 20
"""Of a number in a sort key, zero-padded, so that text order is number order."""

MAX_PLACE_BYTES: Final = 1024
"""DynamoDB's limit for a sort key."""

MAX_POINTERS: Final = 100
"""Commits of a page: as many as one ``BatchGetItem`` fetches, of markers or of commits."""

_KINDS: Final = {
    "event_names": {"SS"},
    "stream_name": {"S"},
    "versionless": {"BOOL"},
    "outbox": {"BOOL", "NS"},
}
"""Attributes of a commit by the types that they may have."""

_OUTBOX: Final = 1
_VERSIONLESS: Final = 2


class Pointer(NamedTuple):
    """Where a commit is, and what consumers choose by without fetching it.

    Attributes:
        stream_key: partition key of its stream.
        stream_name: the stream's name, if it has one.
        generation: life of the stream it belongs to.
        first_version: version of its first event, 1-based.
        event_count: how many events it has: as many positions as it takes.
        event_names: their names, sorted, each once.
        outbox: whether it is to be published.
        versionless: whether its events carry no versions.
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
        """Version of its last event."""
        return self.first_version + self.event_count - 1

    @property
    def can_have_marker(self) -> bool:
        """Whether its figures and keys are such that its stream can have a marker."""
        marker = Marker.of(self)
        return (
            self.first_version >= 1
            and 1 <= self.event_count <= MAX_COMMIT_EVENTS
            and self.last_version < SNAPSHOT_VERSION
            and 0 <= self.generation <= SNAPSHOT_VERSION
            and len(marker.log_key.encode()) <= MAX_KEY_BYTES
            and len(marker.place.encode()) <= MAX_PLACE_BYTES
        )


class Page(NamedTuple):
    """Some commits with their positions, which are those of their events, one after the other.

    Attributes:
        first: position of the first event, 1-based.
        pointers: the commits, in the order of their positions.
        writer: random, of this very page: whoever put it can tell it from another's.
    """

    first: Position
    pointers: tuple[Pointer, ...]
    writer: str

    @property
    def following(self) -> Position:
        """Position of the first event of the next page."""
        return self.first + _events_of(self.pointers)


class Marker(NamedTuple):
    """Key of the item that says how far one life of a stream is in the log.

    Attributes:
        log_key: ``streams#{tenant}#{category}#{last hex digit of the UUID}``.
        place: ``{uuid}#{generation}``, the latter zero-padded.
    """

    log_key: str
    place: str

    @classmethod
    def of(cls, pointer: Pointer) -> Marker:
        """Return the marker of a commit's stream and generation."""
        category, _, uuid = pointer.stream_key.rpartition("#")
        return cls.at(category, uuid, pointer.generation)

    @classmethod
    def at(cls, category: str, uuid: str, generation: int) -> Marker:
        """Return the marker of a generation of a stream, given the two parts of its key."""
        return cls(f"streams#{category}#{uuid[-1:]}", f"{uuid}#{generation:0{PLACE_DIGITS}d}")

    @property
    def key(self) -> Item:
        """Its key in the wire format."""
        return {"log_key": {"S": self.log_key}, "place": {"S": self.place}}


def place_of(position: Position) -> str:
    """Return the sort key of the page that begins at a position."""
    return f"{position:0{PLACE_DIGITS}d}"


def pointer_to(item: Item) -> Pointer:
    """Return the pointer to a commit, given as stored; the events themselves are not needed.

    Raises:
        StoredItemError: it is not a commit that this release could have written. Whether its key
            is a stream's is not looked at.
    """
    commit = read_commit(item)
    for name, kinds in _KINDS.items():
        if name in item and kinds.isdisjoint(item[name]):
            raise _no_commit(item, f"its {name} is of another type.")
    if "event_names" not in item:
        raise _no_commit(item, "it has no event_names.")
    if names_size(item) > MAX_NAMES_BYTES:
        raise _no_commit(item, f"its names take more than {MAX_NAMES_BYTES:,} bytes.")
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


def fill_page(first: Position, pointers: Sequence[Pointer], writer: str) -> tuple[Page, Item]:
    """Return the page that begins at a position with as many of the pointers as fit, and its item.

    Args:
        first: its first position.
        pointers: one or more; what does not fit is left for the next page.
        writer: random, of this page.
    """
    chosen = tuple(pointers[:MAX_POINTERS])
    while True:
        page = Page(first, chosen, writer)
        item = page_item(page)
        # One alone always fits: the commit has in it whatever its pointer has.
        if len(chosen) == 1 or item_size(item) <= SAFE_ITEM_BYTES:
            return page, item
        chosen = chosen[: len(chosen) // 2]


def page_item(page: Page) -> Item:
    """Return the item of a page; the pointers are compressed where that costs less to write."""
    item: Item = {
        "log_key": {"S": PAGES_KEY},
        "place": {"S": place_of(page.first)},
        "count": {"N": str(_events_of(page.pointers))},
        "writer": {"S": page.writer},
    }
    pack(item, "pointers", to_json([_row(pointer) for pointer in page.pointers]))
    return item


def read_page(item: Item) -> Page:
    """Return a page as it was put.

    Raises:
        StoredItemError: the item is not one that this release wrote.
    """
    page = read_any_page(item)
    if not page.pointers or min(pointer.event_count for pointer in page.pointers) < 1:
        raise _unreadable(item, "it points to nothing. Run `dynamo-es log repair`.")
    return page


def read_any_page(item: Item) -> Page:
    """Return a page, also one that points to nothing, or to what no stream can have.

    Raises:
        StoredItemError: it is not a page.
    """
    try:
        pointers = tuple(_pointer(*row) for row in from_json(unpack(item["pointers"])))
        page = Page(int(item["place"]["S"]), pointers, item["writer"]["S"])
        counted = int(item["count"]["N"])
    except (AttributeError, KeyError, ValueError, TypeError):
        raise _unreadable(item, "it is not a page.") from None
    if counted != _events_of(pointers):
        raise _unreadable(item, f"it counts {counted} events and points to others.")
    return page


def _row(pointer: Pointer) -> list[Any]:
    flags = _OUTBOX * pointer.outbox | _VERSIONLESS * pointer.versionless
    return [*pointer[:6], flags]


def _pointer(
    key: str, name: str | None, generation: int, first: int, count: int, *rest: Any
) -> Pointer:
    names, flags = rest
    if not isinstance(key, str) or not all(type(n) is int for n in (generation, first, count)):
        raise TypeError
    return Pointer(
        key,
        name,
        generation,
        first,
        count,
        tuple(names),
        outbox=bool(flags & _OUTBOX),
        versionless=bool(flags & _VERSIONLESS),
    )


def _events_of(pointers: Sequence[Pointer]) -> int:
    return sum(pointer.event_count for pointer in pointers)


def _no_commit(item: Item, reason: str) -> StoredItemError:
    return StoredItemError(item["stream_key"]["S"], item["version"]["N"], reason)


def _unreadable(item: Item, reason: str) -> StoredItemError:
    return StoredItemError(PAGES_KEY, item.get("place", {}).get("S"), reason)
