"""Appends of tasks that wait for one stream become groups, as those of threads do."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from dynamo_es import ANY_VERSION, Event, OperationReport, StreamId
from dynamo_es.aio import AsyncDynamoBackend, AsyncMemoryBackend, AsyncRepository
from dynamo_es.aio.bridges.greenlet_bridge import GreenletBridge
from dynamo_es.aio.on_loop.group_waiter import new_waiter
from tests.aggregates.account import Account

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from dynamo_es.grouping.waiting import Waiter


class Ticked(Event):
    __event_name__ = "groups.ticked"

    number: int


@pytest.fixture(scope="module")
def reports() -> list[OperationReport]:
    return []


@pytest.fixture(scope="module")
def backend(reports: list[OperationReport]) -> Iterator[AsyncDynamoBackend]:
    backend = AsyncDynamoBackend.local(reports.append, sequencing="stream")
    yield backend
    asyncio.run(backend.close())


def test_appends_of_tasks_go_in_groups(backend, reports):
    store, stream = backend.event_store, StreamId()

    async def all_at_once() -> list[int]:
        await store.append(Ticked(number=0), stream_id=stream)
        reports.clear()
        stored = await asyncio.gather(
            *(
                store.append(
                    Ticked(number=number),
                    stream_id=stream,
                    expected_version=ANY_VERSION,
                    group=True,
                )
                for number in range(1, 41)
            )
        )
        return sorted(int(version) for version in stored if version is not None)

    assert asyncio.run(all_at_once()) == list(range(2, 42))
    assert len(reports) < 20
    found = asyncio.run(store.load_stream(stream))
    assert {one.event.number for one in found} == set(range(41))


def test_a_cancelled_leader_hands_its_group_on(backend):
    store, stream = backend.event_store, StreamId()

    async def cancel_some() -> int:
        await store.append(Ticked(number=0), stream_id=stream)
        tasks = [
            asyncio.create_task(
                store.append(
                    Ticked(number=number),
                    stream_id=stream,
                    expected_version=ANY_VERSION,
                    group=True,
                )
            )
            for number in range(30)
        ]
        await asyncio.sleep(0)
        tasks[0].cancel()
        tasks[7].cancel()
        async with asyncio.timeout(20):
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        return sum(not isinstance(one, BaseException) for one in outcomes)

    assert asyncio.run(cancel_some()) == 28
    assert 29 <= len(asyncio.run(store.load_stream(stream))) <= 31


def test_a_leader_that_is_cancelled_in_a_decision_of_another_task_hands_that_on():
    async def use() -> tuple[int, tuple[object, ...]]:
        async with AsyncMemoryBackend() as backend:
            accounts = AsyncRepository(backend.event_store, Account, group=True)
            begun, decided = asyncio.Event(), asyncio.Event()

            def command(waits: bool) -> asyncio.Task[object]:
                async def decide(account: Account) -> None:
                    account.deposit(1)
                    begun.set()
                    if waits:
                        await decided.wait()

                return asyncio.create_task(accounts.transact("ann", decide))

            first = command(waits=True)  # holds up the queue, so that the next two are a group
            await begun.wait()
            begun.clear()
            second, third = command(waits=False), command(waits=True)
            await asyncio.sleep(0.01)
            decided.set()
            await first
            decided.clear()
            await begun.wait()
            await asyncio.sleep(0.01)  # the second one waits for the decision of the third
            second.cancel()
            await asyncio.sleep(0.01)
            decided.set()
            async with asyncio.timeout(5):
                outcomes = await asyncio.gather(second, third, return_exceptions=True)
            return (await accounts.load("ann")).balance, outcomes

    balance, (second, third) = asyncio.run(use())
    assert isinstance(second, asyncio.CancelledError)
    assert third is None
    assert balance == 2


def test_a_call_of_another_loop_wakes_a_waiting_one_at_once():
    bridge = GreenletBridge(1)
    waiters: list[Waiter] = []

    def wait() -> None:
        waiters.append(new_waiter(bridge))
        waiters[0].wait(5)

    waiting = threading.Thread(target=asyncio.run, args=(bridge.run(wait),))
    waiting.start()
    while not waiters:
        time.sleep(0.001)
    time.sleep(0.05)  # its loop sleeps
    asyncio.run(bridge.run(waiters[0].wake))
    waiting.join(2)
    assert not waiting.is_alive()


def test_tasks_of_two_loops_append_in_groups():
    backend = AsyncMemoryBackend()
    stream = StreamId()
    failures: list[BaseException] = []

    async def append_some() -> None:
        async with asyncio.timeout(10):
            for _ in range(10):
                await asyncio.gather(
                    *(
                        backend.event_store.append(
                            Ticked(number=number),
                            stream_id=stream,
                            expected_version=ANY_VERSION,
                            group=True,
                        )
                        for number in range(10)
                    )
                )

    def run() -> None:
        try:
            asyncio.run(append_some())
        except BaseException as error:  # noqa: BLE001 - the test shows it
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(asyncio.run(backend.event_store.load_stream(stream))) == 300


@asynccontextmanager
async def memory() -> AsyncIterator[AsyncMemoryBackend]:
    async with AsyncMemoryBackend() as backend:
        yield backend


def test_tasks_append_to_a_boundary_in_groups():
    async def all_at_once() -> int:
        async with memory() as backend:
            boundary = backend.boundary("ticks", group=True)
            async with asyncio.timeout(10):
                await asyncio.gather(*(boundary.append(Ticked(number=n)) for n in range(40)))
            return len(await backend.event_store.load_stream(boundary.stream_id))

    assert asyncio.run(all_at_once()) == 40
