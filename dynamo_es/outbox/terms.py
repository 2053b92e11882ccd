"""The terms of a run: how many tries, how long the waits, how long the lease."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from dynamo_es.contracts.checks import seconds_of
from dynamo_es.exceptions import InvalidSubscriptionError
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from datetime import timedelta

_LONGEST_DELAY_MS: Final = 24 * 60 * 60 * 1000
"""The longest wait between two tries of an event, where the doubling ends."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a run publishes.

    Attributes:
        limit: most tries of the run.
        attempts: most tries of an entry.
        retry_delay_ms: milliseconds between the first try of an entry and the second; each
            further wait is twice the one before, up to a day.
        lease_ms: milliseconds that the lease lasts after each write.
    """

    limit: int
    attempts: int
    retry_delay_ms: float
    lease_ms: int

    @classmethod
    def of(
        cls, limit: int, attempts: int, retry_delay: timedelta | float, lease: timedelta | float
    ) -> Self:
        """Return the terms that a caller gave, with durations in seconds.

        Raises:
            InvalidSubscriptionError: an argument out of range.
        """
        for name, value in (("limit", limit), ("attempts", attempts)):
            if type(value) is not int or value < 1:
                raise InvalidSubscriptionError(
                    f"{name} must be an integer of 1 or more, not {shown(value)}."
                )
        return cls(
            limit,
            attempts,
            seconds_of("retry_delay", retry_delay) * 1000,
            int(seconds_of("lease", lease, 1) * 1000),
        )

    def delay_ms(self, attempts: int) -> int:
        """Return the wait after a number of failed tries, 1 or more, in milliseconds."""
        # The cap keeps the number small; 40 doublings of a millisecond take longer than a day.
        doubled = self.retry_delay_ms * 2 ** min(attempts - 1, 40)
        return int(min(doubled, _LONGEST_DELAY_MS))
