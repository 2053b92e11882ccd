"""Retries of a decision, with a time budget and pauses of random length."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Final, TypeVar

from dynamo_es.contracts.checks.arguments import check_callable
from dynamo_es.contracts.checks.functions import refuse_asynchronous, refuse_unfinished
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    BoundaryConflictError,
    ConcurrentStreamWriteError,
    EventStoreError,
    InputError,
)
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

RETRY_FOR: Final = 10.0
"""Default time budget for retries, in seconds."""

_SLEEP: Final = "sleep"
_MONOTONIC: Final = "monotonic"
_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 1.0
_LARGEST_EXPONENT: Final = 10


class Retries:
    """Decides whether to try again, and waits before the next attempt.

    Args:
        seconds: the time budget, which begins now.
        attempts: most attempts in all; None: as many as the time allows.
        monotonic: returns seconds of a clock that only goes forward.
        sleep: called with the seconds to wait.
    """

    def __init__(
        self,
        seconds: float,
        attempts: int | None,
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._attempts = attempts
        self._monotonic = monotonic
        self._sleep = sleep
        self._failed = 0
        self._until = self._now() + seconds

    def wait_or_raise(self, error: Exception) -> bool:
        """Wait before the next attempt, or raise the error if this was the last one.

        Returns:
            Whether it waited. It does not wait before the second attempt.
        """
        self._failed += 1
        if self._failed == self._attempts:
            raise error
        left = self._until - self._now()
        if left <= 0:
            raise error
        if self._failed == 1:
            return False
        growth = 2 ** min(self._failed, _LARGEST_EXPONENT)
        # Random, so that two writers that collided do not collide again.
        pause = random.uniform(0, min(_FIRST_PAUSE * growth, _LONGEST_PAUSE))  # noqa: S311
        refuse_unfinished(self._sleep(min(pause, left)), self._sleep, _SLEEP)
        return True

    def _now(self) -> float:
        now = self._monotonic()
        refuse_unfinished(now, self._monotonic, _MONOTONIC)
        if type(now) not in {int, float} or not math.isfinite(now):
            raise InputError(
                f"monotonic must return a finite number of seconds, not {type(now).__name__}: give "
                "a function like time.monotonic."
            )
        return now


def append_surely(append: Callable[[], T], retries: Retries) -> T:
    """Append; after a lost answer, append the same events again as long as the retries allow.

    Args:
        append: appends the same events each time, with the same ids and the same condition.
        retries: limits the attempts and the time.

    Raises:
        AppendOutcomeUnknownError: an answer was lost, and no later attempt found out whether the
            events are stored. The error of a later attempt is its cause, because alone that error
            would say that nothing is stored. If the call is cancelled or interrupted, the interrupt
            is raised, and this error is its cause.
    """
    unknown: AppendOutcomeUnknownError | None = None
    while True:
        try:
            return append()
        except AppendOutcomeUnknownError as lost:
            unknown = lost
        except (ConcurrentStreamWriteError, BoundaryConflictError):
            raise  # a conflict is certain: this attempt looked for the events
        except EventStoreError as error:
            if unknown is None:
                raise
            raise unknown from error
        except BaseException as error:
            error.__cause__ = error.__cause__ or unknown
            raise
        try:
            retries.wait_or_raise(unknown)
        except AppendOutcomeUnknownError:
            raise
        except BaseException as error:
            error.__cause__ = error.__cause__ or unknown
            raise


def check_waiting(sleep: object, monotonic: object) -> None:
    """Raise `InputError` unless both settings are plain functions."""
    for name, function in ((_SLEEP, sleep), (_MONOTONIC, monotonic)):
        check_callable(name, function)
        refuse_asynchronous(function, name)


def check_attempts(attempts: int | None) -> None:
    """Raise `InputError` unless the value is an integer of 1 or more, or None."""
    if attempts is not None and (type(attempts) is not int or attempts < 1):
        raise InputError(
            f"attempts must be an integer of 1 or more, or None, not {shown(attempts)}."
        )
