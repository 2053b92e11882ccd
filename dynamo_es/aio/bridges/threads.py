"""Threads beside an event loop: for calls that block or compute for long.

Code in such a thread may still wait for a coroutine: the loop runs it, and the thread blocks.
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
        """Return what a coroutine returns that the loop runs.

        Raises:
            CancelledError: asyncio's; the task that waits for this call was cancelled.
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
        """Raise `CancelledError` where the call waits for a coroutine, or where it next does."""
        with self._lock:
            if self._awaited is None or not self._awaited.cancel():
                self._interrupted = True


class _This(local):
    beside: Beside | None = None


_this = _This()


def this_thread() -> Beside | None:
    """Return the call that this thread makes beside a loop; None: it makes none."""
    return _this.beside


def wait_in_thread(awaitable: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns; the loop runs it, and this thread blocks.

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
    """The threads of a backend. They begin when they are needed.

    Args:
        most: most threads at a time; more calls wait.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._pool: ThreadPoolExecutor | None = None
        self._inherited: list[object] = []
        self._is_closed = False

    async def run(self, call: Callable[[], T], stop: Callable[[], object] | None = None) -> T:
        """Return what a call returns that a thread makes, in a copy of the task's context.

        A thread cannot be stopped from outside. So a cancelled task interrupts the call where it
        waits for the loop, waits for its end, and only then raises `CancelledError`.

        Args:
            call: what to do.
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
        # The cancellation counts, and what the call says of it.
        raise cancelled from None if future.cancelled() else future.exception()

    async def send(self, call: Callable[[], T]) -> T:
        """Return what a call returns that only sends a request.

        A cancelled task leaves it alone: it ends by itself.
        """
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._threads(), copy_context().run, call)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(_see)
            raise

    def close(self) -> None:
        """Let the threads end when they have nothing to do; later calls are refused."""
        self._is_closed = True
        if self._pool is not None:
            self._pool.shutdown(wait=False)
            self._pool = None

    def after_fork(self) -> None:
        """Leave the parent's threads alone: a forked child has none of them."""
        # A dropped pool would wake its threads.
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
