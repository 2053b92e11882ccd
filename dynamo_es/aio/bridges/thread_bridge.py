"""A bridge of threads: a thread makes each call of the library. It needs no extra."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

from dynamo_es.aio.bridges.bridge import Bridge
from dynamo_es.aio.bridges.threads import wait_in_thread
from dynamo_es.exceptions import AppendOutcomeUnknownError
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

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
