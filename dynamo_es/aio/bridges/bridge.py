"""The bridge between coroutines and the library's code, which is written once and blocks.

`Bridge.run` makes a call of the library. `wait_for` is how the code in that call waits for a
coroutine. Between them is either a greenlet (the call runs on the loop's own thread, and is set
aside while it waits), or a thread.
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
    """Makes calls of the library for coroutines. One belongs to each backend.

    Args:
        most: most threads at a time.

    Attributes:
        threads: its threads.
        calls: those under way.
        is_closed: whether no call may begin any more.
        is_ended: whether nothing may be sent any more.
    """

    def __init__(self, most: int) -> None:
        self.threads = Threads(most)
        self.calls = Calls()
        self.is_closed = False
        self.is_ended = False
        tell_of_forks(self)

    def after_fork(self) -> None:
        """Begin anew in a forked child, which has none of the parent's calls and threads."""
        self.calls.forget()
        self.threads.after_fork()

    def refuse_closed(self) -> None:
        """Raise `InputError` if the backend was closed."""
        if self.is_closed:
            raise InputError(CLOSED)

    @abstractmethod
    async def run(self, call: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Return what a call of the library returns, while other tasks of the loop run.

        Raises:
            InputError: the backend is closed, or is closed before the call returns.
            AppendOutcomeUnknownError: the same, and the events may be stored.
        """

    async def run_in_thread(
        self, call: Callable[[], T], stop: Callable[[], object] | None = None
    ) -> T:
        """Return what a call returns that a thread makes; see `Threads.run` and `run`."""
        self.refuse_closed()
        with self.calls.one():
            return await self.threads.run(call, stop)

    @abstractmethod
    def wait_for(self, awaitable: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine returns, in a call that `run` makes, or in a thread of it.

        Raises:
            InputError: the caller runs in no such call.
        """

    def wait_for_yours(self, awaitable: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine of yours returns; see `wait_for`."""
        return self.wait_for(awaitable)

    async def iterate(self, iterator: Iterator[T]) -> AsyncGenerator[T]:
        """Yield what an iterator of the library yields."""
        try:
            while (found := await self.run(next, iterator, _END)) is not _END:
                yield found
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()

    def sleep(self, seconds: float) -> None:
        """Wait so many seconds, in a call that `run` makes or anywhere else."""
        if self.waits_here():
            self.wait_for(asyncio.sleep(seconds))
        else:
            time.sleep(seconds)

    def aside(self, call: Callable[[], T]) -> T:
        """Return what a call of yours returns, which may block."""
        return call()

    def waits_here(self) -> bool:
        """Whether `wait_for` may be called here."""
        return this_thread() is not None

    def waits_on_loop(self) -> bool:
        """Whether this is the thread of the loop, which must not block."""
        return False

    def close(self) -> None:
        """Send nothing any more, and let its threads end."""
        self.is_closed = self.is_ended = True
        self.threads.close()
