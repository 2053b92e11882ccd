"""Cancels a task at any of the places where it waits for the event loop."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from dynamo_es.aio.bridges.greenlet_bridge import GreenletBridge

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator


class Awaits:
    """The waits of calls, of which one is cancelled.

    Args:
        cancelled: number of the wait to cancel, 0-based; None: none.
        done: whether what it waits for is carried out all the same.
    """

    def __init__(self, cancelled: int | None = None, *, done: bool = False) -> None:
        self.cancelled = cancelled
        self.done = done
        self.seen = 0

    async def instead(self, awaitable: Coroutine[Any, Any, Any]) -> Any:
        """Wait, or be cancelled."""
        number, self.seen = self.seen, self.seen + 1
        if number != self.cancelled:
            return await awaitable
        task = asyncio.current_task()
        assert task is not None
        if self.done:
            await awaitable
            task.cancel()
            return await asyncio.sleep(0)
        task.cancel()
        return await awaitable  # raises at its first step

    @contextmanager
    def of_all_calls(self) -> Iterator[None]:
        """Watch the calls of all asynchronous backends."""
        own = GreenletBridge.wait_for

        def wait_for(bridge: GreenletBridge, awaitable: Coroutine[Any, Any, Any]) -> Any:
            return own(bridge, self.instead(awaitable))

        with patch.object(GreenletBridge, "wait_for", wait_for):
            yield


def cancelled_everywhere(
    run: Callable[[Awaits], Coroutine[Any, Any, bool]], most: int = 200
) -> int:
    """Run a coroutine, cancelled at each of its waits, before and after what it waits for.

    Args:
        run: does something; returns whether the cancellation happened.
        most: waits, at most.

    Returns:
        How many waits it has.
    """
    for number in range(most):
        happened = False
        for done in (False, True):
            happened |= asyncio.run(run(Awaits(number, done=done)))
        if not happened:
            return number
    raise AssertionError(f"it waits {most} times or more")
