"""Stops the workers of an asynchronous backend, and runs them in tasks."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from dynamo_es.contracts.error_texts import describe_error
from dynamo_es.exceptions import InvalidSubscriptionError
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

    from dynamo_es.aio.bridges.bridge import Bridge

_log = logging.getLogger("dynamo_es")


class Stop:
    """An `asyncio.Event` with the methods of the `threading.Event` that workers use.

    Args:
        event: set it to stop a worker.
        bridge: lets the worker wait for the event.
    """

    def __init__(self, event: asyncio.Event, bridge: Bridge) -> None:
        self._event = event
        self._bridge = bridge

    @classmethod
    def of(cls, event: object, bridge: Bridge) -> Stop:
        """Return the stop for a worker; with None, it is never set.

        Raises:
            InvalidSubscriptionError: it is not an `asyncio.Event`.
        """
        if event is None:
            event = asyncio.Event()
        if not isinstance(event, asyncio.Event):
            raise InvalidSubscriptionError(
                f"stop must be an asyncio.Event or None, not {shown(event)}."
            )
        return cls(event, bridge)

    def is_set(self) -> bool:
        """Return whether the worker must stop."""
        return self._event.is_set()

    async def until_set(self) -> None:
        """Wait until the worker must stop."""
        await self._event.wait()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait a number of seconds, or until the worker must stop; return whether it must."""
        if not self._event.is_set():
            self._bridge.wait_for(_wait(self._event, timeout))
        return self._event.is_set()


async def _wait(event: asyncio.Event, timeout: float | None) -> None:  # noqa: ASYNC109
    try:
        async with asyncio.timeout(timeout):
            await event.wait()
    except TimeoutError:
        pass


@asynccontextmanager
async def in_task(
    run: Callable[[asyncio.Event], Coroutine[Any, Any, object]], title: str
) -> AsyncGenerator[None]:
    """Run a worker in a task during an ``async with`` block; stop it and wait for it at the end.

    Args:
        run: runs the worker until the event is set.
        title: name of the worker, which begins each log line.

    Raises:
        Exception: the worker ended with an error; it is raised at the end of the block, and was
            logged when it happened. An error of the block itself takes precedence.
    """
    stop = asyncio.Event()

    async def work() -> BaseException | None:
        try:
            await run(stop)
        except Exception as error:  # noqa: BLE001 - raised where the context ends
            # Without exc_info, because the text of an error may quote an event.
            _log.error("%s has ended with an error: %s", title, describe_error(error))
            return error
        return None

    task = asyncio.create_task(work(), name=f"dynamo-es {title}")
    try:
        yield
    except BaseException:
        stop.set()
        await asyncio.wait([task])
        raise
    stop.set()
    try:
        failure = await task
    except asyncio.CancelledError:
        task.cancel()
        raise
    if failure is not None:
        raise failure
