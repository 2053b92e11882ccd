"""Ends a worker cleanly: Ctrl-C and SIGTERM let it finish what it is doing."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event
    from types import FrameType


@contextmanager
def ended_by_signals(stop: Event) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM, which ends containers, stop a worker after the work in hand.

    The second signal stops it at once.
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
