"""Lets shared code wait in two ways: block its thread, or let other tasks of an event loop run.

Most code waits through an injected object, such as a client or a clock's sleep. This module covers
the rest: locks that are held during requests, and work that runs beside the caller. Everything here
blocks by default. `dynamo_es.aio` replaces the blocking for the calls that it makes.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import TYPE_CHECKING, Protocol, TypeVar

from dynamo_es.forking import new_lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

T = TypeVar("T")


class Waits(Protocol):
    """The way in which a call of the asynchronous interface waits."""

    def work_on(self, work: Callable[[], None], helpers: int) -> None:
        """Run ``work`` here and in ``helpers`` helpers at the same time; return when all end."""

    def begin(self, call: Callable[[], object]) -> Callable[[], None]:
        """Begin a call beside this one, and return a function that waits for its end.

        The call must not raise.
        """

    def until_free(self, turn: Turn) -> None:
        """Wait until the turn may be free."""

    def elsewhere(self, call: Callable[[], T]) -> T:
        """Make a call that blocks or computes for long in a thread, and return its result."""


def _blocks() -> Waits | None:
    return None


_how: list[Callable[[], Waits | None]] = [_blocks]


def how_to_wait() -> Waits | None:
    """Return the way in which the running call waits; None if it blocks its thread."""
    return _how[0]()


def wait_by(how: Callable[[], Waits | None]) -> None:
    """Set the function that `how_to_wait` calls from now on."""
    _how[0] = how


def elsewhere(call: Callable[[], T]) -> T:
    """Make a call that blocks or computes for long, and return its result.

    Within the asynchronous interface, a thread makes the call, so that the event loop goes on.
    """
    waits = how_to_wait()
    return call() if waits is None else waits.elsewhere(call)


def is_interrupt(error: BaseException) -> bool:
    """Return whether an error, such as Ctrl-C, ends the running thread or task."""
    asyncio = sys.modules.get("asyncio")  # not imported here: few processes need it
    cancelled: type[BaseException] = getattr(asyncio, "CancelledError", KeyboardInterrupt)
    return isinstance(error, KeyboardInterrupt | cancelled)


class Turn:
    """A lock that you may hold during requests; waiting for it does not block an event loop.

    A plain lock blocks its thread. If that thread runs an event loop, the task that holds the lock
    could never go on and release it.
    """

    def __init__(self) -> None:
        self._lock = new_lock()
        self._wake: deque[Callable[[], object]] = deque()

    @property
    def taken(self) -> bool:
        """Whether a call holds the turn."""
        return self._lock.locked()

    def take(self) -> bool:
        """Take the turn if it is free, and return whether it was."""
        return self._lock.acquire(blocking=False)

    def when_free(self, wake: Callable[[], object]) -> None:
        """Call a function once when the turn is given back, or at once if it is free."""
        self._wake.append(wake)
        if not self.taken:
            self._wake_all()

    def __enter__(self) -> None:
        waits = how_to_wait()
        if waits is None:
            self._lock.acquire()
            return
        while not self.take():
            waits.until_free(self)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lock.release()
        self._wake_all()

    def _wake_all(self) -> None:
        while self._wake:
            try:
                wake = self._wake.popleft()
            except IndexError:  # another thread was faster
                return
            wake()
