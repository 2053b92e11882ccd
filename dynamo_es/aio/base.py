"""`Over`: the base of every asynchronous class. It calls a synchronous object by a bridge."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

from dynamo_es.aio.bridges.workers import Stop, in_task
from dynamo_es.aio.bridges.your_functions import Plain

if TYPE_CHECKING:
    from asyncio import Event
    from collections.abc import AsyncGenerator, Callable, Coroutine

    from dynamo_es.aio.bridges.bridge import Bridge


class Over:
    """Calls a synchronous object by a bridge.

    Args:
        sync: the synchronous object.
        bridge: bridge of the backend.
    """

    _sync: Any

    def __init__(self, sync: Any, bridge: Bridge) -> None:
        self._sync = sync
        self._bridge = bridge

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._sync!r})"

    def _like(self, sync: Any) -> Self:
        """Return an object of this class that calls another synchronous object."""
        like = object.__new__(type(self))
        like.__dict__.update(self.__dict__)
        like._sync = sync
        return like

    def _plain(self, function: Any) -> Any:
        """Turn your function into a plain one that runs where the library calls it."""
        return self._as_plain(function, in_thread=False)

    def _handler(self, function: Any) -> Any:
        """Turn your function into a plain one; unless it is asynchronous, threads run it."""
        return self._as_plain(function, in_thread=True)

    def _as_plain(self, function: Any, *, in_thread: bool) -> Any:
        if isinstance(function, Over):
            return function._sync  # noqa: SLF001 - of this class
        owner = getattr(function, "__self__", None)
        if isinstance(owner, Over):  # such as a projector's method
            return getattr(owner._sync, function.__name__)  # noqa: SLF001 - of this class
        return Plain.of(function, self._bridge, in_thread=in_thread)

    def _stop(self, stop: Event | None) -> Any:
        return Stop.of(stop, self._bridge)

    @asynccontextmanager
    async def _background(
        self, run: Callable[[Event], Coroutine[Any, Any, object]], title: str
    ) -> AsyncGenerator[Self]:
        async with in_task(run, title):
            yield self
