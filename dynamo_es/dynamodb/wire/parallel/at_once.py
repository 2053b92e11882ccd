"""`AtOnce`: runs several calls at once on a few threads that it keeps."""

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
    """Runs a call for each index, several at once. Safe to share between threads.

    In a call of the asynchronous interface, tasks replace the threads.

    The calling thread does a share of the work. So it never waits for a thread that cannot start:
    without a free thread, the caller makes all calls, one after the other.

    Args:
        most: the most calls at once, 1 or more, including the calling thread's. So there are
            ``most - 1`` threads. They start when first needed, and end with the process or with
            this object.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._threads: ThreadPoolExecutor | None = None
        self._inherited: list[object] = []
        self._lock = new_lock()
        tell_of_forks(self)

    def after_fork(self) -> None:
        """Start over in a forked child, where the parent's threads do not run."""
        # Keep the old pool: dropping it would wake its threads.
        self._inherited.append(self._threads)
        self._threads = None

    def run(self, call: Callable[[int], T], number: int) -> list[T | Exception]:
        """Return what ``call(0)``, ``call(1)``, … return, or the exceptions they raise.

        If the caller is interrupted, no further call begins. Running calls complete.

        Args:
            call: called with each index, 0-based, from several threads.
            number: how many calls to make.
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
        """Let a thread do a share of the work; None if the process is ending."""
        with self._lock:
            if self._threads is None:
                # Imported when first needed: most processes never need it, and cold starts count.
                from concurrent.futures import ThreadPoolExecutor

                self._threads = ThreadPoolExecutor(self._most - 1, "dynamo-es")
            threads = self._threads
        try:
            # Copy the context, because tracers keep the current span there.
            return threads.submit(copy_context().run, work)
        except RuntimeError:  # no thread can start any more
            return None


class _Work(Generic[T]):
    """The calls that threads share.

    Args:
        call: called with each index, 0-based.
        number: how many calls to make.

    Attributes:
        left: the indexes that no thread has taken.
        outcomes: the result or the error of each call.
    """

    def __init__(self, call: Callable[[int], T], number: int) -> None:
        self._call = call
        self.left = deque(range(number))
        self.outcomes: list[T | Exception] = [_NotCalledError()] * number

    def share(self) -> None:
        """Make calls until none is left."""
        while True:
            try:
                place = self.left.popleft()
            except IndexError:
                return
            try:
                self.outcomes[place] = self._call(place)
            except Exception as error:  # noqa: BLE001 - it is the outcome of this call
                self.outcomes[place] = error


class _NotCalledError(Exception):
    """Stands for an outcome until its call is made. No caller sees it."""
