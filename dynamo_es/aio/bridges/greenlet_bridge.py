"""A bridge of greenlets: calls of the library run on the loop's thread, and yield when they wait.

A greenlet has its own stack. To wait, the code in it passes an awaitable to the coroutine that
began the call. The coroutine awaits it and switches back with the result. The context variables are
those of the task. If the task is cancelled, the waiting code raises `CancelledError`.
"""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from functools import partial
from threading import local
from typing import TYPE_CHECKING, Any, Final, TypeVar

from greenlet import GreenletExit, getcurrent, greenlet

from dynamo_es.aio.bridges.bridge import Bridge
from dynamo_es.aio.bridges.running_calls import closed_before
from dynamo_es.aio.bridges.threads import wait_in_thread
from dynamo_es.waiting import wait_by

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextvars import Context

    from dynamo_es.waiting import Turn, Waits

T = TypeVar("T")

_MOST_IDLE: Final = 256
"""Most idle greenlets that a thread keeps for later calls; each has a stack of 16 KB."""


class Call(greenlet):
    """A greenlet that makes calls of the library for tasks, one after the other.

    Greenlets are used again, because for the first call of each, Python maps memory for its stack.

    Attributes:
        bridge: the bridge of the present call.
        context: the context variables of the call's task.
        closing: whether the coroutine that waits for the call was closed, so that nothing can be
            awaited.
        is_large: whether the events of the call are so large that threads should work on them;
            None: not known.
        over: whether the call has ended.
        result: the result of the call.
        raised: the error of the call; None: it raised none.
    """

    bridge: GreenletBridge
    context: Context | None
    closing: bool
    is_large: bool | None
    over: bool
    result: Any
    raised: BaseException | None

    def __init__(self) -> None:
        super().__init__(self._work)

    @classmethod
    def new(cls, bridge: GreenletBridge) -> Call:
        """Return a greenlet for a call of the running task."""
        idle = _idle.calls
        made = idle.pop() if idle else cls()
        task = getcurrent()
        made.parent = task
        made.gr_context = made.context = task.gr_context
        made.bridge = bridge
        made.closing = made.over = False
        made.is_large = None
        made.raised = None
        return made

    def leave(self) -> None:
        """Let another call use the greenlet if this call has ended."""
        if self.over and not self.dead and len(_idle.calls) < _MOST_IDLE:
            self.gr_context = self.context = self.result = self.raised = None
            _idle.calls.append(self)

    def _work(self, call: Callable[..., Any], arguments: Any, named: Any) -> None:
        while True:
            try:
                self.result = call(*arguments, **named)
            except GreenletExit:
                raise  # Python is deleting the greenlet
            except BaseException as error:  # noqa: BLE001 - raised in the task
                self.raised = error
            self.over = True
            del call, arguments, named  # not kept alive while the greenlet is idle
            call, arguments, named = self.parent.switch()  # type: ignore[union-attr]


class _Idle(local):
    """The idle greenlets of a thread."""

    def __init__(self) -> None:
        self.calls: list[Call] = []


_idle = _Idle()


def this_call() -> Call | None:
    """Return the call that is running in this greenlet; None if there is none."""
    here = getcurrent()
    return here if type(here) is Call else None


class GreenletBridge(Bridge):
    """Makes each call in a greenlet. It is also the `Waits` of these calls."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self._beside: set[asyncio.Task[Any]] = set()

    async def run(self, call: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Make a call of the library on this thread, and return its result."""
        if self.is_closed and type(call) is not _Beside:
            self.refuse_closed()
        here = Call.new(self)
        under_way = self.calls.begin()
        try:
            found = here.switch(call, arguments, named)
            while not here.over:
                try:
                    reply = await found
                except GeneratorExit as error:
                    here.closing = True
                    here.throw(error)
                    raise
                except BaseException as error:  # noqa: BLE001 - raised where the code waits
                    found = here.throw(error)
                else:
                    found = here.switch(reply)
            if here.raised is not None:
                raise here.raised
        except asyncio.CancelledError as error:
            if under_way.uncancel():
                raise closed_before(error) from None
            raise
        else:
            return here.result  # type: ignore[no-any-return]
        finally:
            self.calls.end(under_way)
            here.leave()

    def wait_for(self, awaitable: Coroutine[Any, Any, T]) -> T:
        """Wait for a coroutine and return its result; the loop goes on in the meantime."""
        here = getcurrent()
        if type(here) is not Call:
            return wait_in_thread(awaitable)
        if here.closing:
            awaitable.close()
            raise GeneratorExit
        return here.parent.switch(awaitable)  # type: ignore[union-attr,no-any-return]

    def wait_for_yours(self, awaitable: Coroutine[Any, Any, T]) -> T:
        """Wait for a coroutine of the application, with the context variables of the calling code.

        In a group, these may be the variables of another task, for which this call decides.
        """
        here = getcurrent()
        if type(here) is Call and here.gr_context is not here.context:
            return self.wait_for(_in_context(awaitable, copy_context()))
        return self.wait_for(awaitable)

    def waits_here(self) -> bool:
        """Return whether the running code may call `wait_for`."""
        return type(getcurrent()) is Call or super().waits_here()

    def waits_on_loop(self) -> bool:
        """Return whether this is the thread of the loop, which must not block."""
        return type(getcurrent()) is Call

    def elsewhere(self, call: Callable[[], T]) -> T:
        """Make a call that blocks or computes for long in a thread, and return its result."""
        return self.wait_for(self.threads.run(call))

    def aside(self, call: Callable[[], T]) -> T:
        """Make a call of the application, which may block, in a thread; return its result."""
        return self.elsewhere(call) if self.waits_on_loop() else call()

    def work_on(self, work: Callable[[], None], helpers: int) -> None:
        """Run ``work`` here and in ``helpers`` tasks at the same time; return when all end."""
        tasks = [self._begin(work) for _ in range(helpers)]
        try:
            work()
            if tasks:
                self.wait_for(_all(tasks))
        except BaseException:
            for task in tasks:
                task.cancel()
            if not all(task.done() for task in tasks):
                self.wait_for(_ended(tasks))
            raise

    def begin(self, call: Callable[[], object]) -> Callable[[], None]:
        """Begin a call in its own task; return a function that waits for its end."""
        task = self._begin(call)
        return lambda: self.wait_for(_all([task]))

    def until_free(self, turn: Turn) -> None:
        """Wait until the turn may be free."""
        self.wait_for(_until_free(turn))

    def after_fork(self) -> None:
        """Reset the state in a forked child, which has none of the parent's tasks."""
        super().after_fork()
        self._beside = set()

    def _begin(self, call: Callable[[], object]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(self.run(_Beside(call)))
        self._beside.add(task)  # the loop has only weak references to tasks
        task.add_done_callback(self._ended_beside)
        return task

    def _ended_beside(self, task: asyncio.Task[Any]) -> None:
        self._beside.discard(task)
        if not task.cancelled():
            task.exception()  # marks it as seen: the call that began the task may have ended


class _Beside:
    """A call beside another call, which may begin while the backend is being closed."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call

    def __call__(self) -> object:
        return self._call()


async def _in_context(awaitable: Coroutine[Any, Any, T], context: Context) -> T:
    return await asyncio.get_running_loop().create_task(awaitable, context=context)


async def _all(tasks: list[asyncio.Task[Any]]) -> None:
    """Wait for the end of tasks; raise an error if a task failed."""
    await asyncio.gather(*tasks)


async def _ended(tasks: list[asyncio.Task[Any]]) -> None:
    """Wait for the end of cancelled tasks, and ignore their results and errors."""
    await asyncio.gather(*tasks, return_exceptions=True)


async def _until_free(turn: Turn) -> None:
    loop = asyncio.get_running_loop()
    free = loop.create_future()
    turn.when_free(partial(loop.call_soon_threadsafe, _set, free))
    await free


def _set(free: asyncio.Future[None]) -> None:
    if not free.done():
        free.set_result(None)


def _how() -> Waits | None:
    here = getcurrent()
    return here.bridge if type(here) is Call else None


wait_by(_how)
