"""``dynamo-es sequence``."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType
from typing import Annotated

import typer

from dynamo_es.cli.options import Place
from dynamo_es.cli.terminal import tell
from dynamo_es.cli.ticker import ticking
from dynamo_es.dynamodb.client import LazyClient, LazyStreamsClient
from dynamo_es.dynamodb.log.poller import StreamPoller
from dynamo_es.dynamodb.log.rounds import Polled


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
    poller = StreamPoller(config, LazyClient(config, None), LazyStreamsClient(config))
    if once:
        tell(_in_words(poller.drain()))
        return
    total = Polled()
    stop = Event()
    with _ended_by_signals(stop), ticking("Waiting for events") as tick:

        def show(polled: Polled) -> None:
            nonlocal total
            total += polled
            if not polled.idle:
                tick(_in_words(total))

        try:
            poller.run(stop, show)
        finally:
            tell(_in_words(total))
    if stop.is_set():
        raise KeyboardInterrupt


@contextmanager
def _ended_by_signals(stop: Event) -> Iterator[None]:
    """Let Ctrl-C, and SIGTERM, which ends containers, end this after the round in hand.

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


def _in_words(polled: Polled) -> str:
    text = (
        f"{polled.records:,} records read, {polled.positions:,} events put into the log "
        f"in {polled.pages:,} pages"
    )
    if polled.skipped:
        text += f", {polled.skipped:,} records of foreign items skipped"
    return f"{text}."
