"""Makes the task of a call wait for its group of appends; see `dynamo_es.grouping.waiting`."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from dynamo_es.aio.bridges.greenlet_bridge import this_call
from dynamo_es.grouping.waiting import ThreadWaiter

if TYPE_CHECKING:
    from dynamo_es.aio.bridges.bridge import Bridge
    from dynamo_es.grouping.waiting import Waiter


class LoopWaiter:
    """Makes a task wait until another task, or a thread, wakes it.

    Args:
        bridge: lets the call wait.
    """

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()

    def wait(self, seconds: float | None = None) -> None:
        """Wait for `wake`, or for at most some seconds."""
        self._bridge.wait_for(self._wait(seconds))

    def wake(self) -> None:
        """End the present or the next `wait`."""
        # A call of another loop, in another thread, may wake this task.
        if asyncio._get_running_loop() is self._loop:  # noqa: SLF001 - it does not raise
            self._woken.set()
        else:
            with suppress(RuntimeError):  # that loop is closed, so no task waits
                self._loop.call_soon_threadsafe(self._woken.set)

    async def _wait(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return
        self._woken.clear()


def new_waiter(bridge: Bridge) -> Waiter:
    """Return a waiter for the running call, or for this thread if there is no call."""
    return ThreadWaiter() if this_call() is None else LoopWaiter(bridge)
