"""Items of the log table: pages of pointers to commits, and markers of what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic_core import from_json, to_json

from dynamo_es.dynamodb.compression import pack, unpack
from dynamo_es.dynamodb.items import SAFE_ITEM_BYTES, read_commit
from dynamo_es.dynamodb.sizes import item_size
from dynamo_es.exceptions import StoredItemError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.dynamodb.items import Item
    from dynamo_es.values import Position

PAGES_KEY: Final = "log"
"""Partition key of the pages."""

PLACE_DIGITS: Final = 20
"""Of a number in a sort key, zero-padded, so that text order is number order."""

MAX_POINTERS: Final = 100
"""Commits of a page: as many as one ``BatchGetItem`` fetches, of markers or of commits."""

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
        StoredItemError: it is not a commit.
    """
    commit = read_commit(item)
    try:
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
    except (KeyError, TypeError) as error:
        raise StoredItemError(
            str(item.get("stream_key", {}).get("S", "?")), commit.version, f"no {error}."
        ) from error


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
    try:
        pointers = tuple(_pointer(*row) for row in from_json(unpack(item["pointers"])))
        page = Page(int(item["place"]["S"]), pointers, item["writer"]["S"])
        counted = int(item["count"]["N"])
    except (AttributeError, KeyError, ValueError, TypeError) as error:
        raise _unreadable(item, f"{type(error).__name__}: {error}.") from error
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


def _unreadable(item: Item, reason: str) -> StoredItemError:
    return StoredItemError(PAGES_KEY, item.get("place", {}).get("S"), reason)
