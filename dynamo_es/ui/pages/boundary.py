"""A boundary: its events with their tags, newest first, and which of them match a query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException
from starlette.routing import Route

from dynamo_es.exceptions import InputError
from dynamo_es.ui.browser import browser_of
from dynamo_es.ui.decoding import is_encrypted, masked
from dynamo_es.ui.queries import boundary_address, boundary_of, number_of, tenant_of, text_of
from dynamo_es.ui.rendering import render
from dynamo_es.values import Query, matches_event, tags_of
from dynamo_es.values.query_texts import query_of_text
from dynamo_es.values.tags import stored_tag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from dynamo_es.contracts import StorageStrategy
    from dynamo_es.values import RawEvent, StreamId

_ROWS: Final = 50
"""Events on a page."""
_LOOKED_AT: Final = 2_000
"""The most versions that a page reads, whether they match or not."""


@dataclass(frozen=True, slots=True)
class ShownTag:
    """A tag of an event.

    Attributes:
        text: the tag as it is stored.
        query: the query that finds the events with the tag; None if the text is not a valid tag.
    """

    text: str
    query: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """An event that matches.

    Attributes:
        event: the event, as it is stored.
        tags: its tags, in order.
        matched: the alternatives of the query that match it, as text.
    """

    event: RawEvent
    tags: list[ShownTag]
    matched: list[str]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of versions, and the events in it that match.

    Attributes:
        first: lowest version that was read.
        last: highest version that was read; below ``first`` if nothing was read.
        count: number of events that match.
        rows: the newest events that match.
        before: versions below this one were not read and may match too; None: all were read.
    """

    first: int
    last: int
    count: int
    rows: list[Row]
    before: int | None


def boundary(request: Request) -> Response:
    """Show the events of a boundary that match a query, after a version if one is given."""
    browser = browser_of(request)
    tenant_id = browser.check_tenant(tenant_of(request))
    stream_id = boundary_of(request)
    text = text_of(request, "query").strip()
    storage = browser.backend_of(tenant_id).storage
    head = storage.head(stream_id)
    last = 0 if head is None else head.length
    problem, query, after, before = "", Query.everything(), None, None
    try:
        query = query_of_text(text)
        after = number_of(request, "after")
        before = number_of(request, "before", least=1)
    except InputError as error:
        problem = str(error)
    except HTTPException as error:
        problem = error.detail
    stretch = None
    if last and not problem:
        stretch = _read(storage, stream_id, query, after or 0, min(before or last + 1, last + 1))
    kept = {"query": text or None, "after": after}
    return render(
        request,
        "boundary.html",
        status=400 if problem else 200 if last else 404,
        tenant_id=tenant_id,
        stream_id=stream_id,
        head=last,
        text=text,
        after=after,
        after_text=text_of(request, "after"),
        unreached=after is not None and after > last,
        items=query.items,
        problem=problem,
        stretch=stretch,
        newest=boundary_address(tenant_id, stream_id, **kept) if before else None,
        earlier=_earlier(tenant_id, stream_id, stretch, kept),
        masked=masked,
        is_encrypted=is_encrypted,
    )


def _read(
    storage: StorageStrategy, stream_id: StreamId, query: Query, after: int, before: int
) -> Stretch:
    """Read the versions after ``after`` and below ``before``, newest first, one page of them."""
    first = max(after + 1, before - _LOOKED_AT, 1)
    events = storage.fetch_events(stream_id, first, before) if first < before else []
    found = [event for event in reversed(events) if matches_event(query, event)]
    rows = [_row(query, event) for event in found[:_ROWS]]
    following = None
    if len(found) > _ROWS:
        following = rows[-1].event.version
    elif first > after + 1:
        following = first
    return Stretch(first, before - 1, len(found), rows, following)


def _row(query: Query, event: RawEvent) -> Row:
    matched = [item.text for item in query.items if matches_event(Query.of_items([item]), event)]
    return Row(event, [_shown(text) for text in sorted(tags_of(event))], matched)


def _shown(text: str) -> ShownTag:
    try:
        return ShownTag(text, Query(tags=[stored_tag(text)]).text)
    except InputError:  # another program stored it
        return ShownTag(text, None)


def _earlier(
    tenant_id: str, stream_id: StreamId, stretch: Stretch | None, kept: Mapping[str, object]
) -> str | None:
    if stretch is None or stretch.before is None:
        return None
    return boundary_address(tenant_id, stream_id, **kept, before=stretch.before)


routes = [Route("/boundary", boundary)]
