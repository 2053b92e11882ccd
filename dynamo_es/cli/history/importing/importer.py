"""Runs an import: reads lines, cuts them into chunks, and stores those of many streams at once."""

from __future__ import annotations

import time
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Final

from dynamo_es.cli.history.importing.chunks import BATCH, Cutter
from dynamo_es.cli.history.importing.lines import Defaults, LineError, StreamOf, parse_line
from dynamo_es.cli.history.importing.source import Source
from dynamo_es.cli.history.importing.summary import Summary
from dynamo_es.cli.history.importing.writer import Writer
from dynamo_es.event_store.serde import ENCRYPTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dynamo_es.cli.history.importing.chunks import Chunk
    from dynamo_es.cli.meter import Meter
    from dynamo_es.contracts import StorageStrategy

QUEUE_CHUNKS: Final = 512
"""Chunks that wait for each request at a time, so that requests have many streams to hold."""

_TICK: Final = 0.1
"""Seconds after which progress is shown again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Options of an import."""

    workers: int = 4  # requests at a time; 1: one commit after the other, in the order of the lines
    events_per_commit: int = 100  # at most
    gather: bool = False  # whether to gather a stream's events from all over the input
    defaults: Defaults = field(default_factory=Defaults)  # for lines without tenant or category
    encrypted: bool = False  # whether to take events with encrypted fields


@dataclass
class Importer:
    """One import; run it once."""

    storage: StorageStrategy  # of any tenant
    settings: Settings
    _: KW_ONLY
    meter: Meter | None = None  # the observer of the storage's backend
    on_problem: Callable[[LineError], None] = lambda _: None  # called with each line not stored
    # Called up to ten times a second with how far the import is: in words, and as a part if the
    # size of the input is known.
    on_progress: Callable[[str, float | None], None] = lambda _, __: None
    clock: Callable[[], float] = time.monotonic  # seconds of a clock that only goes forward
    sleep: Callable[[float], None] = time.sleep  # waits so many seconds
    summary: Summary = field(default_factory=Summary, init=False)  # the figures so far

    def __post_init__(self) -> None:
        settings = self.settings
        many = settings.workers > 1
        self._cutter = Cutter(
            settings.events_per_commit,
            gather=settings.gather,
            streams=settings.workers * BATCH if many else 1,
            waiting=settings.workers * QUEUE_CHUNKS if many else 1,
        )
        self._writer = Writer(self.storage, self.summary, self.meter, self.on_problem, self.sleep)
        self._source: Source | None = None
        # A stream ends at its first malformed line. If later lines were stored without it, they
        # would get other versions than in the repaired file, and that file would be refused.
        self._stopped: set[StreamOf | None] = set()  # None: all streams
        self._began = self._shown = self.clock()

    def run(self, lines: Iterable[bytes]) -> Summary:
        """Store every line up to the first malformed one of its stream.

        A malformed line that does not say which stream it belongs to ends all streams. If the
        import is interrupted or fails, run it again on the same lines to store the rest.

        Raises:
            EventStoreError: The store failed, or the lines could not be read.
        """
        self._source = lines if isinstance(lines, Source) else None
        try:
            for number, text in enumerate(lines, 1):
                if text.strip():
                    self._store(self._cut(text, number))
                self._show_progress()
            while chunks := self._cutter.take():
                self._store(chunks)
            self.summary.complete = True
        finally:
            self._sum_up()
        return self.summary

    def _cut(self, text: bytes, number: int) -> list[Chunk]:
        """Return the chunks to store before the next line is read."""
        self.summary.lines += 1
        try:
            line = parse_line(text, number, self.settings.defaults)
            if ENCRYPTED in line.context and not self.settings.encrypted:
                reason = (
                    "the event has encrypted fields, and a file holds no keys: copy the table of "
                    "keys too, and import with --encrypted"
                )
                raise LineError(number, reason, line.stream)  # noqa: TRY301 - one of three
            if self._stopped.isdisjoint((None, line.stream)):
                return self._cutter.add(line)
            self.summary.skipped += 1
        except LineError as error:
            self.summary.malformed += 1
            self._stopped.add(error.stream)
            self.on_problem(error)
        return []

    def _store(self, chunks: list[Chunk]) -> None:
        while chunks:
            self._cutter.put_back(self._writer.write(chunks))
            self._show_progress()
            chunks = self._cutter.take() if self._cutter.is_full else []

    def _show_progress(self) -> None:
        now = self.clock()
        if now - self._shown >= _TICK:
            self._shown = now
            summary, source, part = self.summary, self._source, None
            rate = summary.done / (now - self._began)
            if source is not None and source.total and summary.lines:
                # Reading and storing count alike: gathering reads much before it stores anything.
                part = source.bytes_read / source.total * (1 + summary.done / summary.lines) / 2
            text = f"{summary.done:,} events, {rate:,.0f} a second, {summary.lines:,} read"
            self.on_progress(text, part)

    def _sum_up(self) -> None:
        summary, streams = self.summary, self._cutter.versions
        summary.seconds = self.clock() - self._began
        summary.streams = len(streams)
        summary.tenants = len({stream.tenant_id for stream in streams})
        if self.meter is not None:
            summary.requests, summary.attempts = self.meter.requests, self.meter.attempts
            summary.write_units = self.meter.write_units
