"""`Bridge`: lets coroutines call the library's synchronous code without blocking the loop.

A coroutine calls the library with `Bridge.run`. The called code waits for a coroutine with
`Bridge.wait_for`. The code runs either in a greenlet or in a thread. A greenlet runs on the loop's
own thread, and is suspended while it waits.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dynamo_es.aio.bridges.running_calls import CLOSED, Calls
from dynamo_es.aio.bridges.threads import Threads, this_thread
from dynamo_es.exceptions import InputError
from dynamo_es.forking import tell_of_forks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator

T = TypeVar("T")

_END: Final = object()


class Bridge(ABC):
    """Makes calls of the library for coroutines. Each backend has its own bridge.

    Args:
        most: most threads at a time.

    Attributes:
        threads: the threads of the backend.
        calls: the calls that are running.
        is_closed: whether new calls are refused.
        is_ended: whether nothing may be sent any more.
    """

    def __init__(self, most: int) -> None:
        self.threads = Threads(most)
        self.calls = Calls()
        self.is_closed = False
        self.is_ended = False
        tell_of_forks(self)

    def after_fork(self) -> None:
        """Reset the state in a forked child, which has none of the parent's calls and threads."""
        self.calls.forget()
        self.threads.after_fork()

    def refuse_closed(self) -> None:
        """Raise `InputError` if the backend was closed."""
        if self.is_closed:
            raise InputError(CLOSED)

    @abstractmethod
    async def run(self, call: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Make a call of the library while other tasks of the loop run; return its result.

        Raises:
            InputError: the backend is closed, or was closed before the call returned.
            AppendOutcomeUnknownError: the backend was closed before an append returned, so the
                events may be stored.
        """

    async def run_in_thread(
        self, call: Callable[[], T], stop: Callable[[], object] | None = None
    ) -> T:
        """Make a call in a thread, and return its result; see `Threads.run` and `run`."""
        self.refuse_closed()
        with self.calls.one():
            return await self.threads.run(call, stop)

    @abstractmethod
    def wait_for(self, awaitable: Coroutine[Any, Any, T]) -> T:
        """Wait for a coroutine and return its result. For code in a call that `run` made.

        Raises:
            InputError: the code does not run in such a call.
        """

    def wait_for_yours(self, awaitable: Coroutine[Any, Any, T]) -> T:
        """Wait for a coroutine of the application and return its result; see `wait_for`."""
        return self.wait_for(awaitable)

    async def iterate(self, iterator: Iterator[T]) -> AsyncGenerator[T]:
        """Yield the items of an iterator of the library."""
        try:
            while (found := await self.run(next, iterator, _END)) is not _END:
                yield found
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()

    def sleep(self, seconds: float) -> None:
        """Wait a number of seconds, in a call that `run` made or in any other code."""
        if self.waits_here():
            self.wait_for(asyncio.sleep(seconds))
        else:
            time.sleep(seconds)

    def aside(self, call: Callable[[], T]) -> T:
        """Make a call of the application, which may block, and return its result."""
        return call()

    def waits_here(self) -> bool:
        """Return whether the running code may call `wait_for`."""
        return this_thread() is not None

    def waits_on_loop(self) -> bool:
        """Return whether this is the thread of the loop, which must not block."""
        return False

    def close(self) -> None:
        """Send nothing any more, and let the threads end."""
        self.is_closed = self.is_ended = True
        self.threads.close()
