"""The first page: the tenants of the log with their categories, and a form that opens a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import Route

from dynamo_es.exceptions import CredentialsError
from dynamo_es.ui.browser import browser_of
from dynamo_es.ui.paging import Page
from dynamo_es.ui.queries import address, number_of, text_of
from dynamo_es.ui.rendering import render
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request
    from starlette.responses import Response

    from dynamo_es.values import TenantId

_TENANTS_A_PAGE: Final = 200


def overview(request: Request) -> Response:
    """Show the tenants, each with its categories."""
    browser = browser_of(request)
    wanted, skipped = text_of(request, "prefix"), number_of(request, "skip", 0) or 0
    page: Page[tuple[TenantId, str | None]] = Page([])
    refused = ""
    position = None
    unsequenced = False
    try:
        page = browser.reading.categories(request.query_params.get("after"))
        log = browser.scoped.log
        position = None if log.per_tenant else log.last_position or 0
        unsequenced = browser.scoped.log.unsequenced()
    except CredentialsError as error:
        refused = str(error)
    tenants = _by_tenant(
        (tenant, category)
        for tenant, category in page.items
        if tenant.startswith(wanted) and browser.tenant in {None, tenant}
    )
    shown = tenants[skipped : skipped + _TENANTS_A_PAGE]
    left = max(len(tenants) - skipped - _TENANTS_A_PAGE, 0)
    return render(
        request,
        "overview.html",
        page=page,
        tenants=shown,
        tenant_count=len(tenants),
        category_count=sum(len(categories) for _, categories in tenants),
        skip=skipped + _TENANTS_A_PAGE if left else None,
        left=left,
        prefix=wanted,
        position=position,
        unsequenced=unsequenced,
        refused=refused,
    )


def open_stream(request: Request) -> Response:
    """Redirect to a stream, given its name or UUID in a form."""
    text = text_of(request, "stream")
    if not text:
        raise HTTPException(400, "Give the name of a stream, or its UUID.")
    category = text_of(request, "category") or None
    names: dict[str, Any] = {"id": text} if _is_uuid(text) else {}
    if not names:
        stream_id = StreamId(name=text, category=category)
        names = {"id": stream_id, "name": text}
    tenant = text_of(request, "tenant", browser_of(request).tenant or "")
    return RedirectResponse(
        address("/stream", tenant=tenant or None, category=category, **names), 303
    )


def _by_tenant(
    found: Iterable[tuple[TenantId, str | None]],
) -> list[tuple[TenantId, list[str | None]]]:
    tenants: dict[TenantId, list[str | None]] = {}
    for tenant, category in found:
        tenants.setdefault(tenant, []).append(category)
    for categories in tenants.values():
        categories.sort(key=lambda category: (category is not None, category or ""))
    return sorted(tenants.items())


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


routes = [Route("/", overview), Route("/open", open_stream)]
