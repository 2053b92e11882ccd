"""Ends a worker cleanly: after Ctrl-C or SIGTERM, it finishes its current work."""

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
    """Make Ctrl-C and SIGTERM, which ends containers, stop a worker after its current work.

    A second signal stops it at once.
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
