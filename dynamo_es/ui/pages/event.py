"""An event: its stored form, and its form after its class has read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.routing import Route

from dynamo_es.exceptions import CredentialsError, InvalidPositionError
from dynamo_es.ui.browser import browser_of
from dynamo_es.ui.decoding import is_encrypted, masked, revealed, schema_version, upcast
from dynamo_es.ui.queries import (
    event_address,
    number_of,
    stream_address,
    stream_of,
    tenant_of,
)
from dynamo_es.ui.rendering import render

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from dynamo_es.contracts import StreamHead
    from dynamo_es.dynamodb.maintenance.inspection import FoundPosition
    from dynamo_es.dynamodb.maintenance.stored_items import StoredItem
    from dynamo_es.values import RawEvent, StreamId, TenantId


_LONGEST_IN_A_LINK: Final = 500
"""The most characters of a correlation id in an address. Browsers send at most 64 KB in all."""


class _Found(NamedTuple):
    """An event, the item that holds it, and whether a deletion left it."""

    event: RawEvent
    item: StoredItem | None
    leftover: bool


def event(request: Request) -> Response:
    """Show an event."""
    browser = browser_of(request)
    tenant_id = browser.check_tenant(tenant_of(request))
    stream_id = stream_of(request)
    version = number_of(request, "version", least=1)
    if version is None:
        raise HTTPException(400, "version must be a whole number of 1 or more.")
    head = browser.backend_of(tenant_id).storage.head(stream_id)
    found = _find(request, tenant_id, stream_id, version, head)
    stored, problem = masked(found.event), ""
    if browser.reveal and is_encrypted(found.event):
        stored, problem = revealed(request, tenant_id, found.event)
    stream_id = found.event.stream_id
    position = _position(request, tenant_id, found.event, version)
    return render(
        request,
        "event.html",
        tenant_id=tenant_id,
        stream_id=stream_id,
        event=found.event,
        version=version,
        item=found.item,
        leftover=found.leftover,
        stored=stored,
        problem=problem,
        encrypted=is_encrypted(found.event),
        schema=schema_version(found.event),
        upcast=upcast(request, tenant_id, found.event),
        position=position,
        earlier=event_address(tenant_id, stream_id, version - 1) if version > 1 else None,
        later=(
            event_address(tenant_id, stream_id, version + 1)
            if head is not None and version < head.length
            else None
        ),
        conversation=_conversation(tenant_id, found.event, version, position),
        details=browser.reading.knows_items,
    )


def _find(
    request: Request,
    tenant_id: TenantId,
    stream_id: StreamId,
    version: int,
    head: StreamHead | None,
) -> _Found:
    browser = browser_of(request)
    live = None if head is None else head.generation
    generation = number_of(request, "generation", live)
    items = browser.reading.items(tenant_id, stream_id, below=version + 1, limit=1)
    for item in items:
        if item.kind == "commit" and item.generation == generation and item.last >= version:
            return _Found(item.events[version - item.first], item, generation != live)
    events = browser.backend_of(tenant_id).storage.fetch_events(stream_id, version, version + 1)
    if not events or (generation is not None and events[0].generation != generation):
        raise HTTPException(404, f"The stream has no event at version {version:,}.")
    return _Found(events[0], None, leftover=False)


def _position(
    request: Request, tenant_id: TenantId, event: RawEvent, version: int
) -> FoundPosition | None:
    """Return the result of a bounded search for the position; None: the log cannot be read."""
    before = number_of(request, "before", least=1)
    try:
        return browser_of(request).reading.find_position(
            tenant_id,
            event.stream_id,
            generation=event.generation or 0,
            version=version,
            before=before,
        )
    except (CredentialsError, InvalidPositionError):
        return None


def _conversation(
    tenant_id: TenantId, event: RawEvent, version: int, position: FoundPosition | None
) -> str:
    correlation = event.context.get("correlation_id")
    return stream_address(
        tenant_id,
        event.stream_id,
        "/conversation",
        of=correlation if _fits_a_query(correlation) else event.uuid,
        version=version,
        around=None if position is None else position.position,
    )


def _fits_a_query(correlation: Any) -> bool:
    """Return whether a correlation id, which may be any JSON, fits into an address."""
    return isinstance(correlation, str) and 0 < len(correlation) <= _LONGEST_IN_A_LINK


routes = [Route("/event", event)]
