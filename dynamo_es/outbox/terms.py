"""How a run publishes: how much, how often, with which waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dynamo_es.exceptions import InvalidSubscriptionError

_LONGEST_DELAY: Final = 24 * 60 * 60 * 1000
"""Between two tries, in milliseconds: doubling ends there."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a run keeps to.

    Attributes:
        limit: most tries of a run.
        attempts: most tries of an entry.
        retry_delay: seconds between the first try of an entry and the second; each further wait
            is twice the one before, up to a day.
        lease: seconds a worker has the outbox for itself, from its last write on.

    Raises:
        InvalidSubscriptionError: one of them out of range.
    """

    limit: int
    attempts: int
    retry_delay: float
    lease: float

    def __post_init__(self) -> None:
        for name in ("limit", "attempts"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise InvalidSubscriptionError(
                    f"{name} is a number of tries, 1 or more; not {value!r}."
                )
        for name, least in (("retry_delay", 0), ("lease", 1)):
            value = getattr(self, name)
            if type(value) not in {int, float} or not least <= value < float("inf"):
                raise InvalidSubscriptionError(
                    f"{name} is a number of seconds, {least} or more; not {value!r}."
                )

    @property
    def lease_ms(self) -> int:
        """The lease in milliseconds."""
        return int(self.lease * 1000)

    def delay_ms(self, attempts: int) -> int:
        """Return the wait after so many tries in vain, 1 or more, in milliseconds."""
        # Doubled more often, it is a day anyhow; and no number gets too large.
        doubled = self.retry_delay * 1000 * 2 ** min(attempts - 1, 40)
        return int(min(doubled, _LONGEST_DELAY))
