"""The calls of a backend that are under way, and how they end when the backend is closed."""

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
    """One call that is under way.

    Args:
        task: waits for it; None: no task does.

    Attributes:
        is_told: whether it is to end because the backend closes.
        left: gets a result when it has ended; None: nobody waits for that.
    """

    __slots__ = ("is_told", "left", "task")

    def __init__(self, task: asyncio.Task[Any] | None) -> None:
        self.task = task
        self.is_told = False
        self.left: asyncio.Future[None] | None = None

    def tell(self) -> None:
        """Cancel what the call waits for: the backend closes."""
        if self.task is not None and not self.is_told:
            self.is_told = True
            self.task.cancel()

    def was_ended(self) -> bool:
        """Take the cancellation back, and return whether nobody else has cancelled the task."""
        if self.task is None or not self.is_told:
            return False
        self.is_told = False
        return self.task.uncancel() == 0


class Calls:
    """The calls of a backend that are under way."""

    def __init__(self) -> None:
        self._now: set[UnderWay] = set()

    def begin(self) -> UnderWay:
        """Note a call of the running task."""
        call = UnderWay(_this_task())
        self._now.add(call)
        return call

    def end(self, call: UnderWay) -> None:
        """Note that a call has ended."""
        self._now.discard(call)
        if call.is_told:
            call.was_ended()  # it has ended by itself in the meantime
        if call.left is not None and not call.left.done():
            call.left.set_result(None)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Note a call of the running task within the context.

        Raises:
            InputError, AppendOutcomeUnknownError: the backend was closed before its end.
        """
        call = self.begin()
        try:
            yield
        except asyncio.CancelledError as error:
            if call.was_ended():
                raise closed_before(error) from None
            raise
        finally:
            self.end(call)

    def forget(self) -> None:
        """Forget all calls: a forked child runs none of them."""
        self._now = set()

    async def end_all(self, seconds: float) -> None:
        """End the calls of other tasks, and wait for that; those of other loops are only told.

        Args:
            seconds: longest wait: a thread that runs a handler of yours cannot be stopped.
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
                call.tell()
            else:
                with suppress(RuntimeError):  # that loop is closed
                    its_loop.call_soon_threadsafe(call.tell)
        if not waiting:
            return
        _, late = await asyncio.wait(waiting, timeout=seconds)
        if late:
            _log.warning(
                "The asynchronous backend was closed while %d calls were under way; they did not "
                "end within %g s.",
                len(late),
                seconds,
            )


def closed_before(
    error: asyncio.CancelledError,
) -> InputError | AppendOutcomeUnknownError | AppendsFailedError:
    """Return the error of a call that ended because its backend was closed.

    Args:
        error: raised in the call.
    """
    return unknown_outcome(error) or InputError(_ENDED)


def _this_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no loop runs the coroutine
        return None
