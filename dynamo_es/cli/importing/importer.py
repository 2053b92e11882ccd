"""Runs an import: one reader, several writers, and every chunk of a stream to the same writer."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from zlib import crc32

from dynamo_es.cli.importing.chunks import Cutter
from dynamo_es.cli.importing.counts import Summary
from dynamo_es.cli.importing.lines import Defaults, MalformedLineError, StreamOf, parse_line
from dynamo_es.cli.importing.source import Source
from dynamo_es.cli.importing.writer import Problem, Writer
from dynamo_es.event_store.serde import ENCRYPTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    from dynamo_es.cli.importing.chunks import Chunk
    from dynamo_es.cli.importing.counts import Meter
    from dynamo_es.cli.importing.lines import Line
    from dynamo_es.contracts import StorageStrategy

QUEUE_CHUNKS: Final = 64
"""Chunks that wait for one worker. Then the reader waits, so that memory stays flat."""

_TICK: Final = 0.1
"""Seconds after which the reader shows progress, also while it waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Options of an import."""

    workers: int = 4  # threads that append
    events_per_commit: int = 100  # at most
    gather: bool = False  # whether to gather a stream's events from all over the input
    defaults: Defaults = field(default_factory=Defaults)  # for lines without tenant or category
    encrypted: bool = False  # whether to take events with encrypted fields


class Importer:
    """One import; run it once.

    Args:
        storage: the storage of any tenant.
        settings: the options.
        meter: the observer of the storage's backend; None if it has none.
        on_problem: called with each line that was not stored.
        on_progress: called about ten times a second by the thread that runs the import, with how
            far it is: in words, and as a part if the size of the input is known.
        clock: seconds of a clock that only goes forward.

    Attributes:
        summary: the figures so far.
        on_progress: the argument of this name; may be set until it runs.
    """

    def __init__(
        self,
        storage: StorageStrategy,
        settings: Settings,
        *,
        meter: Meter | None = None,
        on_problem: Callable[[Problem], None] = lambda _: None,
        on_progress: Callable[[str, float | None], None] = lambda _, __: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.summary = Summary()
        self._settings = settings
        self._meter = meter
        self._on_problem = on_problem
        self.on_progress = on_progress
        self._clock = clock
        self._began = self._shown = clock()
        self._source: Source | None = None
        # A stream ends at its first malformed line. If later lines were stored without it, they
        # would get other versions than in the repaired file, and that file would be refused.
        self._stopped: set[StreamOf | None] = set()  # None: all streams
        self._stop = threading.Event()
        self._cutter = Cutter(settings.events_per_commit, gather=settings.gather)
        self._writer = Writer(storage, self.summary, meter, self._stop)

    def run(self, lines: Iterable[bytes]) -> Summary:
        """Store every line up to the first malformed one of its stream.

        A malformed line that does not say which stream it belongs to ends all streams. If the
        import is interrupted or fails, it returns once the pending commits are answered; run it
        again on the same lines to store the rest.

        Raises:
            EventStoreError: The store failed, or the lines could not be read.
        """
        workers = [ThreadPoolExecutor(1) for _ in range(self._settings.workers)]
        waiting: deque[Future[Problem | None]] = deque()
        self._source = lines if isinstance(lines, Source) else None
        try:
            for chunk in self._chunks(lines):
                # Not hash(), which differs in each process: a rerun should spread alike.
                worker = workers[crc32(repr(chunk.stream).encode()) % len(workers)]
                waiting.append(worker.submit(self._write, chunk))
                self._await(waiting, QUEUE_CHUNKS * len(workers))
            self._await(waiting, 0)
            self.summary.complete = True
        finally:
            self._stop.set()
            for worker in workers:
                worker.shutdown(cancel_futures=True)
            self._sum_up()
        return self.summary

    def _chunks(self, lines: Iterable[bytes]) -> Iterator[Chunk]:
        for number, text in enumerate(lines, 1):
            if text.strip():
                yield from self._cut(text, number)
            self._show_progress()
        yield from self._cutter.flush()

    def _cut(self, text: bytes, number: int) -> Iterator[Chunk]:
        self.summary.add(lines=1)
        try:
            line = self._parse(text, number)
            if self._stopped.isdisjoint((None, line.stream)):
                yield from self._cutter.add(line)
            else:
                self.summary.add(skipped=1)
        except MalformedLineError as error:
            self.summary.add(malformed=1)
            self._stopped.add(error.stream)
            self._on_problem(Problem(number, str(error), error.stream))

    def _parse(self, text: bytes, number: int) -> Line:
        line = parse_line(text, number, self._settings.defaults)
        if ENCRYPTED in line.context and not self._settings.encrypted:
            raise MalformedLineError(
                "the event has encrypted fields, and a file holds no keys: copy the table of keys "
                "too, and import with --encrypted",
                line.stream,
            )
        return line

    def _write(self, chunk: Chunk) -> Problem | None:
        """Write a chunk, in the thread of its stream, unless another chunk failed."""
        if self._stop.is_set():
            return None
        try:
            return self._writer.write(chunk)
        except BaseException:
            self._stop.set()
            raise

    def _await(self, waiting: deque[Future[Problem | None]], most: int) -> None:
        """Wait until at most so many chunks wait; raise the error of one that failed."""
        while len(waiting) > most or (waiting and self._stop.is_set()):
            done, _ = wait([waiting[0]], timeout=_TICK)
            self._show_progress()
            if done and (problem := waiting.popleft().result()):
                self._on_problem(problem)

    def _show_progress(self) -> None:
        now = self._clock()
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
        summary.seconds = self._clock() - self._began
        summary.streams = len(streams)
        summary.tenants = len({stream.tenant_id for stream in streams})
        if self._meter is not None:
            summary.requests, summary.attempts = self._meter.requests, self._meter.attempts
            summary.write_units = self._meter.write_units
