"""Runs a projection with progress, so that Ctrl-C ends it after the current event."""

from __future__ import annotations

import time
from datetime import timedelta
from threading import Event
from typing import TYPE_CHECKING

from dynamo_es.cli.terminal.progress import ticking
from dynamo_es.cli.terminal.rendering import count
from dynamo_es.cli.terminal.signals import ended_by_signals
from dynamo_es.contracts.error_texts import describe_error
from dynamo_es.exceptions import EventStoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.projections.parts import ProjectionReport
    from dynamo_es.projections.projection import Projection

_MICROSECONDS = 1e-6


class HandlerFailedError(EventStoreError):
    """The handler of a projection raised an error, which may quote an event."""


class Pace:
    """Describes the progress of a projection, its speed, and the time that is left.

    Args:
        clock: returns seconds of a monotonic clock.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._first: int | None = None

    def describe(self, report: ProjectionReport) -> str:
        """Return the progress of a running projection, for people."""
        text = (
            f"position {report.position:,} of {report.last_position:,}, "
            f"{count(report.handled, 'event')} handled"
        )
        if self._first is None:
            self._first = report.position
        seconds = max(self._clock() - self._began, _MICROSECONDS)
        speed = (report.position - self._first) / seconds
        if not report.lag or not speed:
            return text
        left = timedelta(seconds=round(report.lag / speed))
        return f"{text}, {speed:,.0f} positions a second, {left} left"


def run_projection(projection: Projection, *, once: bool) -> tuple[ProjectionReport, bool]:
    """Run a projection until the end of the log, or until Ctrl-C or SIGTERM.

    Args:
        projection: the projection.
        once: whether to stop at the current end of the log.

    Returns:
        The report of the run, and whether a signal ended it.

    Raises:
        HandlerFailedError: the handler raised an error. The checkpoint is before that event.
        EventStoreError: an error of the store.
    """
    stop, pace = Event(), Pace()
    with ended_by_signals(stop), ticking(f"Running {projection.name}") as tick:

        def show(report: ProjectionReport) -> None:
            tick(pace.describe(report))

        run = projection.run_once if once else projection.run_forever
        try:
            return run(stop, show), stop.is_set()
        except EventStoreError:
            raise
        except Exception as error:
            raise HandlerFailedError(
                f"The handler of {projection.name} failed: {describe_error(error)}. The "
                f"checkpoint is {_place_of(projection)}before that event. Fix the handler and run "
                "the projection again. To see the traceback: --debug"
            ) from error


def _place_of(projection: Projection) -> str:
    try:
        return f"at {projection.position or 0:,}, "
    except EventStoreError:  # report the error of the handler instead
        return ""


def describe_end(report: ProjectionReport, *, once: bool) -> str:
    """Return a sentence about a run; with the lag, if the run went to the end of the log."""
    lag = f", lag {report.lag:,}" if once else ""
    text = (
        f"{report.name}: {count(report.handled, 'event')} handled, at position "
        f"{report.position:,}{lag}."
    )
    if report.passed_over:
        text += (
            f" {count(report.passed_over, 'unreadable commit')} passed over (to list them: "
            "dynamo-es log verify)."
        )
    return text


def report_document(report: ProjectionReport, *, once: bool) -> dict[str, object]:
    """Return the report of a run as JSON. It has the lag only if the run went to the end."""
    return {
        "projection": report.name,
        "position": report.position,
        "last_position": report.last_position if once else None,
        "lag": report.lag if once else None,
        "handled": report.handled,
        "passed_over": report.passed_over,
        "unsequenced": report.unsequenced,
    }
