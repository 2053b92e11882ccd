"""A stream: its commits with their events, its snapshot, and its generations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from starlette.routing import Route

from dynamo_es.exceptions import CredentialsError
from dynamo_es.ui.browser import browser_of
from dynamo_es.ui.decoding import is_encrypted, masked
from dynamo_es.ui.paging import Page
from dynamo_es.ui.queries import number_of, stream_of, tenant_of
from dynamo_es.ui.reading import ITEMS_A_PAGE
from dynamo_es.ui.rendering import render

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from dynamo_es.contracts import StreamHead
    from dynamo_es.dynamodb.log.markers import MarkedGeneration
    from dynamo_es.dynamodb.maintenance.stored_items import StoredItem
    from dynamo_es.values import StreamId

_EVENTS_SHOWN: Final = 10
"""The most events of one commit that the list shows."""
_MICROSECONDS: Final = 1_000_000


@dataclass(slots=True)
class Row:
    """A row of the list: a commit, an item that cannot be read, or fences next to each other.

    Attributes:
        item: the item; for several fences, the one with the highest version.
        lowest: lowest version of the fences.
        leftover: whether the item belongs to a deleted generation.
    """

    item: StoredItem
    lowest: int
    leftover: bool


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation of a stream.

    Attributes:
        number: the generation.
        began: when it was created; None if its number is not a time.
        version: its last version in the log; None: the log does not have it.
        live: whether it exists.
        fences: number of its fences on this page.
        commits: number of its commits on this page.
    """

    number: int
    began: datetime | None
    version: int | None
    live: bool
    fences: int
    commits: int


def stream(request: Request) -> Response:
    """Show a stream from its newest commit down."""
    browser = browser_of(request)
    tenant_id = browser.check_tenant(tenant_of(request))
    stream_id = stream_of(request)
    storage = browser.backend_of(tenant_id).storage
    head = storage.head(stream_id)
    below = number_of(request, "after", least=1)
    items = browser.reading.items(tenant_id, stream_id, below=below, limit=ITEMS_A_PAGE)
    try:
        marked = browser.reading.generations(tenant_id, stream_id)
    except CredentialsError:  # a session of one tenant does not reach the log
        marked = None
    following = str(items[-1].place) if items and items[-1].place > 1 else None
    rows = _rows(items, head)
    return render(
        request,
        "stream.html",
        status=200 if head or items or marked else 404,
        tenant_id=tenant_id,
        stream_id=_named(stream_id, items),
        head=head,
        page=Page(rows, following),
        snapshot=next((one for one in items if one.kind == "snapshot"), None),
        generations=_generations(marked or [], items, head),
        in_log=_in_log(marked, head),
        details=browser.reading.knows_items,
        shown=_EVENTS_SHOWN,
        masked=masked,
        is_encrypted=is_encrypted,
    )


def _rows(items: Iterable[StoredItem], head: StreamHead | None) -> list[Row]:
    rows: list[Row] = []
    for item in items:
        if item.kind == "snapshot":
            continue
        last = rows[-1] if rows else None
        if (
            last is not None
            and item.kind == last.item.kind == "fence"
            and item.generation == last.item.generation
            and item.place == last.lowest - 1
        ):
            last.lowest = item.place
            continue
        leftover = item.kind == "commit" and (head is None or item.generation != head.generation)
        rows.append(Row(item, item.place, leftover))
    return rows


def _generations(
    marked: Sequence[MarkedGeneration], items: Sequence[StoredItem], head: StreamHead | None
) -> list[Generation]:
    versions = {one.generation: one.version for one in marked}
    numbers = {*versions, *(item.generation for item in items if item.kind != "unreadable")}
    if head is not None:
        numbers.add(head.generation)
    return [
        Generation(
            number,
            _began(number),
            versions.get(number),
            head is not None and head.generation == number,
            sum(item.kind == "fence" and item.generation == number for item in items),
            sum(item.kind == "commit" and item.generation == number for item in items),
        )
        for number in sorted(numbers, reverse=True)
    ]


def _began(generation: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(generation / _MICROSECONDS, UTC)
    except (OSError, OverflowError, ValueError):
        return None


def _in_log(marked: Sequence[MarkedGeneration] | None, head: StreamHead | None) -> int | None:
    """Return the last version that has a position; None if the log cannot be read."""
    if marked is None or head is None:
        return None
    return next((one.version for one in marked if one.generation == head.generation), 0)


def _named(stream_id: StreamId, items: Iterable[StoredItem]) -> StreamId:
    """Return the id with the name that its newest commit holds."""
    for item in items:
        if item.kind == "commit" and item.events:
            name = item.events[0].stream_id.name
            if stream_id.name is None and name is not None:
                return item.events[0].stream_id
    return stream_id


routes = [Route("/stream", stream)]
