"""The log in memory: all events in the order of their appends."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from uuid import UUID

from dynamo_es.contracts import (
    EVERYTHING,
    CommitInLog,
    LogReader,
    LogStrategy,
    Piece,
    Selection,
    StreamInLog,
)
from dynamo_es.contracts.checks.arguments import (
    check_kind,
    check_position,
    check_tenant,
    microseconds_of,
)
from dynamo_es.contracts.log import one_position
from dynamo_es.exceptions import InvalidSubscriptionError
from dynamo_es.memory.data import copy_event
from dynamo_es.values import DEFAULT_TENANT, RecordedRaw, StreamId

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from dynamo_es.contracts.log import Start
    from dynamo_es.memory.data import Data, Identity, LogEntry, StoredStream
    from dynamo_es.values import Position, TenantId

_PIECE: Final = 1000
_LOOK: Final = 10_000
"""The most events that one bounded read looks at."""


class MemoryLog(LogStrategy):
    """The log of a backend in memory.

    Args:
        data: data that the backend's parts share.
        tenant_id: tenant whose log it is, if each tenant has one; None: the log of all tenants.
    """

    def __init__(self, data: Data, tenant_id: TenantId | None = None) -> None:
        self._data = data
        self._tenant_id = tenant_id

    @property
    def last_position(self) -> Position | None:
        """Return the last assigned position; see `LogStrategy.last_position`."""
        with self._data.lock:
            return len(self._data.log_of(self._tenant_id)) or None

    def position_at(self, moment: datetime) -> Position:
        """Return the last position assigned before a time; see `LogStrategy.position_at`."""
        at = microseconds_of("moment", moment)
        with self._data.lock:
            log = self._data.log_of(self._tenant_id)
            return bisect_left(log, at, key=lambda entry: entry.put_at)

    def reader(self, after: Start, selection: Selection = EVERYTHING) -> LogReader:
        """Return a reader of the events after a position; see `LogStrategy.reader`."""
        check_kind("selection", selection, Selection, InvalidSubscriptionError)
        position = one_position(after)
        check_position(position, self.last_position or 0)
        log = self._data.log_of(self._tenant_id)
        return _Reader(self._data, log, position, selection)

    def tenants(self) -> Iterator[TenantId]:
        """Yield the tenants in the log; see `LogStrategy.tenants`."""
        with self._data.lock:
            found = dict.fromkeys(identity[0] for identity in self._identities())
        return iter(found)

    def categories(self, tenant_id: TenantId) -> Iterator[str | None]:
        """Yield a tenant's categories in the log; see `LogStrategy.categories`."""
        check_tenant(tenant_id)
        with self._data.lock:
            found = dict.fromkeys(
                identity[1] for identity in self._identities() if identity[0] == tenant_id
            )
        return iter(found)

    def streams(self, category: str | None, tenant_id: TenantId) -> Iterator[StreamInLog]:
        """Yield the existing streams of a category; see `LogStrategy.streams`."""
        with self._data.lock:
            found = [
                StreamInLog(_stream_id(identity, stream), stream.version)
                for identity, stream in self._data.streams.items()
                if identity[:2] == (tenant_id, category)
            ]
        yield from found

    def _identities(self) -> Iterator[Identity]:
        return (entry.identity for log in self._data.logs.values() for entry in log)


class _Reader(LogReader):
    def __init__(
        self, data: Data, log: list[LogEntry], after: Position, selection: Selection
    ) -> None:
        self._data = data
        self._log = log
        self._position = after
        self._selection = selection

    @property
    def position(self) -> Position:
        return self._position

    def read(self) -> list[RecordedRaw]:
        records: list[RecordedRaw] = []
        with self._data.lock:
            log = self._log
            while self._position < len(log) and len(records) < _PIECE:
                entry = log[self._position]
                self._position += 1
                if self._data.streams.get(entry.identity) is not entry.stream:
                    continue  # deleted since
                if _is_selected(entry, self._selection):
                    records.append(_record(entry, self._position))
        return records

    def read_some(self, most_commits: int = 100) -> Piece:
        records: list[RecordedRaw] = []
        commits: list[CommitInLog] = []
        with self._data.lock:
            log = self._log
            last = min(len(log), self._position + _LOOK)
            while self._position < last:
                entry = log[self._position]
                if entry.first and len(commits) == most_commits:
                    break
                self._position += 1
                if self._data.streams.get(entry.identity) is not entry.stream:
                    continue  # deleted since
                if _is_selected(entry, self._selection):
                    records.append(_record(entry, self._position))
                    _count(commits, log, self._position)
            ended = self._position == len(log)
        return Piece(records, commits, ended)


def _count(commits: list[CommitInLog], log: list[LogEntry], position: Position) -> None:
    """Add the commit of the event at a position, unless it is already the last in the list."""
    first = position
    while not log[first - 1].first:
        first -= 1
    if commits and commits[-1].position == first:
        return
    end = first + 1
    while end <= len(log) and not log[end - 1].first:
        end += 1
    commits.append(CommitInLog(first, end - first, 0))


def _is_selected(entry: LogEntry, selection: Selection) -> bool:
    tenant_id, category, _ = entry.identity
    names = selection.event_names
    if selection.stream_id is not None:
        chosen = selection.tenant_id or DEFAULT_TENANT, selection.stream_id.category
        if entry.identity != (*chosen, selection.stream_id.int):
            return False
        category = selection.category
    return (
        (selection.category is None or category == selection.category)
        and (selection.tenant_id is None or tenant_id == selection.tenant_id)
        and (names is None or entry.stream.events[entry.place].name in names)
        and (entry.outbox or not selection.outbox)
    )


def _record(entry: LogEntry, position: Position) -> RecordedRaw:
    event = replace(
        copy_event(entry.stream.events[entry.place]),
        stream_id=_stream_id(entry.identity, entry.stream),
    )
    return RecordedRaw(event, position, entry.identity[0], entry.stream.generation)


def _stream_id(identity: Identity, stream: StoredStream) -> StreamId:
    _, category, number = identity
    return StreamId(UUID(int=number), stream.name, category=category)
