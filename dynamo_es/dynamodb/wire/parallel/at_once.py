"""`AtOnce`: carries out several calls at once, on a few threads that it keeps."""

from __future__ import annotations

from collections import deque
from contextvars import copy_context
from typing import TYPE_CHECKING, Generic, TypeVar

from dynamo_es.forking import new_lock, tell_of_forks
from dynamo_es.waiting import how_to_wait

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor

T = TypeVar("T")


class AtOnce:
    """Runs a call for each place, several at once. Safe to share between threads.

    In a call of the asynchronous interface, tasks do what threads do otherwise.

    The calling thread takes its share. So nothing waits for a thread that never comes: with no free
    thread, the caller does all the work, one call after the other.

    Args:
        most: calls at once, 1 or more, the caller's included. The threads beside the callers are
            one fewer, begin at the first need, and end with the process or with this object.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._threads: ThreadPoolExecutor | None = None
        self._inherited: list[object] = []
        self._lock = new_lock()
        tell_of_forks(self)

    def after_fork(self) -> None:
        """Begin anew in a forked child, where the parent's threads do not run."""
        # A dropped pool would wake its threads.
        self._inherited.append(self._threads)
        self._threads = None

    def run(self, call: Callable[[int], T], number: int) -> list[T | Exception]:
        """Return what ``call(0)``, ``call(1)``, … return, or the exceptions they raise.

        If the caller is interrupted, no further call begins. Those that run go on to their end.

        Args:
            call: what to do for a place; called by several threads.
            number: of places.
        """
        work = _Work(call, number)
        if (waits := how_to_wait()) is not None:
            try:
                waits.work_on(work.share, min(number, self._most) - 1)
            except BaseException:
                work.left.clear()
                raise
            return work.outcomes
        helpers: list[Future[None]] = []
        try:
            for _ in range(min(number, self._most) - 1):
                helper = self._start(work.share)
                if helper is None:
                    break
                helpers.append(helper)
            work.share()
            for helper in helpers:
                if not helper.cancel():
                    helper.result()
        except BaseException:
            work.left.clear()
            for helper in helpers:
                helper.cancel()
            raise
        return work.outcomes

    def _start(self, work: Callable[[], None]) -> Future[None] | None:
        """Let a thread do some of the work; None if the process is ending."""
        with self._lock:
            if self._threads is None:
                # Loaded at the first need: most processes never have one, and cold starts count.
                from concurrent.futures import ThreadPoolExecutor

                self._threads = ThreadPoolExecutor(self._most - 1, "dynamo-es")
            threads = self._threads
        try:
            # Tracers keep the current span in the context.
            return threads.submit(copy_context().run, work)
        except RuntimeError:  # no thread can begin any more
            return None


class _Work(Generic[T]):
    """The calls that threads share.

    Args:
        call: what to do for a place.
        number: of places.

    Attributes:
        left: the places that no thread has taken.
        outcomes: the result or the error of each call.
    """

    def __init__(self, call: Callable[[int], T], number: int) -> None:
        self._call = call
        self.left = deque(range(number))
        self.outcomes: list[T | Exception] = [_NotCalledError()] * number

    def share(self) -> None:
        """Do calls until none is left."""
        while True:
            try:
                place = self.left.popleft()
            except IndexError:
                return
            try:
                self.outcomes[place] = self._call(place)
            except Exception as error:  # noqa: BLE001 - it is this place's outcome
                self.outcomes[place] = error


class _NotCalledError(Exception):
    """Holds the place of an outcome; no caller sees it."""
