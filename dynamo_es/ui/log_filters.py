"""The filters in the query of the log's pages, and the rows that the pages show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException

from dynamo_es.contracts import Selection
from dynamo_es.ui.browser import browser_of
from dynamo_es.ui.escaping import on_one_line
from dynamo_es.ui.queries import event_address, stream_address, text_of
from dynamo_es.ui.rendering import exactly, when
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from starlette.requests import Request

    from dynamo_es.contracts import LogStrategy
    from dynamo_es.values import RecordedRaw, TenantId

_LONGEST: Final = 80
"""The most characters of a name in a row."""


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of a page of the log.

    Attributes:
        tenant: only events of this tenant; None: any.
        category: only events of this category; None: any.
        event: only events with this stored name; None: any.
    """

    tenant: TenantId | None
    category: str | None
    event: str | None

    @property
    def selection(self) -> Selection:
        """The filters as a selection of the log."""
        names = None if self.event is None else frozenset({self.event})
        return Selection(category=self.category, event_names=names, tenant_id=self.tenant)

    @property
    def query(self) -> dict[str, str | None]:
        """The filters as a query."""
        return {
            "tenant": self.tenant or None,
            "default_tenant": "1" if self.tenant == DEFAULT_TENANT else None,
            "category": self.category,
            "event": self.event,
        }

    @property
    def any(self) -> bool:
        """Whether there is a filter."""
        return (self.tenant, self.category, self.event) != (None, None, None)


def filters_of(request: Request) -> Filters:
    """Return the filters in the query. An empty value, as a form sends it, filters nothing.

    Raises:
        HTTPException: 403, the browser is limited to another tenant; 400, a text is too long.
    """
    browser = browser_of(request)
    tenant: TenantId | None = text_of(request, "tenant") or None
    if tenant is None and request.query_params.get("default_tenant"):
        tenant = DEFAULT_TENANT
    if tenant is not None:
        browser.check_tenant(tenant)
    return Filters(
        tenant, text_of(request, "category") or None, text_of(request, "event").strip() or None
    )


def chosen_log(request: Request, filters: Filters) -> LogStrategy:
    """Return the log that a page shows. If each tenant has a log, the filters name the tenant.

    Without a tenant, the result represents all logs. Asking it for a position raises
    `TenantRequiredError`, and the error page then lists the tenants.
    """
    log = browser_of(request).scoped.log
    return log if filters.tenant is None else log.scoped_for_tenant(filters.tenant)


def time_of(request: Request) -> datetime | None:
    """Return the time in the query, or None. A time without a zone is UTC.

    Raises:
        HTTPException: 400, it is not a time.
    """
    text = text_of(request, "time").strip()
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise HTTPException(
            400, f"time must be a UTC time such as 2026-01-31 18:30, not {text[:40]!r}."
        ) from None


@dataclass(frozen=True, slots=True)
class Row:
    """An event in a list.

    Attributes:
        position: position of the event.
        at: time of the event, in UTC, to the second.
        exactly: time of the event, in UTC, to the microsecond.
        event: name of the event.
        tenant: tenant of the event.
        category: category of the stream; empty without one.
        stream: name of the stream, or its id.
        version: version of the event; None in a versionless stream.
        link: address of the event's page, or of the stream's if the stream is versionless.
        stream_link: address of the stream's page.
    """

    position: int
    at: str
    exactly: str
    event: str
    tenant: str
    category: str
    stream: str
    version: int | None
    link: str
    stream_link: str


def row_of(record: RecordedRaw) -> Row:
    """Return the row of an event."""
    event, stream_id = record.entry, record.entry.stream_id
    stream_link = stream_address(record.tenant_id, stream_id)
    link = stream_link
    if event.version is not None:
        link = event_address(record.tenant_id, stream_id, event.version)
    return Row(
        position=record.position,
        at=when(event.created_at),
        exactly=exactly(event.created_at),
        event=short(event.name),
        tenant=short(record.tenant_id),
        category=short(stream_id.category or ""),
        stream=short(stream_id.name if stream_id.name is not None else str(stream_id)),
        version=event.version,
        link=link,
        stream_link=stream_link,
    )


def short(text: str) -> str:
    """Return a text for a row: unprintable characters escaped, a long text cut in its middle."""
    shown = on_one_line(text)
    if len(shown) <= _LONGEST:
        return shown
    half = _LONGEST // 2 - 1
    return f"{shown[:half]}…{shown[-half:]}"
