"""Keeps other sites out: checks host names and forms, and sets the headers of every reply."""

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
"""Host names that only this machine can use."""

ANY_ADDRESS: Final = "*"
"""A host that stands for every IP address.

That is safe: a page that rebinds its own name to this server's address still sends its name.
"""

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: then a form would send "Origin: null", even to its own server.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

MAX_FORM_BYTES: Final = 64 * 1024

CSRF_FIELD: Final = "csrf"

_OWN_SITES: Final = ("same-origin", "none")
"""Values of ``Sec-Fetch-Site`` for a page of this server, and for its user (such as a bookmark)."""


class Guard:
    """Refuses unknown host names, sets the headers of every reply, and counts what pages cost.

    Args:
        app: the application to guard.
        hosts: names that requests may ask for, with or without a port (``localhost:8080``).
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on to the application."""
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
        """Return the reply that refuses a request; None: the request may pass."""
        if not is_among(headers.get("host", "").lower(), self._hosts):
            return PlainTextResponse(
                "This server does not accept that host name. Use the address that dynamo-es ui "
                "printed, or start it with --allow-host NAME.\n",
                421,
            )
        if is_for_another_site(headers):
            return PlainTextResponse(
                "Another site requested this page. It may only link to it.\n", 403
            )
        return None


def is_for_another_site(headers: Headers) -> bool:
    """Return whether a page of another site loads something here that its user did not open.

    Such a page cannot see the reply, but each read of the tables costs their owner money. A link
    that the user follows may pass, and so may a browser that does not send these headers.
    """
    if headers.get("sec-fetch-site", "same-origin") in _OWN_SITES:
        return False
    opened = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest"))
    return opened != ("navigate", "document") or "sec-purpose" in headers


def is_among(host: str, hosts: Iterable[str]) -> bool:
    """Return whether a ``Host`` header names one of the hosts."""
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

    It makes the checks of `sends`, and also checks that the operator allows writes.

    Raises:
        HTTPException: 403, a check failed; 413, the form is too long.
    """
    checked = sends(endpoint)

    @wraps(endpoint)
    async def allowed(request: Request) -> Response:
        if not browser_of(request).allow_writes:
            raise HTTPException(
                403,
                "This browser is read-only. To change what is stored, start it with "
                "dynamo-es ui --allow-writes.",
            )
        return await checked(request)

    return allowed


def sends(
    endpoint: Callable[[Request, Form], Response],
) -> Callable[[Request], Awaitable[Response]]:
    """Make an endpoint for a form that changes no stored data, such as one that starts a job.

    The endpoint runs in a thread and gets the form's fields, after two checks: the form was on a
    page of this server, and it carries the token.

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
                403, "The form is from another run of this server. Load the page again and resend."
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
