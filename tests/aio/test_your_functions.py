"""Functions of yours may be coroutine functions: handlers, read models, publishers, listeners."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

from dynamo_es import Event, StreamId
from dynamo_es.aio import AsyncDynamoBackend, AsyncMemoryBackend, backends
from dynamo_es.aio.bridges.greenlet_bridge import GreenletBridge
from dynamo_es.aio.bridges.thread_bridge import ThreadBridge
from dynamo_es.exceptions import AsynchronousFunctionError, InvalidSubscriptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from dynamo_es.aio import AsyncBackend

BRIDGES = {"greenlets": GreenletBridge, "threads": ThreadBridge}


class Worked(Event):
    __event_name__ = "workers.worked"

    number: int


@pytest.fixture(params=BRIDGES)
def backend(request: pytest.FixtureRequest) -> AsyncMemoryBackend:
    with patch.object(backends, "new_bridge", BRIDGES[request.param]):
        return AsyncMemoryBackend()


async def append(backend: AsyncBackend, *numbers: int, name: str = "a") -> StreamId:
    stream = StreamId(name=name, category="worked")
    for number in numbers:
        await backend.event_store.append(
            Worked(number=number), stream_id=stream, expected_version=number - 1
        )
    return stream


def number_of(recorded: Any) -> int:
    return int(recorded.wrapped_event.event.number)


def running(use: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(20):
            await use()

    asyncio.run(in_time())


def test_a_listener_is_awaited_after_each_append(backend):
    heard: list[tuple[int, str]] = []

    async def listen(wrapped: Any, stream: StreamId, tenant: str, position: int | None) -> None:
        await asyncio.sleep(0)
        heard.append((wrapped.event.number, str(stream.name)))

    async def use() -> None:
        async with backend:
            backend.listeners.register(listen, to=Worked)
            await append(backend, 1, 2)
            assert heard == [(1, "a"), (2, "a")]
            backend.listeners.remove(listen, to=Worked)
            await append(backend, 1, name="b")

    running(use)
    assert len(heard) == 2


def test_a_projector_may_be_a_listener(backend):
    seen: list[int] = []

    async def read(wrapped: Any, _: StreamId) -> None:
        await asyncio.sleep(0)
        seen.append(wrapped.event.number)

    async def use() -> None:
        async with backend:
            backend.listeners.register(backend.projector("p", read).project, to=Worked)
            await append(backend, 1, 2)

    running(use)
    assert seen == [1, 2]


@pytest.mark.parametrize("asynchronous", [True, False])
def test_a_read_model_is_awaited_or_runs_in_a_thread(backend, asynchronous):
    seen: list[int] = []
    threads: set[int] = set()

    async def read(wrapped: Any, _: StreamId) -> None:
        await asyncio.sleep(0)
        threads.add(threading.get_ident())
        seen.append(wrapped.event.number)

    def read_in_a_thread(wrapped: Any, _: StreamId) -> None:
        threads.add(threading.get_ident())
        seen.append(wrapped.event.number)

    async def use() -> None:
        async with backend:
            stream = await append(backend, 1, 2, 3)
            projector = backend.projector("p", read if asynchronous else read_in_a_thread)
            *_, last = await backend.event_store.load_stream(stream)
            await projector.project(last, stream)
            await backend.projection("q", projector).run_once()  # each event once

    running(use)
    assert seen == [1, 2, 3]
    assert (threading.get_ident() in threads) == asynchronous


def test_a_publisher_that_fails_is_awaited_again(backend):
    tried: list[int] = []

    async def publish(recorded: Any) -> None:
        await asyncio.sleep(0)
        tried.append(number_of(recorded))
        if tried == [1]:
            raise ConnectionError

    async def use() -> None:
        async with backend.with_outbox():
            await append(backend, 1, 2)
            await backend.outbox.run_once(publish, retry_delay=0)
            assert [one.position for one in await backend.outbox.entries()] == [1]
            await backend.outbox.run_once(publish)
            assert await backend.outbox.entries() == []

    running(use)
    assert tried == [1, 2, 1]


def test_a_stream_whose_handler_fails_is_set_aside_and_retried(backend):
    seen: list[tuple[str, int]] = []
    broken = {"a"}

    async def handle(recorded: Any) -> None:
        await asyncio.sleep(0)
        name = str(recorded.stream_id.name)
        if name in broken:
            raise LookupError
        seen.append((name, number_of(recorded)))

    async def use() -> None:
        async with backend:
            await append(backend, 1, 2)
            await append(backend, 1, name="b")
            projection = backend.projection("p", handle, on_failure="park")
            await projection.run_once()
            assert seen == [("b", 1)]
            assert len(await backend.parked.streams("p")) == 1
            broken.clear()
            await projection.retry_parked()
            assert await backend.parked.streams("p") == []

    running(use)
    assert seen == [("b", 1), ("a", 1), ("a", 2)]


def test_progress_is_told_to_a_coroutine(backend):
    told: list[int] = []

    async def tell(report: Any) -> None:
        await asyncio.sleep(0)
        told.append(report.position)

    async def ignore(_: object) -> None:
        """Handle an event."""

    async def use() -> None:
        async with backend:
            await append(backend, 1, 2, 3)
            await backend.projection("p", ignore, batch_size=2).run_once(on_progress=tell)

    running(use)
    assert told[-1] == 3


def test_a_version_of_a_projection_catches_up_and_is_promoted(backend):
    async def ignore(_: object) -> None:
        """Handle an event."""

    async def use() -> None:
        async with backend:
            await append(backend, 1, 2, 3)
            await backend.projection("p", ignore, version=1).run_once()
            second = backend.projection("p", ignore, version=2)
            await second.catch_up()
            assert (await second.promote()).version == 2

    running(use)


def test_what_stops_a_worker_is_an_event_of_asyncio(backend):
    async def ignore(_: object) -> None:
        """Handle an event."""

    async def use() -> None:
        async with backend:
            await append(backend, 1)
            stop = asyncio.Event()
            worker = asyncio.create_task(backend.projection("p", ignore).run_forever(stop))
            await asyncio.sleep(0.02)
            stop.set()
            assert (await worker).position == 1
            wrong: Any = threading.Event()
            with pytest.raises(InvalidSubscriptionError, match=r"must be an asyncio\.Event"):
                await backend.projection("p", ignore).run_forever(wrong)

    running(use)


def test_what_may_not_wait_is_refused_as_in_the_synchronous_interface(backend):
    async def wanted(_: object) -> bool:
        return True

    refused: Any = wanted
    with pytest.raises(AsynchronousFunctionError):
        backend.with_outbox(refused)


@pytest.mark.ci
def test_a_sequencer_in_the_background_gives_positions_to_what_tasks_append():
    async def use() -> None:
        async with AsyncDynamoBackend.local(sequencing="stream") as backend:
            async with backend.sequencer.in_background():
                await asyncio.gather(*(append(backend, 1, name=str(n)) for n in range(20)))
                seen: set[int] = set()
                async for recorded in backend.subscriber.after(0):
                    seen.add(recorded.position)
                    if len(seen) == 20:
                        break
            assert seen == set(range(1, 21))

    running(use)
