"""Turns your functions, asynchronous or not, into plain functions that the library calls."""

from __future__ import annotations

from inspect import isasyncgenfunction, isawaitable, iscoroutinefunction, isgeneratorfunction
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from dynamo_es.aio.bridges.bridge import Bridge
    from dynamo_es.event_store.wrapped import WrappedEvent
    from dynamo_es.values import Position, StreamId, TenantId


class AsyncListener(Protocol):
    """A coroutine function that is called with each event after its append; see `Listeners`."""

    def __call__(
        self,
        wrapped_event: WrappedEvent[Any],
        stream_id: StreamId,
        tenant_id: TenantId,
        position: Position | None,
    ) -> Awaitable[None]:
        """Handle an event that was just appended."""


class Plain:
    """A plain function that calls your function, and awaits the result if it is awaitable.

    Two objects with the same function are equal.

    Args:
        function: your function.
        bridge: awaits the result.
        in_thread: whether to call the function in a thread, unless it is a coroutine function.
    """

    def __init__(self, function: Any, bridge: Bridge, *, in_thread: bool) -> None:
        self.__wrapped__ = function
        self._bridge = bridge
        called = getattr(function, "__call__", None)  # noqa: B004 - which one would run
        asynchronous = iscoroutinefunction(function) or iscoroutinefunction(called)
        self._in_thread = in_thread and not asynchronous

    @classmethod
    def of(cls, function: Any, bridge: Bridge, *, in_thread: bool) -> Any:
        """Return the plain function. Objects that the library refuses are returned unchanged."""
        if not callable(function) or isasyncgenfunction(function) or isgeneratorfunction(function):
            return function
        return cls(function, bridge, in_thread=in_thread)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function, await its result if it is awaitable, and return the final result."""
        function = self.__wrapped__
        if self._in_thread:
            returned = self._bridge.aside(lambda: function(*arguments, **named))
        else:
            returned = function(*arguments, **named)
        if isawaitable(returned):
            return self._bridge.wait_for_yours(_awaited(returned))
        return returned

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in {"__name__", "__qualname__", "__module__"}:
            raise AttributeError(name)
        return getattr(self.__dict__["__wrapped__"], name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and self.__wrapped__ == other.__wrapped__

    def __hash__(self) -> int:
        return hash(self.__wrapped__)


async def _awaited(returned: Awaitable[Any]) -> Any:
    return await returned
