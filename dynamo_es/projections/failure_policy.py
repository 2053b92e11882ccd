"""`FailurePolicy`: the way in which a consumer treats an event that it cannot handle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from dynamo_es.contracts.checks.arguments import seconds_of
from dynamo_es.exceptions import InvalidSubscriptionError
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from datetime import timedelta

Then: TypeAlias = Literal["stop", "park", "skip"]

_WORDS: Final = ("stop", "park", "skip")


@dataclass(frozen=True, slots=True, kw_only=True)
class FailurePolicy:
    """Says how often a failing event is tried, and what happens then.

    ``backend.projection("balances", apply, on_failure=FailurePolicy(then="park", attempts=5))``

    Attributes:
        then: ``"stop"``: the consumer ends before the event. ``"park"``: it sets the event's stream
            aside, lists the stream, and goes on with other streams. ``"skip"``: it lists the event
            and goes on after it.
        attempts: number of times that the event is tried before that, 1 or more.
        pause: wait before the second attempt, a timedelta or seconds; each further wait is twice as
            long. In a Lambda function of `project_streams`, Lambda waits instead.
        longest_pause: longest wait, a timedelta or seconds.

    Raises:
        InvalidSubscriptionError: a value is out of range.
    """

    then: Then = "stop"
    attempts: int = 3
    pause: timedelta | float = 0.1
    longest_pause: timedelta | float = 10.0

    def __post_init__(self) -> None:
        if self.then not in _WORDS:
            raise InvalidSubscriptionError(
                f'then must be "stop", "park" or "skip", not {shown(self.then, str)}.'
            )
        if type(self.attempts) is not int or self.attempts < 1:
            raise InvalidSubscriptionError(
                f"attempts must be an integer of 1 or more, not {shown(self.attempts)}."
            )
        seconds_of("pause", self.pause)
        seconds_of("longest_pause", self.longest_pause)

    def wait_after(self, attempts: int) -> float:
        """Return the seconds to wait after a number of failed attempts."""
        wait = seconds_of("pause", self.pause) * 2.0 ** min(attempts - 1, 60)
        return min(wait, seconds_of("longest_pause", self.longest_pause))


STOP: Final = FailurePolicy(attempts=1)
"""The default: the consumer ends before the first event that fails."""

OnFailure: TypeAlias = Then | FailurePolicy


def policy_of(on_failure: OnFailure) -> FailurePolicy:
    """Return the policy that a word stands for, or the given policy.

    ``"park"`` and ``"skip"`` try an event three times.

    Raises:
        InvalidSubscriptionError: it is neither a policy nor one of the words.
    """
    if isinstance(on_failure, FailurePolicy):
        return on_failure
    if on_failure == "stop":
        return STOP
    if not isinstance(on_failure, str) or on_failure not in _WORDS:
        raise InvalidSubscriptionError(
            'on_failure must be "stop", "park", "skip" or a FailurePolicy, not '
            f"{shown(on_failure, str)}."
        )
    return replace(FailurePolicy(), then=on_failure)
