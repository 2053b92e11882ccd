"""`Bridge`: lets coroutines call the library's synchronous code without blocking the loop.

A coroutine calls the library with `Bridge.run`. The called code waits for a coroutine with
`Bridge.wait_for`. The code runs either in a greenlet or in a thread. A greenlet runs on the loop's
own thread, and is suspended while it waits.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

from dynamo_es.aio.calls import CLOSED, Calls
from dynamo_es.aio.threads import Threads, this_thread
from dynamo_es.exceptions import AppendOutcomeUnknownError, InputError
from dynamo_es.forking import tell_of_forks
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator

T = TypeVar("T")

_END: Final = object()

_APPEND: Final = frozenset(
    {
        "append",
        "append_all",
        "append_many",
        "decide",
        "insert_all",
        "insert_events",
        "insert_events_of_several",
        "insert_many",
        "insert_unless",
        "save",
        "save_all",
        "transact",
        "transact_all",
        "__exit__",
    }
)
"""Names of the methods that append."""


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


class ThreadBridge(Bridge):
    """Makes each call in a thread. It needs no extra."""

    async def run(self, call: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Make a call of the library in a thread, and return its result.

        A cancelled call goes on until its request has ended. If it was an append, its outcome is
        unknown to the caller.
        """
        self.refuse_closed()
        done: list[T] = []

        def make() -> T:
            done.append(call(*arguments, **named))
            return done[0]

        with self.calls.one():
            try:
                return await self.threads.run(make)
            except asyncio.CancelledError as error:
                if done and getattr(call, "__name__", "") in _APPEND:
                    error.__cause__ = AppendOutcomeUnknownError(
                        _stream_of(call, arguments, named),
                        None,
                        "the task was cancelled before the append returned.",
                    )
                raise

    def wait_for(self, awaitable: Coroutine[Any, Any, T]) -> T:
        """Wait until the loop has run a coroutine, and return its result; this thread blocks."""
        return wait_in_thread(awaitable)


def _stream_of(
    call: Callable[..., object], arguments: tuple[Any, ...], named: dict[str, Any]
) -> object:
    """Return the stream that a call appends to (the first of several), or the call's name.

    It never returns another argument, whose text may have values of events.
    """
    given = named.get("stream_id", arguments[0] if arguments else None)
    if isinstance(given, Mapping | list | tuple):
        first = next(iter(given), None)
        given = getattr(first, "stream_id", first)
    if isinstance(given, UUID | str):
        return given if isinstance(given, UUID) else StreamId(name=given)
    own = getattr(getattr(call, "__self__", None), "stream_id", None)
    return own if isinstance(own, UUID) else getattr(call, "__qualname__", "?")


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
