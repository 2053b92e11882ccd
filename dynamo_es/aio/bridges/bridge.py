"""The bridge between coroutines and the library's code, which is written once and blocks.

`Bridge.run` makes a call of the library. `wait_for` is how the code in that call waits for a
coroutine. Between them is either a greenlet (the call runs on the loop's own thread, and is set
aside while it waits), or a thread.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

from dynamo_es.aio.bridges.calls_under_way import CLOSED, Calls
from dynamo_es.aio.bridges.threads import Threads, this_thread
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
"""Methods that append."""


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


class ThreadBridge(Bridge):
    """Makes each call in a thread. It needs no extra."""

    async def run(self, call: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Return what a call of the library returns; a thread makes it.

        A cancelled call goes on until its request has ended. If it has appended then, its caller
        does not know.
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
        """Return what a coroutine returns; the loop runs it, and this thread blocks."""
        return wait_in_thread(awaitable)


def _stream_of(
    call: Callable[..., object], arguments: tuple[Any, ...], named: dict[str, Any]
) -> object:
    """Return the stream that a call appends to, the first of several, or the call's name.

    Never another argument: its text may have the values of events.
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
