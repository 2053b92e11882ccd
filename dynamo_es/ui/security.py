"""Keeps other sites out: host names, headers of every reply, and the checks of forms that write."""

from __future__ import annotations

import secrets
from functools import wraps
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse

from dynamo_es.ui import costs
from dynamo_es.ui.browser import browser_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

Form: TypeAlias = dict[str, str]
"""The fields of a form that was sent."""

LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
"""Host names of this machine alone."""

ANY_ADDRESS: Final = "*"
"""A host that stands for every IP address.

A page that rebinds its own name to this server's address still sends its name, never an address.
"""

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: a form would then send "Origin: null", also to its own server.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

MAX_FORM_BYTES: Final = 64 * 1024

CSRF_FIELD: Final = "csrf"

_OWN_SITES: Final = ("same-origin", "none")
"""Who asks, as a browser says it: a page of this server, or its user, such as by a bookmark."""


class Guard:
    """Refuses unknown host names, sets the headers of every reply, and counts what pages cost.

    Args:
        app: what it guards.
        hosts: names that requests may ask for, each with a port (``localhost:8080``) or without.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        costs.begin()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, headers: Headers) -> PlainTextResponse | None:
        """Return the reply to a request that may not come in; None: it may."""
        if not is_among(headers.get("host", "").lower(), self._hosts):
            return PlainTextResponse(
                "This server does not answer to that host name. Use the address that dynamo-es ui "
                "printed, or start it with --allow-host NAME.\n",
                421,
            )
        if is_for_another_site(headers):
            return PlainTextResponse(
                "A page of another site asks for this page. It may only link to it.\n", 403
            )
        return None


def is_for_another_site(headers: Headers) -> bool:
    """Whether a page of another site loads something here that its user did not open.

    Such a page sees no reply, but each look at the tables costs their owner money. A link that the
    user follows is let in, and a browser that sends no such headers is too.
    """
    if headers.get("sec-fetch-site", "same-origin") in _OWN_SITES:
        return False
    opened = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest"))
    return opened != ("navigate", "document") or "sec-purpose" in headers


def is_among(host: str, hosts: Iterable[str]) -> bool:
    """Whether a Host header names one of these hosts."""
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if host in hosts or name in hosts:
        return True
    return ANY_ADDRESS in hosts and _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def writes(
    endpoint: Callable[[Request, Form], Response],
) -> Callable[[Request], Awaitable[Response]]:
    """Make an endpoint for a form that changes what is stored.

    The checks are those of `sends`, and that the operator allows writes.

    Raises:
        HTTPException: 403, a check failed; 413, the form is too long.
    """
    checked = sends(endpoint)

    @wraps(endpoint)
    async def allowed(request: Request) -> Response:
        if not browser_of(request).allow_writes:
            raise HTTPException(
                403,
                "This browser only reads. To change what is stored, start it with "
                "dynamo-es ui --allow-writes.",
            )
        return await checked(request)

    return allowed


def sends(
    endpoint: Callable[[Request, Form], Response],
) -> Callable[[Request], Awaitable[Response]]:
    """Make an endpoint for a form that changes nothing that is stored, such as to start a job.

    The endpoint runs in a thread, with the form's fields, once these checks pass: the form was on
    a page of this server, and it carries the token.

    Raises:
        HTTPException: 403, a check failed; 413, the form is too long.
    """

    @wraps(endpoint)
    async def checked(request: Request) -> Response:
        _check_origin(request)
        form = await _form_of(request)
        if not secrets.compare_digest(
            form.pop(CSRF_FIELD, "").encode(), browser_of(request).csrf_token.encode()
        ):
            raise HTTPException(
                403, "The form is of another run of this server. Load the page again, and send it."
            )
        return await run_in_threadpool(endpoint, request, form)

    return checked


def _check_origin(request: Request) -> None:
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    same_site = site is None or site == "same-origin"
    same_origin = origin is None or urlsplit(origin).netloc.lower() == _host_of(request)
    if not (same_site and same_origin):
        raise HTTPException(403, "The form was sent by another site. Nothing was changed.")


def _host_of(request: Request) -> str:
    return request.headers.get("host", "").lower()


async def _form_of(request: Request) -> Form:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_FORM_BYTES:
            raise HTTPException(413, f"The form is longer than {MAX_FORM_BYTES:,} bytes.")
    try:
        text = body.decode()
        fields: Any = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise HTTPException(400, "The form cannot be read.") from None
    return dict(fields)
