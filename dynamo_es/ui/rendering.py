"""Renders templates as HTML. Every value is escaped, so an event cannot inject HTML."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from dynamo_es import __version__
from dynamo_es.contracts.boundaries.strategy import BOUNDARY_CATEGORY
from dynamo_es.ui import costs
from dynamo_es.ui.browser import browser_of
from dynamo_es.ui.escaping import (
    encoded,
    is_changed_by_forms,
    on_one_line,
    value_of,
    visible,
)
from dynamo_es.ui.queries import address, boundary_address, changed, event_address, stream_address
from dynamo_es.ui.security import CSRF_FIELD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

SEARCH: Final = "/search"
"""Address of the search page. Its search box shows the text that was searched."""

_SECTIONS: Final = (
    ("Streams", "/"),
    ("Log", "/log"),
    ("Consumers", "/consumers"),
    ("Verify", "/verify"),
)
"""Titles and addresses of the sections at the top of every page, in order."""

_KILO: Final = 1024
_PREVIEW: Final = 140


def render(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> Response:
    """Return a page.

    A template gets the context, and also ``request``, ``browser``, ``cost``, ``navigation`` and
    ``section``: the address of the page's section in the navigation. To choose another section,
    pass ``section``.

    Args:
        request: the request for the page.
        template: name of the file in ``templates``.
        status: status of the reply.
        headers: additional headers of the reply.
        context: values for the template.
    """
    shared = {
        "request": request,
        "browser": browser_of(request),
        "cost": costs.current(),
        "navigation": _SECTIONS,
        "section": _section_of(request.url.path),
        "searched": _searched(request),
        "csrf_field": CSRF_FIELD,
        "library_version": __version__,
    }
    page = _environment.get_template(template).render({**shared, **context})
    return HTMLResponse(page.encode("utf-8", "replace"), status, headers)


def pretty(document: Any) -> str:
    """Return JSON, indented, with unprintable characters as escapes."""
    return visible(json.dumps(document, ensure_ascii=False, indent=2, default=str))


def utc(moment: datetime) -> datetime:
    """Return a stored time with the zone UTC. A time without a zone already is UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def when(moment: datetime) -> str:
    """Return a time in UTC to the second, such as ``2026-01-02 03:04:05``."""
    return utc(moment).strftime("%Y-%m-%d %H:%M:%S")


def epoch(moment: float) -> str:
    """Return seconds since the epoch as a time in UTC."""
    try:
        return when(datetime.fromtimestamp(moment, UTC))
    except (OSError, OverflowError, ValueError):
        return str(moment)


def seconds(moment: datetime) -> int:
    """Return a time as whole seconds since the epoch."""
    return int(utc(moment).timestamp())


def preview(document: Any) -> str:
    """Return the beginning of a JSON document, on one line."""
    text = json.dumps(document, ensure_ascii=False, default=str)
    return visible(text if len(text) <= _PREVIEW else f"{text[:_PREVIEW]}…")


def category_label(category: str | None) -> str:
    """Return the text by which a page names a category."""
    if category is None:
        return "(no category)"
    return visible(category) or "(empty category)"


def exactly(moment: datetime) -> str:
    """Return a time in UTC to the microsecond, in the form of ISO 8601."""
    return utc(moment).isoformat()


def in_bytes(size: int) -> str:
    """Return a number of bytes as text, such as ``1.5 KB``."""
    if size < _KILO:
        return f"{size} B"
    if size < _KILO * _KILO:
        return f"{size / _KILO:.1f} KB"
    return f"{size / _KILO / _KILO:.1f} MB"


def grouped(number: float) -> str:
    """Return a number with separated thousands and at most 2 decimals."""
    if isinstance(number, float) and not number.is_integer():
        return f"{number:,.2f}".rstrip("0")
    return f"{int(number):,}"


def _searched(request: Request) -> str:
    if request.url.path != SEARCH:
        return ""
    return value_of(request.query_params, "q") or ""


def _section_of(path: str) -> str:
    """Return the section of a path: the longest address in the navigation that it begins with."""
    found = [link for _, link in _SECTIONS if path == link or path.startswith(f"{link}/")]
    return max(found, key=len, default="/")


def _make_environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("dynamo_es.ui"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        visible=visible,
        on_one_line=on_one_line,
        encoded=encoded,
        pretty=pretty,
        when=when,
        epoch=epoch,
        preview=preview,
        seconds=seconds,
        exactly=exactly,
        bytes=in_bytes,
        grouped=grouped,
    )
    environment.globals.update(
        address=address,
        category_label=category_label,
        is_changed_by_forms=is_changed_by_forms,
        changed=changed,
        stream_address=stream_address,
        event_address=event_address,
        boundary_address=boundary_address,
        boundary_category=BOUNDARY_CATEGORY,
    )
    return environment


_environment: Final = _make_environment()
