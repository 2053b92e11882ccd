"""`create_app`: the stream browser as an ASGI application."""

from __future__ import annotations

import secrets
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from dynamo_es.contracts.checks.arguments import check_kind, check_tenant
from dynamo_es.exceptions import ConfigurationError, EventStoreError
from dynamo_es.facade.backend import Backend
from dynamo_es.ui.browser import Browser
from dynamo_es.ui.errors import failed, refused, unexpected
from dynamo_es.ui.pages import PAGES
from dynamo_es.ui.security import LOOPBACK, Guard
from dynamo_es.ui.tail import Tails
from dynamo_es.ui.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.routing import BaseRoute

    from dynamo_es.values import TenantId

_STATIC: Final = "static"


def create_app(
    backend: Backend,
    *,
    allow_writes: bool = False,
    reveal: bool = False,
    tenant: TenantId | None = None,
    hosts: Sequence[str] = LOOPBACK,
    title: str = "",
) -> Starlette:
    """Return the stream browser of a backend, as an ASGI application.

    It has no login. Anyone who can reach its port can read what the backend's credentials can
    read. So bind it to this machine, or put your own login in front.

    Args:
        backend: any backend. Make it with ``observer=observe``, so that pages show their cost.
        allow_writes: whether pages may change what is stored, for example retry a failed event.
        reveal: whether pages show encrypted fields in clear text. Each view is logged as a warning.
        tenant: the only tenant that pages show; None: all tenants.
        hosts: host names that requests may ask for, with or without a port. A request with another
            ``Host`` header is refused, because it may come from a page that rebinds its name to
            this server.
        title: the name of what the browser shows, such as the tables; every page shows it.

    Raises:
        ConfigurationError: ``backend`` is not a backend, or ``hosts`` is empty.
        InvalidStreamIdError: the tenant is not text.
    """
    check_kind("backend", backend, Backend, ConfigurationError)
    if tenant is not None:
        check_tenant(tenant)
    if isinstance(hosts, str) or not hosts:
        raise ConfigurationError("hosts must be a list of host names, with at least one.")
    app = Starlette(
        routes=_routes(),
        middleware=[Middleware(Guard, hosts=tuple(hosts))],
        exception_handlers={
            HTTPException: refused,
            EventStoreError: failed,
            Exception: unexpected,
        },
    )
    app.state.browser = Browser(
        backend=backend,
        allow_writes=allow_writes,
        reveal=reveal,
        tenant=tenant,
        csrf_token=secrets.token_urlsafe(32),
        title=title,
    )
    app.state.tails = Tails()
    app.state.verification = Verification()
    return app


def stop(app: Starlette) -> None:
    """End live tails and a running verification, which would keep the server from stopping.

    Call it when the server gets the order to stop, such as in its handler of Ctrl-C, before it
    waits for its open connections.
    """
    app.state.tails.stop()
    app.state.verification.cancel()


def _routes() -> list[BaseRoute]:
    routes: list[BaseRoute] = []
    for page in PAGES:
        routes += import_module(f"dynamo_es.ui.pages.{page}").routes
    folder = str(files("dynamo_es.ui").joinpath(_STATIC))
    return [*routes, Mount("/static", StaticFiles(directory=folder), name=_STATIC)]
