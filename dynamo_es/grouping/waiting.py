"""`Waiter`: makes a caller wait for its group. Here a thread sleeps; `dynamo_es.aio` has others."""

from __future__ import annotations

from threading import Lock
from typing import Protocol


class Waiter(Protocol):
    """Makes one caller wait until another one wakes it."""

    def wait(self, seconds: float | None = None) -> None:
        """Wait for `wake`, or for at most some seconds; None: without a limit.

        The call may also return early, so the caller must check its condition again. It returns at
        once if `wake` was called before.
        """

    def wake(self) -> None:
        """End the present or the next `wait`. A waiter's `wait` calls never overlap."""


class ThreadWaiter:
    """Makes a thread wait. A signal that raises, such as Ctrl-C, ends the wait."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = Lock()
        self._lock.acquire()

    def wait(self, seconds: float | None = None) -> None:
        """Wait for `wake`, or for at most some seconds."""
        self._lock.acquire(timeout=-1 if seconds is None else max(seconds, 0))

    def wake(self) -> None:
        """End the present or the next `wait`."""
        if self._lock.locked():
            self._lock.release()
