"""Reads a store for an export, in the order of its log."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dynamo_es.cli.history.exporting.written import ExportError, fields_of
from dynamo_es.cli.history.importing.lines import MAX_LINE_BYTES
from dynamo_es.contracts import Selection
from dynamo_es.event_store.serde import ENCRYPTED
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynamo_es.cli.history.exporting.written import Fields, Part, Written
    from dynamo_es.cli.history.importing.lines import StreamOf
    from dynamo_es.contracts import LogStrategy
    from dynamo_es.facade.backend import Backend
    from dynamo_es.values import Position, StreamId, TenantId

PATIENCE: Final = 3
"""How often to check, once a second, for events that have no position yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The selection of an export.

    Attributes:
        tenant_id: only streams of this tenant; None: all tenants.
        category: only streams of this category; None: all categories.
        stream_id: only this stream, of the default tenant if no other is given; None: all streams.
        snapshots: whether to export snapshots.
        encrypted: whether to export encrypted fields, as they are stored.
    """

    tenant_id: TenantId | None = None
    category: str | None = None
    stream_id: StreamId | None = None
    snapshots: bool = True
    encrypted: bool = False

    def has(self, stream: StreamOf) -> bool:
        """Return whether a stream belongs to the export."""
        if self.stream_id is not None:
            return (stream.tenant_id, stream.id) == (self.tenant_id or "", self.stream_id)
        return self.tenant_id in (None, stream.tenant_id) and (
            self.category in (None, stream.id.category)
        )


class Exporter:
    """One export; run it once.

    Args:
        backend: the store.
        wanted: the selection.
        written: the part that is already exported; it grows with each line.
        sleep: waits the given number of seconds.

    Attributes:
        end: the position at which the export ends (inclusive); 0 if it does not read the log.
    """

    def __init__(
        self,
        backend: Backend,
        wanted: Wanted,
        written: Written,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._backend = backend
        self._wanted = wanted
        self._written = written
        self._sleep = sleep
        self.end: Position = 0

    def run(self) -> Iterator[bytes]:
        """Yield the lines that are not written yet, in pieces of any size, even empty ones.

        Raises:
            ExportError: some events cannot be exported.
            EventStoreError: the store failed.
        """
        yield from self._log() if self._wanted.stream_id is None else self._stream()
        if self._wanted.snapshots:
            for stream, part in self._written.streams.items():
                if not part.versionless:
                    yield self._snapshot(stream, part)  # often empty, which shows progress

    def _log(self) -> Iterator[bytes]:
        self._await_positions()
        log, written = self._source, self._written
        self.end = log.last_position or 0
        chosen = Selection(category=self._wanted.category, tenant_id=self._wanted.tenant_id)
        if written.position:
            self._check_last(chosen)
        reader = log.reader(written.position, chosen)
        looks = 0
        while reader.position < self.end:
            records = reader.read()
            if not records and reader.position < self.end:
                # An eventually consistent read may not show the newest events yet.
                looks += 1
                self._wait_again(looks, reader.position)
                continue
            looks = 0
            if reader.passed_over:
                raise ExportError(
                    f"Commits of the log up to position {reader.position:,} cannot be read, so the "
                    "export would lack them. To find them: dynamo-es log verify"
                )
            yield b"".join(
                self._line(fields_of(r.entry, r.tenant_id, r.generation, r.position))
                for r in records
                if r.position <= self.end
            )

    @property
    def _source(self) -> LogStrategy:
        log, tenant_id = self._backend.log, self._wanted.tenant_id
        return log if tenant_id is None else log.scoped_for_tenant(tenant_id)

    def _await_positions(self) -> None:
        for left in reversed(range(PATIENCE)):
            if not self._source.unsequenced():
                return
            if left:
                self._sleep(1.0)
        raise ExportError(
            "The store has events without a position in the log, but an export reads the log. Run "
            "dynamo-es sequence --once, then export again."
        )

    def _wait_again(self, looks: int, position: Position) -> None:
        if looks == PATIENCE:
            raise ExportError(
                f"The log ends at position {self.end:,}, but reads show no event after "
                f"{position:,}, so the export would lack the others. Export again later: the "
                "export continues the file."
            )
        self._sleep(1.0)

    def _check_last(self, chosen: Selection) -> None:
        position, last_id = self._written.position, self._written.last_id
        if position > self.end:
            raise ExportError(
                f"The file ends with event {last_id} at position {position:,}, but the log ends at "
                f"{self.end:,}: the file belongs to another store. Export into a new file."
            )
        records = self._source.reader(position - 1, chosen).read()
        if records and records[0].position == position and str(records[0].entry.uuid) != last_id:
            raise ExportError(
                f"The file ends with event {last_id} at position {position:,}, but the log has "
                "another event there: the file belongs to another store. Export into a new file."
            )

    def _stream(self) -> Iterator[bytes]:
        tenant_id, stream_id = self._wanted.tenant_id or DEFAULT_TENANT, self._wanted.stream_id
        assert stream_id is not None  # noqa: S101 - `run` has checked
        storage = self._backend.storage.scoped_for_tenant(tenant_id)
        events = storage.fetch_events(stream_id, start=self._written.events + 1)
        yield b"".join(
            self._line(fields_of(event, tenant_id, event.generation or 0)) for event in events
        )

    def _snapshot(self, stream: StreamOf, part: Part) -> bytes:
        storage = self._backend.storage.scoped_for_tenant(stream.tenant_id)
        loaded = storage.fetch_events(stream.id, stop=part.events + 1)
        if not loaded or loaded[0].generation != part.generation:
            return b""  # the stream was deleted in the meantime
        first = loaded[0]
        if str(first.uuid) == part.first or first.version == part.snapshot:
            return b""
        return self._line({**fields_of(first, stream.tenant_id, part.generation), "snapshot": True})

    def _line(self, fields: Fields) -> bytes:
        stream = self._written.add(fields)
        if ENCRYPTED in fields.get("context", {}) and not self._wanted.encrypted:
            raise ExportError(
                f"Event {fields['id']} of the stream {stream} has encrypted fields. An export does "
                "not contain keys: copy the keys table too, and export with --encrypted, which "
                "copies the fields as they are stored."
            )
        line = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        if len(line) > MAX_LINE_BYTES:
            raise ExportError(
                f"Event {fields['id']} of the stream {stream} takes {len(line):,} bytes as JSON, "
                f"but an import reads lines of at most {MAX_LINE_BYTES:,}."
            )
        return line
