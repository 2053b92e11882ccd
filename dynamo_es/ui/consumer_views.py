"""Figures for the pages about consumers: positions, lag, failures, entries of outboxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dynamo_es.ui.log_views import first_at
from dynamo_es.ui.queries import address
from dynamo_es.ui.rendering import utc

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from dynamo_es.contracts import Checkpoint, CursorInfo, LogStrategy, OutboxInfo
    from dynamo_es.values import Position, TenantId

MOST_MEASURED: Final = 20
"""The most consumers of one page whose lag in time is looked up, with 2 requests each."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


class Lags:
    """Computes the lags of consumers for one page, in events and in time.

    Args:
        log: the log to read.

    Attributes:
        last: last position of the log.
    """

    def __init__(self, log: LogStrategy) -> None:
        self._log = log
        self.last = log.last_position or 0
        self._times: dict[Position, datetime | None] = {}

    def events(self, position: Position) -> int:
        """Return how many positions the log has after a position."""
        return max(self.last - position, 0)

    def time(self, position: Position) -> timedelta | None:
        """Return the time between the first event after a position and the newest event.

        None: the consumer is at the end, the events were deleted, this page has done enough
        lookups, or the newest event is older than the first one.
        """
        if position >= self.last:
            return None
        oldest = self._time_at(position + 1)
        newest = self._time_at(self.last)
        # An event may be older than events before it, for example if it was imported later.
        if oldest is None or newest is None or newest < oldest:
            return None
        return newest - oldest

    def _time_at(self, position: Position) -> datetime | None:
        if position not in self._times:
            if len(self._times) > MOST_MEASURED:
                return None
            record = first_at(self._log, position)
            self._times[position] = None if record is None else utc(record.entry.created_at)
        return self._times[position]


class LagsByLog:
    """The lags of the consumers of one page, each in its own log.

    Args:
        log: the log of all tenants; with one log for each tenant, the object that represents all.
    """

    def __init__(self, log: LogStrategy) -> None:
        self._log = log
        self._known: dict[TenantId | None, Lags] = {}

    def of(self, tenant_id: TenantId | None) -> Lags:
        """Return the lags in the log that holds a tenant's events; None: all tenants."""
        key = tenant_id if self._log.per_tenant else None
        found = self._known.get(key)
        if found is None:
            log = self._log if key is None else self._log.scoped_for_tenant(key)
            found = self._known[key] = Lags(log)
        return found


def in_words(lag: timedelta | None) -> str:
    """Return a lag in time, such as ``3 h 5 min``; empty if there is none."""
    if lag is None:
        return ""
    seconds = int(lag.total_seconds())
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min {seconds % _MINUTE} s"
    if seconds < _DAY:
        return f"{seconds // _HOUR} h {seconds % _HOUR // _MINUTE} min"
    return f"{seconds // _DAY:,} d {seconds % _DAY // _HOUR} h"


def projection_address(checkpoint: Checkpoint) -> str:
    """Return the address of a projection's page."""
    return address(
        "/consumers/projection",
        name=checkpoint.name,
        tenant=checkpoint.tenant_id,
        version=checkpoint.version,
    )


def outbox_address(name: str, tenant: TenantId | None) -> str:
    """Return the address of an outbox's page."""
    return address("/consumers/outbox", name=name, tenant=tenant)


def cursor_address(cursor: CursorInfo) -> str | None:
    """Return the address of a cursor's page; None if its stream is not known."""
    if cursor.stream_id is None or cursor.tenant_id is None:
        return None
    return address(
        "/consumers/projector",
        name=cursor.name,
        tenant=cursor.tenant_id,
        category=cursor.stream_id.category,
        id=str(cursor.stream_id),
        generation=cursor.generation,
    )


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """An outbox in the list.

    Attributes:
        name: name of the outbox.
        tenant: its tenant; None: all tenants.
        position: every event up to here was tried; inclusive.
        link: address of its page.
        waiting: number of entries that are tried again; None: not looked up.
        dead: number of entries that are not tried again; None: not looked up.
    """

    name: str
    tenant: TenantId | None
    position: Position
    link: str
    waiting: int | None = None
    dead: int | None = None


def outbox_row(info: OutboxInfo, waiting: int | None = None, dead: int | None = None) -> OutboxRow:
    """Return the row of an outbox."""
    link = outbox_address(info.name, info.tenant_id)
    return OutboxRow(info.name, info.tenant_id, info.position, link, waiting, dead)
