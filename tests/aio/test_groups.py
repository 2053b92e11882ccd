"""Appends of tasks that wait for one stream become groups, as those of threads do."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from dynamo_es import ANY_VERSION, Event, OperationReport, StreamId
from dynamo_es.aio import AsyncDynamoBackend, AsyncMemoryBackend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


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
