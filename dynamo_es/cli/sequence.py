"""``dynamo-es sequence``."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event
from types import FrameType
from typing import Annotated, Final

import typer

from dynamo_es.cli.options import Place
from dynamo_es.cli.terminal import tell
from dynamo_es.cli.ticker import ticking
from dynamo_es.dynamodb.table_stream.poller import SequencerReport, StreamPoller
from dynamo_es.dynamodb.table_stream.rounds import Polled, Progress
from dynamo_es.dynamodb.wire.client import LazyClient, LazyStreamsClient

_BACKLOG_SECONDS: Final = 10.0
"""What was written longer ago than this is a backlog."""


def sequence(
    place: Place,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End when nothing comes any more, after a second or two.")
    ] = False,
) -> None:
    """Give what is appended its positions in the log: a worker, until Ctrl-C or SIGTERM.

    It polls the events table's stream, and goes on where the last one ended. Several may run
    at once. Not needed where a Lambda function sequences, or the appending processes do.
    """
    config = place.config()
    total = Polled()
    work = Work(time.time, time.monotonic)
    stop = Event()
    with _ended_by_signals(stop), ticking("Reading the events table's stream") as tick:

        def progress(now: Progress) -> None:
            tick(work.describe(now))

        def show(report: SequencerReport) -> None:
            nonlocal total
            polled = report.polled
            total += polled
            work.add(polled)
            if not polled.idle:
                tick(_in_words(total))
            elif not total.records:
                tick("Waiting for events")

        client, streams = LazyClient(config, None), LazyStreamsClient(config)
        poller = StreamPoller(config, client, streams, on_progress=progress)
        if once:
            tell(_in_words(poller.run_once(stop).polled))
        else:
            try:
                poller.run_forever(stop, show)
            finally:
                tell(_in_words(total))
    if stop.is_set():
        raise KeyboardInterrupt


class Work:
    """Says how a worker is doing with a backlog: how much, how fast, how long still.

    Args:
        clock: seconds since the epoch.
        monotonic: seconds of a clock that only goes forward.
    """

    def __init__(self, clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._began = monotonic()
        self._positions = 0
        self._first_written_at: float | None = None

    def add(self, polled: Polled) -> None:
        """Take a round in that has ended."""
        self._positions += polled.positions

    def describe(self, now: Progress) -> str:
        """Return what is to be shown of a round that goes on."""
        elapsed = max(self._monotonic() - self._began, 0.001)
        positions = self._positions + now.positions
        text = (
            f"{positions:,} events put into the log, {positions / elapsed:,.0f} a second; "
            f"backlog: {now.pending:,} commits read and not in it yet"
        )
        if now.written_at is None:
            return f"{text}."
        if self._first_written_at is None:
            self._first_written_at = now.written_at
        behind = self._clock() - now.written_at
        if behind < _BACKLOG_SECONDS:
            return f"{text}."
        text += f", and all that was written in the last {_rounded(behind)}"
        # Seconds of the stream that a second of work takes in; new ones come meanwhile.
        speed = (now.written_at - self._first_written_at) / elapsed
        if speed > 1:
            text += f"; about {_rounded(behind / (speed - 1))} remaining"
        return f"{text}."


@contextmanager
def _ended_by_signals(stop: Event) -> Iterator[None]:
    """Let Ctrl-C, and SIGTERM, which ends containers, end this after the request in hand.

    The second one ends it at once.
    """

    def end(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            signal.default_int_handler(number, frame)
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _rounded(seconds: float) -> timedelta:
    return timedelta(seconds=round(seconds))


def _in_words(polled: Polled) -> str:
    text = (
        f"{polled.records:,} records read, {polled.positions:,} events put into the log "
        f"in {polled.pages:,} pages"
    )
    if polled.skipped:
        text += f", {polled.skipped:,} records of foreign items skipped"
    if polled.set_aside:
        text += (
            f", {polled.set_aside:,} records of items that cannot be read, which are set aside "
            "(dynamo-es log set-aside)"
        )
    if polled.waiting:
        text += f", {polled.waiting:,} commits wait for one that is set aside"
    return f"{text}."
