"""``dynamo-es sequence``."""

import time
from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import Annotated, Final

import typer

from dynamo_es.cli.options import Place
from dynamo_es.cli.terminal.output import tell
from dynamo_es.cli.terminal.progress import ticking
from dynamo_es.cli.terminal.rendering import count
from dynamo_es.cli.terminal.signals import ended_by_signals
from dynamo_es.dynamodb.table_stream.poller import SequencerReport, StreamPoller
from dynamo_es.dynamodb.table_stream.rounds import Polled, Progress
from dynamo_es.dynamodb.wire.client import LazyClient, LazyStreamsClient

_BACKLOG_SECONDS: Final = 10.0
"""Commits that were written more than this many seconds ago are a backlog."""


def sequence(
    place: Place,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Exit when no more events arrive, after a second or two.")
    ] = False,
) -> None:
    """Give appended events their positions in the log: a worker, until Ctrl-C or SIGTERM.

    It polls the events table's stream, and continues where the last worker ended. Several workers
    may run at once. You do not need it if a Lambda function or the appending processes assign
    positions.
    """
    config = place.config()
    total = Polled()
    work = Work(time.time, time.monotonic)
    stop = Event()
    with ended_by_signals(stop), ticking("Reading the events table's stream") as tick:

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
    """Describes a worker's progress through a backlog, its speed, and the time that is left.

    Args:
        clock: returns seconds since the epoch.
        monotonic: returns seconds of a monotonic clock.
    """

    def __init__(self, clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._began = monotonic()
        self._positions = 0
        self._first_written_at: float | None = None

    def add(self, polled: Polled) -> None:
        """Add a finished round."""
        self._positions += polled.positions

    def describe(self, now: Progress) -> str:
        """Return the progress of a running round, for people."""
        elapsed = max(self._monotonic() - self._began, 0.001)
        positions = self._positions + now.positions
        text = (
            f"{count(positions, 'event')} put into the log, {positions / elapsed:,.0f} a second; "
            f"backlog: {count(now.pending, 'commit')} read but not in the log yet"
        )
        if now.written_at is None:
            return f"{text}."
        if self._first_written_at is None:
            self._first_written_at = now.written_at
        lag = self._clock() - now.written_at
        if lag < _BACKLOG_SECONDS:
            return f"{text}."
        text += f", and everything written in the last {_rounded(lag)}"
        # How many seconds of the stream are read in a second. New events arrive in the meantime.
        speed = (now.written_at - self._first_written_at) / elapsed
        if speed > 1:
            text += f"; about {_rounded(lag / (speed - 1))} remaining"
        return f"{text}."


def _rounded(seconds: float) -> timedelta:
    return timedelta(seconds=round(seconds))


def _in_words(polled: Polled) -> str:
    text = (
        f"{count(polled.records, 'record')} read, {count(polled.positions, 'event')} put into the "
        f"log in {count(polled.pages, 'page')}"
    )
    if polled.skipped:
        text += f", {count(polled.skipped, 'foreign record')} skipped"
    if polled.set_aside:
        text += (
            f", {count(polled.set_aside, 'unreadable record')} set aside "
            "(to list them: dynamo-es log set-aside)"
        )
    if polled.waiting:
        text += f", {count(polled.waiting, 'commit')} waiting for a record that is set aside"
    return f"{text}."
