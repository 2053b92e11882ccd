"""Figures that observers take from reports, and an observer that passes reports to others."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Protocol

from dynamo_es.contracts.error_texts import trace_error
from dynamo_es.exceptions import (
    AppendsFailedError,
    ConcurrentStreamWriteError,
    ContentionError,
    ThrottledError,
)

if TYPE_CHECKING:
    from dynamo_es.contracts import Observer, OperationReport

_log = logging.getLogger("dynamo_es")

CONFLICTS: Final = "Conflicts"
THROTTLES: Final = "Throttles"
ERRORS: Final = "Errors"


class ProgressOfConsumer(Protocol):
    """The progress of a consumer of the log, such as a `ProjectionReport`."""

    @property
    def name(self) -> str:
        """The consumer's name."""

    @property
    def lag(self) -> int:
        """The number of positions from the consumer to the end of the log."""


def observers(*several: Observer) -> Observer:
    """Return an observer that passes each report to all given observers, in order.

    ``DynamoBackend(config, observer=observers(EmfMetrics(), OpenTelemetry()))``. If one raises, its
    error is logged, and the others still get the report.
    """

    def observe(report: OperationReport, /) -> None:
        for observer in several:
            try:
                observer(report)
            except Exception as error:  # noqa: BLE001 - the others get the report, too
                _log.error(
                    "The observer %r failed on %s: %s",
                    observer,
                    report.operation,
                    trace_error(error),
                )

    return observe


def retries_of(report: OperationReport) -> int:
    """Return the number of HTTP attempts of an operation beyond the first of each request."""
    return max(report.attempts - report.requests, 0)


def outcome_of(error: BaseException | None) -> str | None:
    """Return the name under which a failed operation counts; None for a success.

    A conflict is normal, and throttling is a matter of capacity. All other failures are errors that
    deserve an alarm. If several appends failed, the worst one counts.
    """
    if error is None:
        return None
    if isinstance(error, AppendsFailedError):
        outcomes = {outcome_of(each) for each in error.errors.values()}
        return next((one for one in (ERRORS, THROTTLES, CONFLICTS) if one in outcomes), ERRORS)
    if isinstance(error, ConcurrentStreamWriteError):
        return CONFLICTS
    if isinstance(error, ThrottledError | ContentionError):
        return THROTTLES
    return ERRORS
