"""Runs an import: one reader, several writers, each stream always with the same one."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from zlib import crc32

from dynamo_es.cli.importing.chunks import Cutter
from dynamo_es.cli.importing.counts import Counts, Summary
from dynamo_es.cli.importing.lines import Defaults, MalformedLineError, StreamOf, parse_line
from dynamo_es.cli.importing.meter import Spent
from dynamo_es.cli.importing.writer import RefusedError, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dynamo_es.cli.importing.chunks import Chunk
    from dynamo_es.cli.importing.lines import Line
    from dynamo_es.cli.importing.meter import Meter
    from dynamo_es.contracts import StorageStrategy

QUEUE_CHUNKS: Final = 64
"""Chunks that wait for one writer; then the reader waits, so that memory stays flat."""

_TICK: Final = 0.1
"""Seconds after which whoever waits looks whether to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to import.

    Attributes:
        workers: threads that append.
        events_per_commit: most events of one commit.
        gather: whether to gather a stream's events from all over the input.
        defaults: for lines without tenant or category.
        price: whether to price each commit, even if the engine reports its cost.
    """

    workers: int = 4
    events_per_commit: int = 100
    gather: bool = False
    defaults: Defaults = field(default_factory=Defaults)
    price: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that was not stored.

    Attributes:
        line: its number, 1-based.
        reason: why.
        stream: the stream whose later lines are skipped; None: those of all streams, because
            the stream of a malformed line cannot be told.
    """

    line: int
    reason: str
    stream: StreamOf | None = None


class Importer:
    """One import, to be run once.

    Args:
        storage: where to; of any tenant.
        settings: how.
        meter: the observer of the storage's backend; None if it has none.
        on_problem: told of each line that was not stored; by one thread at a time.
        on_progress: called about ten times a second by the thread that runs the import.
        clock: seconds of a clock that only goes forward.
    """

    def __init__(
        self,
        storage: StorageStrategy,
        settings: Settings,
        *,
        meter: Meter | None = None,
        on_problem: Callable[[Problem], None] = lambda _: None,
        on_progress: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts = Counts()
        self._settings = settings
        self._meter = meter
        self._on_problem = on_problem
        self._on_progress = on_progress
        self._clock = clock
        self._began = self._told = clock()
        self._ended: float | None = None
        self._complete = False
        self._problem_lock = threading.Lock()
        # A stream ends where a line of it is malformed. Stored without that line, the lines after
        # it would have other versions than in the repaired file, which would then be refused.
        self._stopped: set[StreamOf] = set()
        self._all_stopped = False
        self._stop = threading.Event()
        self._cutter = Cutter(settings.events_per_commit, gather=settings.gather)
        self._lanes = [
            _Lane(
                Writer(storage, self.counts, meter, price=settings.price, sleep=self._rest),
                self._refused,
                self._stop,
            )
            for _ in range(settings.workers)
        ]

    def run(self, lines: Iterable[bytes]) -> Summary:
        """Store every line up to the first malformed one of its stream; return when that is done.

        A malformed line whose stream cannot be told ends all streams.

        Interrupted or failed, it ends when the commits under way are answered. What is stored
        then stays; running it again on the same lines stores the rest.

        Raises:
            EventStoreError: the store failed, or the lines could not be read.
        """
        for lane in self._lanes:
            lane.start()
        try:
            for chunk in self._chunks(lines):
                self._hand_over(chunk)
            for lane in self._lanes:
                self._put(lane, None)
            for lane in self._lanes:
                while lane.is_alive():
                    lane.join(_TICK)
                    self._tell()
            self._raise_failure()
            self._complete = True
        finally:
            self._stop.set()
            for lane in self._lanes:
                lane.join()
            self._ended = self._clock()
        return self.summary

    @property
    def summary(self) -> Summary:
        """What was done so far, or in all."""
        counts, spent = self.counts, self._meter.spent if self._meter is not None else Spent()
        return Summary(
            lines=counts.lines,
            events=counts.events,
            commits=counts.commits,
            streams=self._cutter.streams,
            tenants=self._cutter.tenants,
            already_stored=counts.already_stored,
            malformed=counts.malformed,
            skipped=counts.skipped,
            refused_streams=counts.refused_streams,
            requests=spent.requests,
            attempts=spent.attempts,
            write_units=spent.write_units + counts.unreported_units,
            write_units_reported=not counts.unreported_units,
            priced_units=counts.priced_units if self._settings.price else None,
            seconds=self.seconds,
            complete=self._complete,
        )

    @property
    def seconds(self) -> float:
        """Seconds since it began, or that it took."""
        return (self._ended or self._clock()) - self._began

    def _chunks(self, lines: Iterable[bytes]) -> Iterator[Chunk]:
        for number, text in enumerate(lines, 1):
            if line := self._parse(text, number):
                yield from self._cutter.add(line)
            self._tell()
        yield from self._cutter.flush()

    def _parse(self, text: bytes, number: int) -> Line | None:
        if not text.strip():
            return None
        self.counts.add(lines=1)
        try:
            line = parse_line(text, number, self._settings.defaults)
        except MalformedLineError as error:
            self.counts.add(malformed=1)
            self._stop_after(error.stream)
            self._report(Problem(number, str(error), error.stream))
            return None
        if self._all_stopped or line.stream in self._stopped:
            self.counts.add(skipped=1)
            return None
        return line

    def _stop_after(self, stream: StreamOf | None) -> None:
        if stream is None:
            self._all_stopped = True
        else:
            self._stopped.add(stream)

    def _hand_over(self, chunk: Chunk) -> None:
        # Not hash(), which is another one in each process: a rerun should spread alike.
        number = crc32(repr(chunk.stream).encode()) % len(self._lanes)
        self._put(self._lanes[number], chunk)

    def _put(self, lane: _Lane, chunk: Chunk | None) -> None:
        while True:
            self._raise_failure()
            try:
                lane.chunks.put(chunk, timeout=_TICK)
            except queue.Full:
                self._tell()
            else:
                return

    def _raise_failure(self) -> None:
        for lane in self._lanes:
            if lane.failure is not None:
                raise lane.failure

    def _rest(self, seconds: float) -> None:
        self._stop.wait(seconds)

    def _refused(self, chunk: Chunk, refused: RefusedError) -> None:
        self._report(Problem(refused.line, str(refused), chunk.stream))

    def _report(self, problem: Problem) -> None:
        with self._problem_lock:
            self._on_problem(problem)

    def _tell(self) -> None:
        now = self._clock()
        if now - self._told >= _TICK:
            self._told = now
            self._on_progress()


class _Lane(threading.Thread):
    """A writer in a thread of its own, and the chunks that wait for it."""

    def __init__(
        self,
        writer: Writer,
        on_refused: Callable[[Chunk, RefusedError], None],
        stop: threading.Event,
    ) -> None:
        # A daemon: a second Ctrl-C ends the program without waiting for the last replies.
        super().__init__(name="dynamo-es-import", daemon=True)
        self.chunks: queue.Queue[Chunk | None] = queue.Queue(QUEUE_CHUNKS)
        self.failure: BaseException | None = None
        self._writer = writer
        self._on_refused = on_refused
        self._stopping = stop

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                chunk = self.chunks.get(timeout=_TICK)
            except queue.Empty:
                continue
            if chunk is None:
                return
            try:
                self._writer.write(chunk)
            except RefusedError as refused:
                self._on_refused(chunk, refused)
            except BaseException as error:  # noqa: BLE001 - raised again by the reading thread
                self.failure = error
                self._stopping.set()
                return
