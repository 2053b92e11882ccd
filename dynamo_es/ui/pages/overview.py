"""The first page: the tenants of the log, and their categories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from dynamo_es.ui.browser import browser_of
from dynamo_es.ui.rendering import render

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


def overview(request: Request) -> Response:
    """Show the tenants, each with its categories."""
    log = browser_of(request).scoped.log
    found = [(tenant, list(log.categories(tenant))) for tenant in log.tenants()]
    return render(request, "overview.html", found=found)


routes = [Route("/", overview)]
