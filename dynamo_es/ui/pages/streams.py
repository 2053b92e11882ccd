"""The streams of a category."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.routing import Route

from dynamo_es.ui.browser import browser_of
from dynamo_es.ui.queries import category_of, tenant_of, text_of
from dynamo_es.ui.rendering import render
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


def streams(request: Request) -> Response:
    """Show a page of a category's streams, optionally by the beginning of their name or id."""
    browser = browser_of(request)
    tenant_id = browser.check_tenant(tenant_of(request))
    category, prefix = category_of(request), text_of(request, "prefix")
    after = text_of(request, "after") or None
    if after is not None:
        _check_uuid(after)
    named = None
    if prefix and after is None:
        exact = StreamId(name=prefix, category=category)
        named = next((one for _, one in browser.reading.existing([(tenant_id, exact)])), None)
    return render(
        request,
        "streams.html",
        tenant_id=tenant_id,
        category=category,
        prefix=prefix,
        named=named,
        page=browser.reading.streams(tenant_id, category, prefix, after),
    )


def _check_uuid(text: str) -> None:
    try:
        if str(UUID(text)) == text:
            return
    except ValueError:
        pass
    raise HTTPException(400, "after must be a lower-case UUID. Begin at the first page.")


routes = [Route("/streams", streams)]
