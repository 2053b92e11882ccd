"""Addresses of pages. Every view has a URL, and the query of the URL says what it shows.

A tenant, a category or a name may be any text, even empty or with ``/`` and control characters. A
query can carry all of them. If the category is absent from the query, the stream has none; if it is
empty, the stream has the empty category.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode
from uuid import UUID

from starlette.exceptions import HTTPException

from dynamo_es.contracts.boundaries.strategy import BOUNDARY_CATEGORY
from dynamo_es.ui.escaping import value_of
from dynamo_es.values import DEFAULT_TENANT, StreamId

if TYPE_CHECKING:
    from starlette.requests import Request

    from dynamo_es.values import TenantId

MAX_TEXT: Final = 8_192
"""The most characters of one value in a query."""

_LONGEST_NAME: Final = 500

MAX_NUMBER: Final = 10**18


def address(path: str, **query: object) -> str:
    """Return the address of a page: a path and a query. Values that are None are left out."""
    values = {name: str(value) for name, value in query.items() if value is not None}
    # A lone surrogate cannot be encoded. No stored name has one, so the page says "not found".
    encoded = urlencode(values, errors="replace")
    return f"{path}?{encoded}" if encoded else path


def changed(request: Request, **changes: object) -> str:
    """Return the address of this page with changed values in its query; None removes a value."""
    return address(request.url.path, **{**dict(request.query_params), **changes})


def stream_address(
    tenant_id: TenantId, stream_id: StreamId, path: str = "/stream", **query: object
) -> str:
    """Return the address of a page about a stream.

    The id identifies the stream. The name, unless it is long, makes the address readable.
    """
    name = stream_id.name
    return address(
        path,
        tenant=tenant_id or None,
        category=stream_id.category,
        id=str(stream_id),
        name=name if name is not None and len(name) <= _LONGEST_NAME else None,
        **query,
    )


def event_address(
    tenant_id: TenantId, stream_id: StreamId, place: int, generation: int | None = None
) -> str:
    """Return the address of an event.

    Args:
        tenant_id: tenant of the event.
        stream_id: stream of the event.
        place: version of the event, or its number in a versionless stream; 1-based.
        generation: generation of an event that a deletion left; None: the existing stream.
    """
    return stream_address(tenant_id, stream_id, "/event", version=place, generation=generation)


def text_of(request: Request, name: str, default: str = "") -> str:
    """Return a text in the query.

    Raises:
        HTTPException: 400, the text is too long.
    """
    found = value_of(request.query_params, name)
    value = default if found is None else found
    if len(value) > MAX_TEXT:
        raise HTTPException(
            400, f"{name} has {len(value):,} characters: give at most {MAX_TEXT:,}."
        )
    return value


def optional_text_of(request: Request, name: str) -> str | None:
    """Return a text in the query, or None if it is absent. Raises the error of `text_of`."""
    return None if value_of(request.query_params, name) is None else text_of(request, name)


def number_of(
    request: Request, name: str, default: int | None = None, *, least: int = 0
) -> int | None:
    """Return a whole number in the query, or the default if it is absent or empty.

    Raises:
        HTTPException: 400, it is not a whole number of ``least`` or more.
    """
    value = request.query_params.get(name, "").strip()
    if not value:
        return default
    if value.isascii() and value.isdecimal() and len(value) <= len(str(MAX_NUMBER)):
        number = int(value)
        if least <= number <= MAX_NUMBER:
            return number
    raise HTTPException(
        400, f"{name} must be a whole number of {least} or more, not {value[:40]!r}."
    )


def tenant_of(request: Request) -> TenantId:
    """Return the tenant in the query; the default tenant if it is absent."""
    return text_of(request, "tenant", DEFAULT_TENANT)


def category_of(request: Request) -> str | None:
    """Return the category in the query; None if it is absent."""
    return optional_text_of(request, "category")


def boundary_address(tenant_id: TenantId, stream_id: StreamId, **query: object) -> str:
    """Return the address of the page of a boundary, given its stream."""
    return stream_address(tenant_id, stream_id, "/boundary", **query)


def boundary_of(request: Request) -> StreamId:
    """Return the stream of the boundary in the query. The query may leave the category out.

    Raises:
        HTTPException: 400, the category is not that of boundaries, or no stream is named.
    """
    if optional_text_of(request, "category") in {None, BOUNDARY_CATEGORY}:
        return _named_in(request, BOUNDARY_CATEGORY)
    raise HTTPException(
        400, f"Boundaries are the streams of the category {BOUNDARY_CATEGORY}: leave category out."
    )


def stream_of(request: Request) -> StreamId:
    """Return the stream in the query: by its ``id``, or else by its ``name``.

    Raises:
        HTTPException: 400, both are absent, or the id is not a UUID.
    """
    return _named_in(request, category_of(request))


def _named_in(request: Request, category: str | None) -> StreamId:
    text = text_of(request, "id")
    name = optional_text_of(request, "name")
    if not text:
        if name is None:
            raise HTTPException(400, "Name the stream: give its id (a UUID) or its name.")
        return StreamId(name=name, category=category)
    try:
        uuid = UUID(text)
    except ValueError:
        raise HTTPException(400, f"id must be a UUID, not {text[:40]!r}.") from None
    named = StreamId(name=name, category=category)
    # Drop a name that does not belong to the id: the page would show it as the stream's name.
    return (
        named if name is not None and named.int == uuid.int else StreamId(uuid, category=category)
    )
