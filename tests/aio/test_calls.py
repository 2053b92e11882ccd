"""Calls of the library for tasks: they wait by the loop, in the context of the task."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest

from dynamo_es.aio.bridges.greenlet_bridge import GreenletBridge, this_call
from dynamo_es.aio.bridges.thread_bridge import ThreadBridge
from dynamo_es.dynamodb.wire.parallel.ahead import reading_ahead
from dynamo_es.dynamodb.wire.parallel.at_once import AtOnce
from dynamo_es.exceptions import InputError
from dynamo_es.waiting import Turn, elsewhere, how_to_wait

if TYPE_CHECKING:
    from dynamo_es.aio.bridges.bridge import Bridge

TENANT: ContextVar[str] = ContextVar("tenant", default="nobody")


@pytest.fixture(params=[GreenletBridge, ThreadBridge])
def bridge(request: pytest.FixtureRequest) -> Bridge:
    made: Bridge = request.param(8)
    return made


async def _later(value: Any, seconds: float = 0.0) -> Any:
    await asyncio.sleep(seconds)
    return value


def test_a_call_returns_what_it_waits_for(bridge):
    assert asyncio.run(bridge.run(lambda: bridge.wait_for(_later(5)) + 1)) == 6


def test_a_call_raises_what_it_waits_for(bridge):
    async def fails() -> None:
        raise LookupError("here")

    def call() -> str:
        try:
            bridge.wait_for(fails())
        except LookupError as error:
            return f"seen {error}"
        return ""

    assert asyncio.run(bridge.run(call)) == "seen here"
    with pytest.raises(LookupError, match="here"):
        asyncio.run(bridge.run(lambda: bridge.wait_for(fails())))


def test_other_tasks_run_while_a_call_waits(bridge):
    async def both() -> list[str]:
        order: list[str] = []

        def call() -> None:
            order.append("begun")
            bridge.sleep(0.02)
            order.append("ended")

        async def other() -> None:
            await asyncio.sleep(0.005)
            order.append("other")

        await asyncio.gather(bridge.run(call), other())
        return order

    assert asyncio.run(both()) == ["begun", "other", "ended"]


def test_context_variables_of_the_task_are_those_of_the_call(bridge):
    async def task(name: str) -> str:
        TENANT.set(name)

        def call() -> str:
            bridge.sleep(0.001)
            return TENANT.get()

        return await bridge.run(call)

    async def both() -> list[str]:
        return list(await asyncio.gather(task("acme"), task("umbrella")))

    assert asyncio.run(both()) == ["acme", "umbrella"]
    assert TENANT.get() == "nobody"


def test_a_cancelled_task_raises_where_its_call_waits(bridge):
    seen: list[str] = []

    def call() -> None:
        try:
            bridge.sleep(10)
        except asyncio.CancelledError:
            seen.append("cancelled")
            bridge.sleep(0.001)  # such as a request that gives a lease back
            seen.append("cleaned up")
            raise

    async def cancel() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await bridge.run(call)

    asyncio.run(cancel())
    assert seen == ["cancelled", "cleaned up"]


def test_a_closed_coroutine_ends_its_call():
    bridge = GreenletBridge(1)
    seen: list[str] = []

    def call() -> None:
        try:
            bridge.wait_for(_never())
        except GeneratorExit:
            seen.append("closed")
            bridge.sleep(1)  # nothing can be awaited any more

    coroutine = bridge.run(call)
    coroutine.send(None)
    coroutine.close()
    assert seen == ["closed"]


class _Never:
    def __await__(self) -> Any:
        yield


async def _never() -> None:
    await _Never()


def test_calls_share_greenlets_and_none_keeps_a_result_alive():
    bridge = GreenletBridge(1)
    used: set[int] = set()

    class Large:
        pass

    def call(given: Large) -> Large:
        used.add(id(this_call()))
        bridge.sleep(0)
        assert given is not None
        return Large()

    async def many() -> None:
        for _ in range(20):
            await asyncio.gather(*(bridge.run(call, Large()) for _ in range(3)))
        alive = weakref.ref(given := Large())
        result = weakref.ref(await bridge.run(call, given))
        del given
        assert (alive(), result()) == (None, None)

    asyncio.run(many())
    assert len(used) <= 4


def test_an_error_does_not_stay_with_its_greenlet():
    bridge = GreenletBridge(1)

    async def twice() -> None:
        for error in (LookupError("first"), KeyError("second")):
            with pytest.raises(type(error)):
                await bridge.run(_raise, error)
            assert await bridge.run(len, "ab") == 2

    asyncio.run(twice())


def _raise(error: Exception) -> None:
    raise error


def test_greenlets_end_with_their_thread():
    bridge = GreenletBridge(1)
    ended: list[object] = []

    def use() -> None:
        ended.append(asyncio.run(bridge.run(lambda: bridge.wait_for(_later(3)))))

    for _ in range(3):
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
    gc.collect()
    assert ended == [3, 3, 3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_has_threads_and_calls_of_its_own(bridge):
    def work() -> int:
        return bridge.aside(lambda: 7)

    async def forking() -> int:
        assert await bridge.run(work) == 7  # its threads have begun
        held = asyncio.create_task(bridge.run(bridge.sleep, 10))
        await asyncio.sleep(0.01)
        child = os.fork()
        if child == 0:
            os._exit(_in_child(bridge, work))
        held.cancel()
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])  # noqa: ASYNC222 - it ends soon

    assert asyncio.run(forking()) == 0


def _in_child(bridge: Bridge, work: Any) -> int:
    asyncio.events._set_running_loop(None)

    async def use() -> int:
        async with asyncio.timeout(5):
            found = await bridge.run(work)
            await bridge.calls.end_all(5)  # none of the parent's
        return found

    try:
        return asyncio.run(use()) - 7
    except BaseException:  # noqa: BLE001 - the parent sees the code
        return 1


def test_nothing_waits_outside_of_a_call(bridge):
    with pytest.raises(InputError, match="await the methods of that backend"):
        bridge.wait_for(_later(1))
    assert how_to_wait() is None


def test_a_turn_that_another_task_has_does_not_block_the_loop():
    bridge, turn = GreenletBridge(1), Turn()
    order: list[str] = []

    def call(name: str, seconds: float) -> None:
        with turn:
            order.append(f"{name} begins")
            bridge.sleep(seconds)
            order.append(f"{name} ends")

    async def three() -> None:
        calls = [bridge.run(call, name, 0.005) for name in "abc"]
        async with asyncio.timeout(5):
            await asyncio.gather(*calls)

    asyncio.run(three())
    assert order == [f"{name} {step}" for name in "abc" for step in ("begins", "ends")]


def test_a_cancelled_task_neither_gets_nor_keeps_a_turn():
    bridge, turn = GreenletBridge(1), Turn()

    def call() -> None:
        with turn:
            bridge.sleep(0.01)

    async def cancel() -> None:
        first, second, third = (asyncio.create_task(bridge.run(call)) for _ in range(3))
        await asyncio.sleep(0.001)
        second.cancel()
        async with asyncio.timeout(5):
            await asyncio.gather(first, third)
            with pytest.raises(asyncio.CancelledError):
                await second

    asyncio.run(cancel())
    assert not turn.taken


def test_requests_at_once_are_tasks():
    bridge, at_once = GreenletBridge(1), AtOnce(4)

    def one(place: int) -> int:
        bridge.sleep(0.03)
        if place == 2:
            raise LookupError
        return place

    began = time.monotonic()
    outcomes = asyncio.run(bridge.run(at_once.run, one, 4))
    assert time.monotonic() - began < 0.1
    assert outcomes[:2] + outcomes[3:] == [0, 1, 3]
    assert isinstance(outcomes[2], LookupError)


def test_a_cancelled_task_cancels_all_its_requests_at_once():
    bridge, at_once = GreenletBridge(1), AtOnce(4)
    ended: list[int] = []

    def one(place: int) -> None:
        try:
            bridge.sleep(10)
        finally:
            ended.append(place)

    async def cancel() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await bridge.run(at_once.run, one, 8)

    asyncio.run(cancel())
    assert sorted(ended) == [0, 1, 2, 3]


def test_a_task_reads_the_next_page_ahead():
    bridge = GreenletBridge(1)
    pages = [[1, 2], [3, 4], []]
    read: list[int] = []

    def next_page() -> list[int]:
        bridge.sleep(0.001)
        read.append(len(read))
        return pages[len(read) - 1]

    async def go_through() -> list[int]:
        found = []
        async for part in bridge.iterate(reading_ahead(next_page, lambda: len(read) == 3)):
            found.append(part)
            await asyncio.sleep(0.01)
            if part == 2:
                assert len(read) == 2
        return found

    assert asyncio.run(go_through()) == [1, 2, 3, 4]


def test_long_work_is_done_by_a_thread_that_may_wait_for_the_loop():
    bridge = GreenletBridge(2)

    async def beside() -> tuple[int, int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.001)

        ticking = asyncio.create_task(tick())

        def work() -> int:
            time.sleep(0.03)
            return bridge.wait_for(_later(7))

        found = await bridge.run(lambda: elsewhere(work))
        ticking.cancel()
        return found, ticks

    found, ticks = asyncio.run(beside())
    assert found == 7
    assert ticks > 5


def test_a_cancelled_task_waits_for_the_end_of_its_thread(bridge):
    seen: list[str] = []

    def work() -> None:
        time.sleep(0.03)
        seen.append("worked")

    async def cancel() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.005):
                await bridge.run(lambda: bridge.aside(work))
        seen.append("cancelled")

    asyncio.run(cancel())
    assert seen == ["worked", "cancelled"]
