"""Pages of the log: one item with pointers to up to 100 commits, and with their positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic_core import from_json, to_json

from dynamo_es.dynamodb.log.markers import PLACE_DIGITS
from dynamo_es.dynamodb.log.pointers import Pointer
from dynamo_es.dynamodb.wire.encoding.compression import pack, unpack
from dynamo_es.dynamodb.wire.sizes import SAFE_ITEM_BYTES, item_size
from dynamo_es.exceptions import LogScopeError, StoredItemError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.dynamodb.wire.steps import Item
    from dynamo_es.values import Position

SCOPE: Final = "log_scope"
"""Attribute of the item that replaces the first page in a table with a log for each tenant."""

MAX_POINTERS: Final = 100
"""The most commits in a page. One ``BatchGetItem`` can fetch as many markers or commits."""

_OUTBOX: Final = 1
_VERSIONLESS: Final = 2


class Page(NamedTuple):
    """Some commits with their positions, one position for each event, without gaps.

    Attributes:
        first: position of the first event, 1-based.
        pointers: pointers to the commits, in the order of their positions.
        writer: random id of this page, by which its writer distinguishes it from another's page.
        put_at: when it was put, in microseconds since the epoch by its writer's clock; None:
            unknown.
    """

    first: Position
    pointers: tuple[Pointer, ...]
    writer: str
    put_at: int | None = None

    @property
    def following(self) -> Position:
        """First position of the next page."""
        return self.first + _events_of(self.pointers)


def place_of(position: Position) -> str:
    """Return the sort key of the page that begins at a position."""
    return f"{position:0{PLACE_DIGITS}d}"


def fill_page(
    first: Position,
    pointers: Sequence[Pointer],
    writer: str,
    prefix: str = "",
    put_at: int | None = None,
) -> tuple[Page, Item]:
    """Return a page of as many pointers as fit, and the page's item.

    Args:
        first: first position of the page.
        pointers: the pointers, one or more; those that do not fit are left for the next page.
        writer: random id of this page.
        prefix: prefix of the keys of the log; see `LogKeys`.
        put_at: when it is put, in microseconds since the epoch; None: unknown.
    """
    chosen = tuple(pointers[:MAX_POINTERS])
    while True:
        page = Page(first, chosen, writer, put_at)
        item = page_item(page, prefix)
        # A single pointer always fits, because the commit's item also holds all its data.
        if len(chosen) == 1 or item_size(item) <= SAFE_ITEM_BYTES:
            return page, item
        chosen = chosen[: len(chosen) // 2]


def page_item(page: Page, prefix: str = "") -> Item:
    """Return the item of a page, with the pointers compressed if that costs less to write.

    Args:
        page: the page.
        prefix: prefix of the keys of the log; see `LogKeys`.
    """
    item: Item = {
        "log_key": {"S": f"{prefix}log"},
        "place": {"S": place_of(page.first)},
        "count": {"N": str(_events_of(page.pointers))},
        "writer": {"S": page.writer},
    }
    if page.put_at is not None:
        item["put_at"] = {"N": str(page.put_at)}
    pack(item, "pointers", to_json([_row(pointer) for pointer in page.pointers]))
    return item


def read_page(item: Item) -> Page:
    """Return the page that an item holds.

    Raises:
        StoredItemError: this release cannot read the item.
    """
    page = read_any_page(item)
    if not page.pointers or min(pointer.event_count for pointer in page.pointers) < 1:
        raise _unreadable(item, "it has no pointers. Run `dynamo-es log repair`.")
    return page


def read_any_page(item: Item) -> Page:
    """Return a page, even one without pointers, or with pointers to impossible commits.

    Raises:
        StoredItemError: the item is not a page.
        LogScopeError: the table is in use with one log for each tenant.
    """
    refuse_scope(item)
    try:
        pointers = tuple(map(_pointer, from_json(unpack(item["pointers"]))))
        put_at = int(item["put_at"]["N"]) if "put_at" in item else None
        page = Page(int(item["place"]["S"]), pointers, item["writer"]["S"], put_at)
        counted = int(item["count"]["N"])
    except (AttributeError, KeyError, ValueError, TypeError):
        raise _unreadable(item, "it is not a page.") from None
    if counted != _events_of(pointers):
        raise _unreadable(
            item, f"its count is {counted}, but its pointers have a different number of events."
        )
    return page


def refuse_scope(item: Item) -> None:
    """Raise `LogScopeError` if the item says that each tenant has a log."""
    if SCOPE in item:
        raise LogScopeError(None, "tenant", "table")


def _row(pointer: Pointer) -> list[Any]:
    flags = _OUTBOX * pointer.outbox | _VERSIONLESS * pointer.versionless
    return [*pointer[:6], flags]


def _pointer(row: Any) -> Pointer:
    key, name, generation, first, count, names, flags = row
    if not (type(key) is str and type(generation) is type(first) is type(count) is int):
        raise TypeError
    outbox, versionless = bool(flags & _OUTBOX), bool(flags & _VERSIONLESS)
    # `_make` takes a third of the time of `Pointer(…)`.
    return Pointer._make((key, name, generation, first, count, tuple(names), outbox, versionless))


def _events_of(pointers: Sequence[Pointer]) -> int:
    return sum(pointer.event_count for pointer in pointers)


def _unreadable(item: Item, reason: str) -> StoredItemError:
    log_key, place = (item.get(name, {}).get("S") for name in ("log_key", "place"))
    return StoredItemError(str(log_key), place, reason)
