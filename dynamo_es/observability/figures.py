"""What the reports of observers say, in figures: counted alike by all that pass them on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from dynamo_es.exceptions import ConcurrentStreamWriteError, ContentionError, ThrottledError

if TYPE_CHECKING:
    from dynamo_es.contracts import OperationReport

CONFLICTS: Final = "Conflicts"
THROTTLES: Final = "Throttles"
ERRORS: Final = "Errors"


class ProgressOfConsumer(Protocol):
    """How far a consumer of the log is: the report of a projection, or one like it."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def lag(self) -> int:
        """Positions still to go."""


def retries_of(report: OperationReport) -> int:
    """Return the HTTP attempts of an operation beyond the first of each request."""
    return max(report.attempts - report.requests, 0)


def outcome_of(error: BaseException | None) -> str | None:
    """Return what an operation that ended so counts as; None for a success.

    A conflict is the store doing its work, throttling is a matter of capacity: only the rest are
    errors, worth an alarm each.
    """
    if error is None:
        return None
    if isinstance(error, ConcurrentStreamWriteError):
        return CONFLICTS
    if isinstance(error, ThrottledError | ContentionError):
        return THROTTLES
    return ERRORS
