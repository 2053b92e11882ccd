"""Runs an outbox again and again until it is stopped."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from dynamo_es.contracts.error_texts import describe_error
from dynamo_es.exceptions import ContentionError, ThrottledError, UnavailableError
from dynamo_es.outbox.run import OutboxReport

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

_logger = logging.getLogger("dynamo_es")

_SHORTEST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 1.0
"""Shortest and longest wait between two runs without events, in seconds."""

_PASSING: Final = (ThrottledError, ContentionError, UnavailableError)


def run_until(stop: Event, name: str, run: Callable[[], OutboxReport]) -> OutboxReport:
    """Run an outbox until it is stopped; return one report of all runs.

    Args:
        stop: set it to return after the current run.
        name: name of the outbox.
        run: runs the outbox once. After a temporary error, which is logged, it is called again.
    """
    total = OutboxReport(name=name)
    wait = _SHORTEST_WAIT
    while not stop.is_set():
        try:
            report = run()
        except _PASSING as error:
            _logger.warning("Outbox %s failed and tries again: %s", name, describe_error(error))
            active, wait = False, _LONGEST_WAIT
        else:
            total, active = total.followed_by(report), report.active
        if active:
            wait = _SHORTEST_WAIT
        elif stop.wait(wait):
            break
        else:
            wait = min(wait * 2, _LONGEST_WAIT)
    return total
