"""How a caller waits for its group: here a thread sleeps; an event loop has a waiter of its own."""

from __future__ import annotations

from threading import Lock
from typing import Protocol


class Waiter(Protocol):
    """Makes one caller wait until another one wakes it."""

    def wait(self, seconds: float | None = None) -> None:
        """Return after `wake`, or after so many seconds; None: without a limit.

        A call may also return early, so the caller looks again at what it waits for. A `wake`
        before the call makes it return at once.
        """

    def wake(self) -> None:
        """Make the present or the next `wait` return. Calls of one waiter never overlap."""


class ThreadWaiter:
    """Makes a thread wait. A signal that raises, such as Ctrl-C, ends the wait."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = Lock()
        self._lock.acquire()

    def wait(self, seconds: float | None = None) -> None:
        """Return after `wake`, or after so many seconds."""
        self._lock.acquire(timeout=-1 if seconds is None else max(seconds, 0))

    def wake(self) -> None:
        """Make the present or the next `wait` return."""
        if self._lock.locked():
            self._lock.release()
