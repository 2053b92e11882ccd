"""`FrozenClock`: a clock that stands still until a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from dynamo_es.contracts.checks.arguments import check_kind
from dynamo_es.exceptions import InputError
from dynamo_es.wording import shown

START: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
"""The time of a new clock."""


class FrozenClock:
    """A clock that stands still until you move it.

    Call it for the seconds since the epoch, as the backends do: ``MemoryBackend(clock=clock)``.

    ::

        clock = FrozenClock()
        clock.advance(timedelta(minutes=5))
        assert clock.now == datetime(2026, 1, 1, 12, 5, tzinfo=UTC)

    Args:
        now: its first time, with a time zone.

    Raises:
        InputError: a time without a time zone.
    """

    def __init__(self, now: datetime = START) -> None:
        self._now = _checked(now)

    def __call__(self) -> float:
        """Return seconds since the epoch."""
        return self._now.timestamp()

    @property
    def now(self) -> datetime:
        """The current time of the clock, in UTC."""
        return self._now

    def set(self, now: datetime) -> None:
        """Set the clock to a time, which may be earlier.

        Raises:
            InputError: a time without a time zone.
        """
        self._now = _checked(now)

    def advance(self, by: timedelta | float) -> None:
        """Move the clock forward.

        Args:
            by: the time to move it by, as a timedelta or in seconds.

        Raises:
            InputError: not a time span, or one below 0: use `set` to go back.
        """
        if isinstance(by, bool) or not isinstance(by, timedelta | int | float):
            raise InputError(f"advance needs a timedelta or seconds, not {shown(by)}.")
        span = by if isinstance(by, timedelta) else timedelta(seconds=by)
        if span < timedelta(0):
            raise InputError(
                f"advance needs 0 seconds or more, not {shown(by)}: use set to go back."
            )
        self._now += span


def _checked(now: datetime) -> datetime:
    check_kind("now", now, datetime)
    if now.utcoffset() is None:
        raise InputError(f"now must have a time zone, such as UTC, but {shown(now)} has none.")
    return now.astimezone(UTC)
