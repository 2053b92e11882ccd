"""Verify: starts and cancels a verification of the log, and shows its progress and findings."""

from __future__ import annotations

import re
from ast import literal_eval
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import Route

from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.dynamodb.streams.keys import parse_stream_key
from dynamo_es.ui.browser import browser_of
from dynamo_es.ui.queries import stream_address
from dynamo_es.ui.rendering import render
from dynamo_es.ui.security import sends
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from dynamo_es.ui.verification import Verification

_UUID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_COMMIT: Final = re.compile(rf"at version \d+ of (.*?#{_UUID})(?=, generation \d)", re.DOTALL)
_ITEM: Final = re.compile(r"""The item ('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*") at \d""")
"""How the findings name a stream: by its key, plain or quoted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence about a fault, in three parts. The middle one may be a link.

    Attributes:
        before: the text before the stream's key.
        key: the stream's key; empty if the sentence names none.
        after: the text after the key.
        link: address of the stream's page; None: the sentence names none.
    """

    before: str
    key: str
    after: str
    link: str | None


def show(request: Request) -> Response:
    """Show the last verification that this server ran."""
    job = _verification(request).status
    report = None if job is None else job.report
    share = None
    if report is not None and report.scanned:
        share = min(100, round(100 * report.scanned / max(report.expected, report.scanned, 1)))
    return render(
        request,
        "verify.html",
        possible=_why_not(request) is None,
        why_not=_why_not(request),
        job=job,
        share=share,
        faults=[finding(text) for text in report.faults] if report else [],
        unreadable=[finding(text) for text in report.unreadable] if report else [],
    )


def start(request: Request, _form: dict[str, str]) -> Response:
    """Start a verification, unless one is running."""
    reason = _why_not(request)
    backend = browser_of(request).backend
    if reason is not None or not isinstance(backend, DynamoBackend):
        raise HTTPException(409, reason or "")
    _verification(request).start(backend)
    return RedirectResponse("/verify", 303)


def cancel(request: Request, _form: dict[str, str]) -> Response:
    """End the running verification."""
    _verification(request).cancel()
    return RedirectResponse("/verify", 303)


def finding(text: str) -> Finding:
    """Turn the text of a finding into a sentence with a link to its stream."""
    found = _COMMIT.search(text) or _ITEM.match(text)
    if found is None:
        return Finding(text, "", "", None)
    key = found[1] if found.re is _COMMIT else literal_eval(found[1])
    try:
        tenant, category, uuid = parse_stream_key(key)
        link = stream_address(tenant, StreamId(uuid, category=category))
    except ValueError:
        return Finding(text, "", "", None)
    return Finding(text[: found.start(1)], found[1], text[found.end(1) :], link)


def _why_not(request: Request) -> str | None:
    """Return why the log cannot be verified; None: it can."""
    browser = browser_of(request)
    if browser.tenant is not None:
        return "A verification reads the data of all tenants, but this browser shows only one."
    if not isinstance(browser.backend, DynamoBackend):
        return "This store is in memory. It has no tables to verify."
    return None


def _verification(request: Request) -> Verification:
    state: Any = request.app.state
    verification: Verification = state.verification
    return verification


routes = [
    Route("/verify", show),
    Route("/verify/start", sends(start), methods=["POST"]),
    Route("/verify/cancel", sends(cancel), methods=["POST"]),
]
