"""Other loops and test plugins: uvloop, and that of anyio."""

from __future__ import annotations

import asyncio

import pytest
import uvloop

from dynamo_es import Event, StreamId
from dynamo_es.aio import AsyncDynamoBackend, AsyncMemoryBackend


class Looped(Event):
    __event_name__ = "loops.looped"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def memory() -> AsyncMemoryBackend:
    return AsyncMemoryBackend()


@pytest.mark.anyio
async def test_fixtures_and_tests_of_anyio_share_a_backend(memory):
    await memory.event_store.append(Looped(), stream_id=StreamId(name="a"))
    assert await memory.event_store.version(StreamId(name="a")) == 1
    await memory.close()


def test_a_backend_runs_on_uvloop():
    async def use() -> list[int | None]:
        async with AsyncDynamoBackend.local() as backend:
            store = backend.event_store
            streams = [StreamId() for _ in range(8)]
            await asyncio.gather(*(store.append(Looped(), stream_id=one) for one in streams))
            return [one.version async for one in store.iter_stream(streams[0])]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(use()) == [1]


def test_a_backend_may_be_used_by_one_loop_after_another():
    backend = AsyncMemoryBackend()
    for number in range(2):
        stored = backend.event_store.append(
            Looped(), stream_id=StreamId(name="a"), expected_version=number
        )
        assert asyncio.run(stored) == number + 1
