"""Consumers: every projection, projector and outbox, with position, lag and failures."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.routing import Route

from dynamo_es.contracts import Followed, FoundConsumers, OutboxInfo
from dynamo_es.contracts.consumers.claims import short_name
from dynamo_es.exceptions import CredentialsError
from dynamo_es.outbox.outbox import DEFAULT_NAME
from dynamo_es.ui.browser import browser_of
from dynamo_es.ui.consumer_views import (
    Lags,
    LagsByLog,
    cursor_address,
    in_words,
    outbox_row,
    projection_address,
)
from dynamo_es.ui.paging import Page
from dynamo_es.ui.queries import address, number_of, stream_address, stream_of, tenant_of, text_of
from dynamo_es.ui.rendering import render, utc

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from dynamo_es.contracts import Checkpoint, CursorInfo, StreamHead
    from dynamo_es.facade.backend import Backend
    from dynamo_es.ui.consumer_views import OutboxRow
    from dynamo_es.values import TenantId


def show_consumers(request: Request) -> Response:
    """List the consumers. A scan finds projectors and other outboxes, one part for each page."""
    browser = browser_of(request)
    backend = browser.scoped
    lags = LagsByLog(backend.log)
    per_tenant = backend.log.per_tenant
    after = text_of(request, "after")
    found, refused = _found(backend, after)
    # With one log for each tenant, no outbox spans all tenants. The scan finds those of each.
    outboxes = [] if after or per_tenant else [_default_outbox(backend, browser.tenant)]
    outboxes += [
        outbox_row(one)
        for one in found.outboxes
        if per_tenant or (one.name, one.tenant_id) != (DEFAULT_NAME, browser.tenant)
    ]
    return render(
        request,
        "consumers.html",
        projections=[_projection(one, lags.of(one.tenant_id)) for one in backend.checkpoints.all()],
        parked=backend.parked.all(),
        stream_address=stream_address,
        outboxes=[(one, lags.of(one.tenant).events(one.position)) for one in outboxes],
        cursors=[(one, cursor_address(one)) for one in sorted(found.cursors, key=_failing_first)],
        page=Page([], found.after, _looked_at(found.after, after)),
        last=None if per_tenant else lags.of(None).last,
        refused=refused,
    )


def _found(backend: Backend, after: str) -> tuple[FoundConsumers, str]:
    """Return some projectors and outboxes; none, and the reason, if the scan is refused."""
    try:
        return backend.consumers.find(after or None), ""
    except CredentialsError as error:
        backend.checkpoints.all()  # if this is refused too, there is nothing to show: let it raise
        return FoundConsumers((), (), None), str(error)


def show_projection(request: Request) -> Response:
    """Show a projection: its position, lag and failure, and what can be done."""
    name, tenant = consumer_of(request)
    backend = backend_of(request, tenant)
    lags = Lags(backend.log)
    found = [
        one
        for one in backend.checkpoints.all()
        if one.name == name
        and one.tenant_id == backend_tenant(request, tenant)
        and one.version == number_of(request, "version")
    ]
    if not found:
        raise HTTPException(404, f"There is no projection named {name[:200]!r}.")
    return render(
        request,
        "projection.html",
        section="/consumers",
        one=_projection(found[0], lags),
        last=lags.last,
        confirm=_confirm("projection", name=name, tenant=tenant),
    )


def show_projector(request: Request) -> Response:
    """Show a read model's place in one stream, its failure, and what can be done."""
    name, tenant = text_of(request, "name"), tenant_of(request)
    backend = browser_of(request).backend_of(tenant)
    followed = Followed(name, stream_of(request), tenant, number_of(request, "generation") or 0)
    head = backend.storage.head(followed.stream_id)
    cursor = backend.cursors.info(followed)
    if cursor is None:
        raise HTTPException(404, f"The read model {name[:200]!r} has no cursor in that stream.")
    return render(
        request,
        "projector.html",
        section="/consumers",
        followed=followed,
        cursor=cursor,
        head=head,
        lag_time=in_words(_time_between(backend, followed, cursor.version, head)),
        stream_link=stream_address(tenant, followed.stream_id),
        confirm=_confirm(
            "projector",
            name=name,
            tenant=tenant,
            category=followed.stream_id.category,
            id=str(followed.stream_id),
            generation=followed.generation,
        ),
    )


def show_outbox(request: Request) -> Response:
    """Show an outbox: its position, lag and failed entries, and what can be done."""
    name, tenant = consumer_of(request)
    backend = backend_of(request, tenant)
    lags = Lags(backend.log)
    outbox = backend.outbox.named(name)
    position = outbox.position
    return render(
        request,
        "outbox.html",
        section="/consumers",
        name=name,
        tenant=tenant,
        position=position,
        lag_events=lags.events(position),
        lag_time=in_words(lags.time(position)),
        entries=outbox.entries(),
        last=lags.last,
        confirm=_confirm("outbox", name=name, tenant=tenant),
    )


def _time_between(
    backend: Backend, followed: Followed, version: int, head: StreamHead | None
) -> timedelta | None:
    """Return the time from a read model's next event to its stream's newest; None if unknown."""
    if head is None or version >= head.length:
        return None
    fetch = backend.storage.fetch_events
    first = fetch(followed.stream_id, version + 1, version + 2)
    newest = fetch(followed.stream_id, head.length, head.length + 1)
    if not first or not newest:
        return None  # deleted meanwhile
    return max(utc(newest[0].created_at) - utc(first[0].created_at), timedelta())


def consumer_of(request: Request) -> tuple[str, TenantId | None]:
    """Return the name and the tenant of the consumer in the query; without a tenant, None."""
    if "name" not in request.query_params:
        raise HTTPException(400, "Give the name of the consumer: name.")
    tenant = text_of(request, "tenant") if "tenant" in request.query_params else None
    return text_of(request, "name"), tenant


def backend_of(request: Request, tenant: TenantId | None) -> Backend:
    """Return the backend of a consumer: of its tenant, or of all tenants.

    A browser that is limited to a tenant shows only that tenant's consumers.
    """
    browser = browser_of(request)
    return browser.scoped if tenant is None else browser.backend_of(tenant)


def backend_tenant(request: Request, tenant: TenantId | None) -> TenantId | None:
    """Return the tenant whose consumers a page shows; None: consumers of all tenants."""
    return browser_of(request).tenant if tenant is None else tenant


def _confirm(kind: str, **query: Any) -> Any:
    """Return a function that makes the address of the confirmation page of an action."""

    def link(action: str, at: int | None = None) -> str:
        return address("/consumers/confirm", kind=kind, action=action, at=at, **query)

    return link


def _projection(one: Checkpoint, lags: Lags) -> dict[str, Any]:
    return {
        "checkpoint": one,
        "link": projection_address(one),
        "lag_events": lags.events(one.position),
        "lag_time": in_words(lags.time(one.position)),
        "failure": one.failure,
        "worker": short_name(one.worker),
    }


def _default_outbox(backend: Backend, tenant: TenantId | None) -> OutboxRow:
    outbox = backend.outbox
    entries = outbox.entries()
    dead = sum(entry.dead for entry in entries)
    info = OutboxInfo(DEFAULT_NAME, tenant, outbox.position)
    return outbox_row(info, len(entries) - dead, dead)


def _failing_first(cursor: CursorInfo) -> tuple[bool, str, str]:
    return cursor.failure is None, cursor.name, str(cursor.stream_id)


def _looked_at(after: str | None, before: str) -> str:
    if after is None and not before:
        return ""
    return "A part of the log table was scanned for projectors and outboxes."


routes = [
    Route("/consumers", show_consumers),
    Route("/consumers/projection", show_projection),
    Route("/consumers/projector", show_projector),
    Route("/consumers/outbox", show_outbox),
]
