"""Runs an import: reads and cuts lines, while a thread appends chunks of many streams at once."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

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
    from dynamo_es.values import TenantId

QUEUE_CHUNKS: Final = 512
"""Chunks that wait for each request at a time, so that requests have many streams to hold."""

QUEUE_BYTES: Final = 64 * 1024 * 1024
"""Bytes of lines that wait. Then the reader waits, so that memory stays flat."""

_BATCH: Final = 25
"""Chunks that fit into one request."""

_TICK: Final = 0.1
"""Seconds after which the reader shows progress, also while it waits."""


class _Waiting:
    """Chunks that wait, of each stream in order; the stream that waits longest first."""

    def __init__(self) -> None:
        self._of: defaultdict[TenantId, dict[StreamOf, deque[Chunk]]] = defaultdict(dict)
        self.chunks = self.bytes = 0

    def add(self, chunk: Chunk) -> None:
        self._of[chunk.stream.tenant_id].setdefault(chunk.stream, deque()).append(chunk)
        self.chunks += 1
        self.bytes += chunk.size

    def take(self, most: int) -> list[Chunk]:
        """Return the next chunk of each stream, up to so many, of the tenant with most streams.

        What would be left over after full requests waits for more.
        """
        streams = max(self._of.values(), key=len)
        number = min(len(streams), most)
        if number > _BATCH:
            number -= number % _BATCH
        taken = []
        for stream in list(islice(streams, number)):
            of_stream = streams.pop(stream)
            taken.append(chunk := of_stream.popleft())
            self.bytes -= chunk.size
            if of_stream:
                streams[stream] = of_stream
        self.chunks -= len(taken)
        return taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Options of an import."""

    workers: int = 4  # requests at a time; 1: one commit after the other, in the order of the lines
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
        self._waiting = _Waiting()
        self._thread = ThreadPoolExecutor(1)
        self._round: Future[list[Problem]] | None = None

    def run(self, lines: Iterable[bytes]) -> Summary:
        """Store every line up to the first malformed one of its stream.

        A malformed line that does not say which stream it belongs to ends all streams. If the
        import is interrupted or fails, it returns once the pending commits are answered; run it
        again on the same lines to store the rest.

        Raises:
            EventStoreError: The store failed, or the lines could not be read.
        """
        self._source = lines if isinstance(lines, Source) else None
        most = self._settings.workers * QUEUE_CHUNKS if self._settings.workers > 1 else 1
        try:
            for chunk in self._chunks(lines):
                self._waiting.add(chunk)
                if self._waiting.chunks >= most or self._waiting.bytes >= QUEUE_BYTES:
                    self._write_round()
            while self._waiting.chunks:
                self._write_round()
            self._await_round()
            self.summary.complete = True
        finally:
            self._stop.set()
            self._thread.shutdown()
            self._sum_up()
        return self.summary

    def _chunks(self, lines: Iterable[bytes]) -> Iterator[Chunk]:
        for number, text in enumerate(lines, 1):
            if text.strip():
                yield from self._cut(text, number)
            self._show_progress()
        yield from self._cutter.flush()

    def _cut(self, text: bytes, number: int) -> Iterator[Chunk]:
        self.summary.lines += 1  # which no other thread does
        try:
            line = self._parse(text, number)
            if not self._stopped or self._stopped.isdisjoint((None, line.stream)):
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

    def _write_round(self) -> None:
        """Begin to append the next chunks of many streams, once those before them are stored."""
        self._await_round()
        workers = self._settings.workers
        chunks = self._waiting.take(workers * _BATCH if workers > 1 else 1)
        self._round = self._thread.submit(self._writer.write, chunks)

    def _await_round(self) -> None:
        """Wait for the chunks under way; raise the error if they failed."""
        while self._round is not None:
            done, _ = wait([self._round], timeout=_TICK)
            self._show_progress()
            if done:
                problems, self._round = self._round.result(), None
                for problem in problems:
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
