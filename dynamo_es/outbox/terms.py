"""`Terms`: the settings of an outbox run, such as its tries, waits and lease."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Self

from dynamo_es.contracts.checks.arguments import seconds_of
from dynamo_es.exceptions import InvalidSubscriptionError
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from threading import Event

DEFAULT_AGE: Final = timedelta(hours=24)
"""Default time for which a failing event is tried again."""

_LONGEST_DELAY_MS: Final = 60 * 60 * 1000
"""Longest wait between two tries of an event, in milliseconds."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The settings of an outbox run.

    Attributes:
        limit: most tries of the run.
        attempts: most tries of an event; None: any number.
        give_up_after_ms: milliseconds since the first try of an event after which a failed try is
            the last.
        retry_delay_ms: milliseconds between the first try of an event and the second. Each further
            wait is twice as long, up to an hour, or up to this wait if it is longer.
        lease_ms: milliseconds that the lease lasts after each write.
        at_once: most events in one publisher call.
        stop: if it is set, the run ends after the current publisher call; None: the run cannot be
            stopped.
    """

    limit: int
    attempts: int | None
    give_up_after_ms: float
    retry_delay_ms: float
    lease_ms: int
    at_once: int = 1
    stop: Event | None = None

    @classmethod
    def of(
        cls,
        limit: int,
        attempts: int | None,
        give_up_after: timedelta | float,
        retry_delay: timedelta | float,
        lease: timedelta | float,
    ) -> Self:
        """Check the settings that a caller gave, and return them with durations in milliseconds.

        Raises:
            InvalidSubscriptionError: an argument is out of range.
        """
        for name, value in (("limit", limit), ("attempts", attempts)):
            if (type(value) is not int or value < 1) and not (name == "attempts" and value is None):
                raise InvalidSubscriptionError(
                    f"{name} must be an integer of 1 or more, not {shown(value)}."
                )
        return cls(
            limit,
            attempts,
            seconds_of("give_up_after", give_up_after) * 1000,
            seconds_of("retry_delay", retry_delay) * 1000,
            int(seconds_of("lease", lease, 1) * 1000),
        )

    def for_calls(self, at_once: int, stop: Event | None = None) -> Terms:
        """Return these terms for a publisher that takes up to ``at_once`` events in a call."""
        return replace(self, at_once=at_once, stop=stop)

    @property
    def is_over(self) -> bool:
        """Whether the run must stop."""
        return self.stop is not None and self.stop.is_set()

    def delay_ms(self, attempts: int) -> int:
        """Return the wait after a number of failed tries, 1 or more, in milliseconds."""
        # The cap keeps the number small: 40 doublings of a millisecond are longer than an hour.
        doubled = self.retry_delay_ms * 2 ** min(attempts - 1, 40)
        return int(min(doubled, max(self.retry_delay_ms, _LONGEST_DELAY_MS)))

    def gives_up(self, attempts: int, age_ms: float) -> bool:
        """Return whether a failed try of an event is the last.

        Args:
            attempts: number of failed tries, including this one.
            age_ms: milliseconds since the first try.
        """
        if self.attempts is not None and attempts >= self.attempts:
            return True
        return age_ms >= self.give_up_after_ms
