"""The running calls of a backend, and how they end when the backend is closed."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.aio.bridges.unknown_outcome import unknown_outcome
from dynamo_es.exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamo_es.exceptions import AppendOutcomeUnknownError, AppendsFailedError

_log = logging.getLogger("dynamo_es")

CLOSED: Final = "The asynchronous backend is closed. Make a new backend."
_ENDED: Final = (
    "The asynchronous backend was closed before this call returned. Await your calls, and stop "
    "your workers, before you close it."
)


class UnderWay:
    """A running call.

    Args:
        task: the task that waits for the call; None: no task waits.

    Attributes:
        is_cancelled: whether the call must end because the backend is being closed.
        left: gets a result when the call has ended; None: no code waits for that.
    """

    __slots__ = ("is_cancelled", "left", "task")

    def __init__(self, task: asyncio.Task[Any] | None) -> None:
        self.task = task
        self.is_cancelled = False
        self.left: asyncio.Future[None] | None = None

    def cancel(self) -> None:
        """Cancel the task of the call, because the backend is being closed."""
        if self.task is not None and not self.is_cancelled:
            self.is_cancelled = True
            self.task.cancel()

    def uncancel(self) -> bool:
        """Undo the cancellation; return whether it was the only one of the task."""
        if self.task is None or not self.is_cancelled:
            return False
        self.is_cancelled = False
        return self.task.uncancel() == 0


class Calls:
    """The running calls of a backend."""

    def __init__(self) -> None:
        self._now: set[UnderWay] = set()

    def begin(self) -> UnderWay:
        """Record that the running task begins a call."""
        call = UnderWay(_this_task())
        self._now.add(call)
        return call

    def end(self, call: UnderWay) -> None:
        """Record that a call has ended."""
        self._now.discard(call)
        if call.is_cancelled:
            call.uncancel()  # the call ended on its own, so undo the cancellation
        if call.left is not None and not call.left.done():
            call.left.set_result(None)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Record a call of the running task during a ``with`` block.

        Raises:
            InputError, AppendOutcomeUnknownError: the backend was closed before the block ended.
        """
        call = self.begin()
        try:
            yield
        except asyncio.CancelledError as error:
            if call.uncancel():
                raise closed_before(error) from None
            raise
        finally:
            self.end(call)

    def forget(self) -> None:
        """Forget all calls, because a forked child runs none of them."""
        self._now = set()

    async def end_all(self, seconds: float) -> None:
        """End the calls of other tasks, and wait for their end.

        Calls of other event loops are cancelled, but not waited for.

        Args:
            seconds: longest wait, because a thread that runs your handler cannot be stopped.
        """
        loop, here = asyncio.get_running_loop(), _this_task()
        waiting = []
        for call in list(self._now):
            if call.task is None or call.task is here:
                continue
            its_loop = call.task.get_loop()
            if its_loop is loop:
                call.left = loop.create_future()
                waiting.append(call.left)
                call.cancel()
            else:
                with suppress(RuntimeError):  # that loop is closed
                    its_loop.call_soon_threadsafe(call.cancel)
        if not waiting:
            return
        _, late = await asyncio.wait(waiting, timeout=seconds)
        if late:
            _log.warning(
                "Calls that did not end within %g s after the asynchronous backend was closed: %d.",
                seconds,
                len(late),
            )


def closed_before(
    error: asyncio.CancelledError,
) -> InputError | AppendOutcomeUnknownError | AppendsFailedError:
    """Return the error for a call that ended because its backend was closed.

    Args:
        error: the error that was raised in the call.
    """
    return unknown_outcome(error) or InputError(_ENDED)


def _this_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no event loop is running
        return None
