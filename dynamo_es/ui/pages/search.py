"""Search for an id, a name or an event name. The page says what it searched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from starlette.routing import Route

from dynamo_es.exceptions import CredentialsError
from dynamo_es.ui.browser import browser_of
from dynamo_es.ui.queries import text_of
from dynamo_es.ui.rendering import render
from dynamo_es.ui.window import places_of, read_window
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from dynamo_es.values import TenantId

_CATEGORIES: Final = 300
"""The most categories in which a stream is looked up by id or name, in 3 requests."""
_EVENTS: Final = 500
"""How many of the log's newest events are searched."""
_SHOWN: Final = 50


def search(request: Request) -> Response:
    """Show the categories, streams and events that a text finds."""
    browser = browser_of(request)
    query = text_of(request, "q").strip()
    if not query:
        return render(request, "search.html", query="", refused="")
    refused = ""
    categories: list[tuple[TenantId, str | None]] = []
    more = False
    try:
        listed = browser.reading.categories(None)
        categories = [one for one in listed.items if browser.tenant in {None, one[0]}]
        more = listed.next is not None or len(categories) > _CATEGORIES
        log = browser.scoped.log
        # With one log for each tenant, search for events on the log page of a tenant.
        window = None if log.per_tenant else read_window(log, None, _EVENTS)
    except CredentialsError as error:
        refused, window = str(error), None
    looked_in = categories[:_CATEGORIES] or [(browser.tenant or "", None)]
    asked = [(tenant, _stream_named(query, category)) for tenant, category in looked_in]
    try:
        streams = browser.reading.existing(asked)
    except CredentialsError:  # a session of one tenant may ask for one stream only
        storage = browser.backend.storage
        streams = [
            (tenant, one)
            for tenant, one in asked[:1]
            if storage.scoped_for_tenant(tenant).head(one) is not None
        ]
    records = [] if window is None else window.records
    folded = query.casefold()
    found = [
        record
        for record in reversed(records)
        if folded in record.entry.name.casefold()
        or query == str(record.entry.uuid)
        or (record.entry.stream_id.name or "").casefold().startswith(folded)
    ]
    return render(
        request,
        "search.html",
        query=query,
        streams=streams,
        categories=[
            one
            for one in categories
            if folded in one[0].casefold() or folded in (one[1] or "").casefold()
        ][:_SHOWN],
        looked_in=looked_in,
        more=more,
        events=found[:_SHOWN],
        places=places_of(found[:_SHOWN]),
        window=window,
        refused=refused,
    )


def _stream_named(text: str, category: str | None) -> StreamId:
    try:
        return StreamId(UUID(text), category=category)
    except ValueError:
        return StreamId(name=text, category=category)


routes = [Route("/search", search)]
