"""How code waits: it blocks its thread, or lets the other tasks of an event loop run.

Most code waits for what was injected: a client, a clock's sleep. This module has the rest: turns
that are held over requests, and work that runs beside the caller. Without an event loop, all of it
blocks. `dynamo_es.aio` puts the waiting of a loop in that place, for the calls that it makes.
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
    """How a call of an asynchronous interface waits."""

    def work_on(self, work: Callable[[], None], helpers: int) -> None:
        """Run ``work`` here and, at the same time, in so many helpers; return when all end."""

    def begin(self, call: Callable[[], object]) -> Callable[[], None]:
        """Begin a call beside this one; the result waits for its end. The call raises nothing."""

    def until_free(self, turn: Turn) -> None:
        """Wait until a turn may be free."""

    def elsewhere(self, call: Callable[[], T]) -> T:
        """Return what a call returns that blocks or computes for long; a thread makes it."""


def _blocks() -> Waits | None:
    return None


_how: list[Callable[[], Waits | None]] = [_blocks]


def how_to_wait() -> Waits | None:
    """Return how the running call waits; None: it blocks its thread."""
    return _how[0]()


def wait_by(how: Callable[[], Waits | None]) -> None:
    """Ask a function from now on how a call waits."""
    _how[0] = how


def elsewhere(call: Callable[[], T]) -> T:
    """Return what a call returns that blocks or computes for long.

    In a call of the asynchronous interface a thread makes it, so that the event loop goes on.
    """
    waits = how_to_wait()
    return call() if waits is None else waits.elsewhere(call)


def is_interrupt(error: BaseException) -> bool:
    """Whether an error ends the thread or the task that runs here, such as Ctrl-C."""
    asyncio = sys.modules.get("asyncio")  # not imported here: few processes need it
    cancelled: type[BaseException] = getattr(asyncio, "CancelledError", KeyboardInterrupt)
    return isinstance(error, KeyboardInterrupt | cancelled)


class Turn:
    """A lock that may be held over requests: what waits for it lets the event loop go on.

    A plain lock blocks a thread. If that thread runs an event loop, the task that holds the lock
    never gets on.
    """

    def __init__(self) -> None:
        self._lock = new_lock()
        self._wake: deque[Callable[[], object]] = deque()

    @property
    def taken(self) -> bool:
        """Whether anybody has it."""
        return self._lock.locked()

    def take(self) -> bool:
        """Take the turn if it is free, and return whether it was."""
        return self._lock.acquire(blocking=False)

    def tell(self, wake: Callable[[], object]) -> None:
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
