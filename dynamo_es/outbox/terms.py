"""The terms of a run: how many tries, how long the waits, how long the lease."""

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
"""How long an event that fails is tried again where nothing else is said."""

_LONGEST_DELAY_MS: Final = 60 * 60 * 1000
"""The longest wait between two tries of an event, where the doubling ends."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a run publishes.

    Attributes:
        limit: most tries of the run.
        attempts: most tries of an entry; None: any number.
        give_up_after_ms: milliseconds after the first try of an entry from which a failed try is
            the last.
        retry_delay_ms: milliseconds between the first try of an entry and the second; each
            further wait is twice the one before, up to an hour or the first wait.
        lease_ms: milliseconds that the lease lasts after each write.
        at_once: most events of one call of the publisher.
        stop: ends the run after a call of the publisher once it is set; None: nothing does.
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
        """Return the terms that a caller gave, with durations in seconds.

        Raises:
            InvalidSubscriptionError: an argument out of range.
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
        """Return the same terms for a publisher that takes so many events a call."""
        return replace(self, at_once=at_once, stop=stop)

    @property
    def is_over(self) -> bool:
        """Whether the run is told to stop."""
        return self.stop is not None and self.stop.is_set()

    def delay_ms(self, attempts: int) -> int:
        """Return the wait after a number of failed tries, 1 or more, in milliseconds."""
        # The cap keeps the number small; 40 doublings of a millisecond take longer than an hour.
        doubled = self.retry_delay_ms * 2 ** min(attempts - 1, 40)
        return int(min(doubled, max(self.retry_delay_ms, _LONGEST_DELAY_MS)))

    def gives_up(self, attempts: int, age_ms: float) -> bool:
        """Whether a failed try of an entry is the last.

        Args:
            attempts: failed tries so far, this one included.
            age_ms: milliseconds since the first try.
        """
        if self.attempts is not None and attempts >= self.attempts:
            return True
        return age_ms >= self.give_up_after_ms
