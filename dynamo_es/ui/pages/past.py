"""A stream as it was at a version or a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException
from starlette.routing import Route

from dynamo_es.event_store.past import version_as_of
from dynamo_es.exceptions import StreamGapError
from dynamo_es.ui.browser import browser_of
from dynamo_es.ui.decoding import aggregates_of, is_encrypted, masked, note_look, state_of
from dynamo_es.ui.queries import number_of, stream_of, tenant_of, text_of
from dynamo_es.ui.rendering import render, utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from dynamo_es.contracts import StorageStrategy
    from dynamo_es.values import RawEvent, StreamId, TenantId

_EVENTS_SHOWN: Final = 20
_EVENTS_READ: Final = 500
"""The most events in which the last values of fields are searched."""
_EVENTS_REPLAYED: Final = 2_000
"""The most events after its snapshot from which an aggregate is replayed."""


def past(request: Request) -> Response:
    """Show a stream's events and state as of a version or a time."""
    browser = browser_of(request)
    tenant_id = browser.check_tenant(tenant_of(request))
    stream_id = stream_of(request)
    storage = browser.backend_of(tenant_id).storage
    head = storage.head(stream_id)
    if head is None:
        raise HTTPException(404, "The stream does not exist.")
    first, last = _event_at(storage, stream_id, 1), _event_at(storage, stream_id, head.length)
    moment = _moment(request)
    if moment is not None:
        version = _version_as_of(storage, stream_id, moment)
    else:
        version = min(number_of(request, "version", head.length, least=0) or 0, head.length)
    events = _events(storage, stream_id, version)
    state, problem, kind = _state(request, tenant_id, stream_id, version)
    return render(
        request,
        "past.html",
        tenant_id=tenant_id,
        stream_id=last.stream_id,
        head=head,
        version=version,
        moment=moment,
        first_time=int(utc(first.created_at).timestamp()),
        last_time=int(utc(last.created_at).timestamp()) + 1,
        at=events[-1].created_at if events else None,
        begin=version - len(events) + 1,
        shown=list(enumerate(events, version - len(events) + 1))[: -_EVENTS_SHOWN - 1 : -1],
        values=_last_values(events, version - len(events) + 1),
        aggregate=kind,
        state=state,
        problem=problem,
        masked=masked,
        is_encrypted=is_encrypted,
    )


def _version_as_of(storage: StorageStrategy, stream_id: StreamId, moment: datetime) -> int:
    try:
        return version_as_of(storage, stream_id, moment).version
    except StreamGapError:
        raise _deleted() from None


def _event_at(storage: StorageStrategy, stream_id: StreamId, version: int) -> RawEvent:
    events = storage.fetch_events(stream_id, version, version + 1)
    if not events:
        raise _deleted()
    return events[0]


def _deleted() -> HTTPException:
    return HTTPException(409, "The stream was deleted while this page loaded. Load it again.")


def _events(storage: StorageStrategy, stream_id: StreamId, version: int) -> list[RawEvent]:
    """Return the newest events up to a version, at most `_EVENTS_READ`."""
    if version == 0:
        return []
    return storage.fetch_events(stream_id, max(version - _EVENTS_READ + 1, 1), version + 1)


def _moment(request: Request) -> datetime | None:
    """Return the time in the query: seconds since the epoch, or ISO 8601 in UTC."""
    text = text_of(request, "time").strip()
    if not text:
        return None
    try:
        if text.lstrip("-").isdecimal():
            return datetime.fromtimestamp(int(text), UTC)
        return utc(datetime.fromisoformat(text))
    except (OSError, OverflowError, ValueError):
        raise HTTPException(
            400,
            f"time must be a time such as 2026-03-01T12:00 (UTC), or seconds, not {text[:40]!r}.",
        ) from None


def _last_values(events: Sequence[RawEvent], first: int) -> list[tuple[str, Any, int]]:
    """Return the last value of each field of the events, with the version that set it."""
    values: dict[str, tuple[Any, int]] = {}
    for number, event in enumerate(events, first):
        for field, value in masked(event).items():
            values[field] = value, number
    return [(field, value, number) for field, (value, number) in sorted(values.items())]


def _state(
    request: Request, tenant_id: TenantId, stream_id: StreamId, version: int
) -> tuple[dict[str, Any] | None, str, str]:
    """Return the state of the category's aggregate or None, the reason, and the class's name."""
    kinds = aggregates_of(stream_id.category)
    if len(kinds) != 1 or version == 0:
        return None, "", ""
    name = f"{kinds[0].__module__}.{kinds[0].__qualname__}"
    browser = browser_of(request)
    items = browser.reading.items(tenant_id, stream_id, below=None, limit=1)
    has_snapshot = any(
        item.kind == "snapshot" and version - _EVENTS_REPLAYED <= item.first <= version
        for item in items
    )
    if version > _EVENTS_REPLAYED and not has_snapshot:
        return (
            None,
            f"This page replays at most {_EVENTS_REPLAYED:,} events after a snapshot.",
            name,
        )
    events = browser.backend_of(tenant_id).storage.fetch_events(stream_id, None, version + 1)
    if browser.reveal and any(is_encrypted(event) for event in events):
        note_look(request, tenant_id, stream_id, version, f"the state of {name}")
    state, problem = state_of(request, tenant_id, kinds[0], events)
    return state, problem, name


routes = [Route("/stream/as-it-was", past)]
