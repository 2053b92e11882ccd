"""Looks for events without a position, once a minute while there is nothing to handle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dynamo_es.contracts import LogStrategy

_LOOK_EVERY: Final = 60.0
"""Seconds of waiting for events between two looks."""


class Unsequenced:
    """Finds out now and then whether a log has events without a position.

    Args:
        log: the log to check.
        idle: seconds that count as waited already.

    Attributes:
        found: whether the last look found such events.
    """

    def __init__(self, log: LogStrategy, idle: float = 0.0) -> None:
        self._log = log
        self._idle = idle
        self.found = False

    @classmethod
    def at_once(cls, log: LogStrategy) -> Unsequenced:
        """Return an object that looks in the first wait."""
        return cls(log, _LOOK_EVERY)

    def look(self) -> None:
        """Look now."""
        self.found = self._log.unsequenced()

    def look_in_time(self, pause: float) -> bool:
        """Look if enough time has passed, ``pause`` included; return whether `found` changed."""
        self._idle += pause
        if self._idle <= _LOOK_EVERY:
            return False
        self._idle = 0.0
        before = self.found
        self.look()
        return self.found != before

    def begin_again(self) -> None:
        """Start to count again, because there were events to handle."""
        self._idle = 0.0
