"""Runs an import: one reader, several writers, and every chunk of a stream to the same writer."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Final
from zlib import crc32

from dynamo_es.cli.importing.chunks import Cutter
from dynamo_es.cli.importing.counts import Counts, Figures, Spent, Summary
from dynamo_es.cli.importing.lines import Defaults, MalformedLineError, StreamOf, parse_line
from dynamo_es.cli.importing.writer import Problem, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dynamo_es.cli.importing.chunks import Chunk
    from dynamo_es.cli.importing.counts import Meter
    from dynamo_es.cli.importing.lines import Line
    from dynamo_es.contracts import StorageStrategy

    _Queue = queue.Queue[Chunk | None]

QUEUE_CHUNKS: Final = 64
"""Chunks that wait for one writer. Then the reader waits, so that memory stays flat."""

_TICK: Final = 0.1
"""Seconds after which a waiting thread checks whether to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Options of an import.

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


class Importer:
    """One import; run it once.

    Args:
        storage: the storage of any tenant.
        settings: the options.
        meter: the observer of the storage's backend; None if it has none.
        on_problem: called with each line that was not stored; by one thread at a time.
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
        self._storage = storage
        self._settings = settings
        self._meter = meter
        self._on_problem = on_problem
        self._on_progress = on_progress
        self._clock = clock
        self._began = self._shown = clock()
        self._ended: float | None = None
        self._complete = False
        self._problem_lock = threading.Lock()
        # A stream ends at its first malformed line. If later lines were stored without it, they
        # would get other versions than in the repaired file, and that file would be refused.
        self._stopped: set[StreamOf] = set()
        self._all_stopped = False
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._cutter = Cutter(settings.events_per_commit, gather=settings.gather)

    def run(self, lines: Iterable[bytes]) -> Summary:
        """Store every line up to the first malformed one of its stream.

        A malformed line that does not say which stream it belongs to ends all streams. If the
        import is interrupted or fails, it returns once the pending commits are answered; run it
        again on the same lines to store the rest.

        Raises:
            EventStoreError: The store failed, or the lines could not be read.
        """
        queues: list[_Queue] = [queue.Queue(QUEUE_CHUNKS) for _ in range(self._settings.workers)]
        # Daemons: a second Ctrl-C ends the program without waiting for the last replies.
        threads = [threading.Thread(target=self._work, args=[one], daemon=True) for one in queues]
        for thread in threads:
            thread.start()
        try:
            for chunk in self._chunks(lines):
                # Not hash(), which differs in each process: a rerun should spread alike.
                self._put(queues[crc32(repr(chunk.stream).encode()) % len(queues)], chunk)
            for one in queues:
                self._put(one, None)
            for thread in threads:
                while thread.is_alive():
                    thread.join(_TICK)
                    self._show_progress()
            self._raise_failure()
            self._complete = True
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()
            self._ended = self._clock()
        return self.summary

    @property
    def summary(self) -> Summary:
        """The result so far, or of the whole import."""
        counts, spent = self.counts, self._meter.spent if self._meter is not None else Spent()
        return Summary(
            **{one.name: getattr(counts, one.name) for one in fields(Figures)},
            streams=self._cutter.streams,
            tenants=self._cutter.tenants,
            requests=spent.requests,
            attempts=spent.attempts,
            write_units=spent.write_units + counts.unreported_units,
            write_units_reported=not counts.unreported_units,
            priced_units=counts.priced_units if self._settings.price else None,
            seconds=(self._ended or self._clock()) - self._began,
            complete=self._complete,
        )

    def _chunks(self, lines: Iterable[bytes]) -> Iterator[Chunk]:
        for number, text in enumerate(lines, 1):
            if text.strip() and (line := self._parse(text, number)):
                yield from self._cutter.add(line)
            self._show_progress()
        yield from self._cutter.flush()

    def _parse(self, text: bytes, number: int) -> Line | None:
        self.counts.add(lines=1)
        try:
            line = parse_line(text, number, self._settings.defaults)
        except MalformedLineError as error:
            self.counts.add(malformed=1)
            if error.stream is None:
                self._all_stopped = True
            else:
                self._stopped.add(error.stream)
            self._report(Problem(number, str(error), error.stream))
            return None
        if self._all_stopped or line.stream in self._stopped:
            self.counts.add(skipped=1)
            return None
        return line

    def _put(self, chunks: _Queue, chunk: Chunk | None) -> None:
        while True:
            self._raise_failure()
            try:
                return chunks.put(chunk, timeout=_TICK)
            except queue.Full:
                self._show_progress()

    def _work(self, chunks: _Queue) -> None:
        """Write the chunks of one queue until it ends, in a thread of its own."""
        writer = Writer(
            self._storage,
            self.counts,
            self._meter,
            price=self._settings.price,
            sleep=self._sleep,
        )
        try:
            while not self._stop.is_set():
                try:
                    chunk = chunks.get(timeout=_TICK)
                except queue.Empty:
                    continue
                if chunk is None:
                    return
                if problem := writer.write(chunk):
                    self._report(problem)
        except BaseException as error:  # noqa: BLE001 - raised again by the reading thread
            self._failure = error
            self._stop.set()

    def _sleep(self, seconds: float) -> None:
        self._stop.wait(seconds)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _report(self, problem: Problem) -> None:
        with self._problem_lock:
            self._on_problem(problem)

    def _show_progress(self) -> None:
        now = self._clock()
        if now - self._shown >= _TICK:
            self._shown = now
            self._on_progress()
