"""Threads beside an event loop, for calls that block or compute for long.

Code in such a thread may still wait for a coroutine: the loop runs the coroutine, and the thread
blocks.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError as CancelledInThread
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Lock, local
from typing import TYPE_CHECKING, Any, TypeVar

from dynamo_es.aio.bridges.running_calls import CLOSED
from dynamo_es.exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

T = TypeVar("T")


class Beside:
    """A call in a thread beside an event loop.

    Args:
        loop: the loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = Lock()
        self._awaited: Future[Any] | None = None
        self._interrupted = False

    def run(self, call: Callable[[], T]) -> T:
        """Make the call in this thread."""
        _this.beside = self
        try:
            return call()
        finally:
            _this.beside = None

    def wait_for(self, awaitable: Coroutine[Any, Any, T]) -> T:
        """Wait until the loop has run a coroutine, and return its result.

        Raises:
            asyncio.CancelledError: the task that waits for this call was cancelled.
        """
        with self._lock:
            if self._interrupted:
                self._interrupted = False
                awaitable.close()
                raise asyncio.CancelledError
            awaited = self._awaited = asyncio.run_coroutine_threadsafe(awaitable, self._loop)
        try:
            return awaited.result()  # type: ignore[no-any-return]
        except CancelledInThread:
            raise asyncio.CancelledError from None
        finally:
            with self._lock:
                self._awaited = None

    def interrupt(self) -> None:
        """Raise `CancelledError` in the call where it waits, or will next wait, for a coroutine."""
        with self._lock:
            if self._awaited is None or not self._awaited.cancel():
                self._interrupted = True


class _This(local):
    beside: Beside | None = None


_this = _This()


def this_thread() -> Beside | None:
    """Return the call that this thread makes beside a loop; None if it makes none."""
    return _this.beside


def wait_in_thread(awaitable: Coroutine[Any, Any, T]) -> T:
    """Wait until the loop has run a coroutine, and return its result; this thread blocks.

    Raises:
        InputError: this thread makes no call for a task.
    """
    beside = this_thread()
    if beside is None:
        awaitable.close()
        raise InputError(
            "This object belongs to an asynchronous backend: await the methods of that backend, "
            "and do not use its parts elsewhere."
        )
    return beside.wait_for(awaitable)


class Threads:
    """The threads of a backend, which start when they are needed.

    Args:
        most: most threads at a time; more calls wait.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._pool: ThreadPoolExecutor | None = None
        self._inherited: list[object] = []
        self._is_closed = False

    async def run(self, call: Callable[[], T], stop: Callable[[], object] | None = None) -> T:
        """Make a call in a thread, with a copy of the task's context, and return its result.

        A thread cannot be stopped from outside. So if the task is cancelled, it interrupts the call
        where the call waits for the loop, waits for its end, and only then raises `CancelledError`.

        Args:
            call: the call to make.
            stop: called if the task is cancelled, so that the call ends sooner.
        """
        loop = asyncio.get_running_loop()
        beside = Beside(loop)
        future = loop.run_in_executor(self._threads(), copy_context().run, beside.run, call)
        cancelled: asyncio.CancelledError | None = None
        while not future.done():
            try:
                await asyncio.wait([future])
            except asyncio.CancelledError as error:
                cancelled = cancelled or error
                (stop or beside.interrupt)()
        if cancelled is None:
            return future.result()
        # The cancellation is raised, with the error of the call as its cause.
        raise cancelled from None if future.cancelled() else future.exception()

    async def send(self, call: Callable[[], T]) -> T:
        """Make a call that only sends a request, and return its result.

        If the task is cancelled, the call goes on until it ends.
        """
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._threads(), copy_context().run, call)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(_see)
            raise

    def close(self) -> None:
        """Let the threads end when they are idle; later calls are refused."""
        self._is_closed = True
        if self._pool is not None:
            self._pool.shutdown(wait=False)
            self._pool = None

    def after_fork(self) -> None:
        """Start new threads in a forked child, which has none of the parent's threads."""
        # Kept, because a pool that is collected would try to wake its threads.
        self._inherited.append(self._pool)
        self._pool = None

    def _threads(self) -> ThreadPoolExecutor:
        if self._is_closed:
            raise InputError(CLOSED)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._most, "dynamo-es-aio")
        return self._pool


def _see(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
