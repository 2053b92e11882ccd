"""A backend that closes ends the calls under way, each with a clear error, and refuses later ones.

An append that may be stored says so. Workers give their leases back.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from botocore.exceptions import ConnectionClosedError

from dynamo_es import ANY_VERSION, Event, StreamId
from dynamo_es.aio import (
    AsyncDynamoBackend,
    AsyncMemoryBackend,
    backends,
    unknown_outcome,
)
from dynamo_es.aio.bridges.greenlet_bridge import GreenletBridge
from dynamo_es.aio.bridges.thread_bridge import ThreadBridge
from dynamo_es.aio.interface.by_hand import backend as by_hand_backend
from dynamo_es.aio.transport.aiohttp_connections import LoopConnections
from dynamo_es.exceptions import AppendOutcomeUnknownError, InputError
from dynamo_es.memory import MemoryStorage
from tests.aio.test_connections import QUICK, signed
from tests.dynamodb.wire.socket_server import Connected, serving
from tests.without_moto import without_moto

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from dynamo_es.aio import AsyncBackend


class Closed(Event):
    __event_name__ = "closing.closed"


STREAM = StreamId(name="closing")


NO_ITEMS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 39\r\n"
    b"x-amzn-RequestId: ABCDEF\r\n\r\n"
    b'{"Items":[],"Count":0,"ScannedCount":0}'
)


class Silent:
    """A server that takes requests and does not answer; other requests than writes it may."""

    def __init__(self) -> None:
        self.taken = 0
        self.answers_reads = False
        self.over = threading.Event()

    def __call__(self, connected: Connected, _: int) -> None:
        while body := connected.request():
            if self.answers_reads and b'"Item"' not in body:
                connected.reply(NO_ITEMS)
                continue
            self.taken += 1
            self.over.wait(20)


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Silent:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "silent")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "silent")
    return Silent()


@asynccontextmanager
async def asked(
    silent: Silent, *calls: Any, requests: int = 1
) -> AsyncIterator[tuple[AsyncDynamoBackend, list[asyncio.Task[Any]]]]:
    """Give a backend with calls that wait for the server's reply, as tasks."""
    with serving(silent) as server, without_moto():
        backend = AsyncDynamoBackend(
            replace(QUICK, endpoint_url=server.url, region="us-east-1", read_timeout=20)
        )
        tasks = [asyncio.create_task(call(backend)) for call in calls]
        try:
            await until(lambda: silent.taken >= requests)
            yield backend, tasks
        finally:
            silent.over.set()
            await backend.close()


def append(backend: AsyncBackend) -> Coroutine[Any, Any, object]:
    return backend.event_store.append(Closed(), stream_id=STREAM)


def grouped(backend: AsyncBackend) -> Coroutine[Any, Any, object]:
    return backend.event_store.append(
        Closed(), stream_id=STREAM, expected_version=ANY_VERSION, group=True
    )


def load(backend: AsyncBackend) -> Coroutine[Any, Any, object]:
    return backend.event_store.load_stream(STREAM)


async def until(happened: Callable[[], bool]) -> None:
    """Wait for what a thread does."""
    async with asyncio.timeout(10):
        while not happened():  # noqa: ASYNC110 - a thread sets no asyncio.Event
            await asyncio.sleep(0.005)


async def outcomes(tasks: list[asyncio.Task[Any]]) -> list[Any]:
    async with asyncio.timeout(2):
        return await asyncio.gather(*tasks, return_exceptions=True)


def test_an_append_under_way_says_that_its_outcome_is_unknown(silent):
    async def use() -> None:
        async with asked(silent, append, load, requests=2) as (backend, tasks):
            began = time.monotonic()
            await backend.close()
            appended, loaded = await outcomes(tasks)
            assert time.monotonic() - began < 1
            assert isinstance(appended, AppendOutcomeUnknownError)
            assert "PutItem on table 'events' got no usable reply (Closed)" in str(appended)
            assert isinstance(loaded, InputError)
            assert "was closed before this call returned" in str(loaded)
            assert not any(task.cancelling() for task in tasks)

    asyncio.run(use())


def test_of_a_group_only_those_appends_may_be_stored_that_were_sent(silent):
    silent.answers_reads = True

    async def use() -> None:
        async with asked(silent, *[grouped] * 3) as (backend, tasks):
            later = [asyncio.create_task(grouped(backend)) for _ in range(2)]
            await asyncio.sleep(0.01)
            await backend.close()
            found = await outcomes(tasks + later)
            kinds = [type(one).__name__ for one in found]
            assert silent.taken == 1
            unknown = kinds.count("AppendOutcomeUnknownError")
            assert unknown >= 1
            assert kinds == ["AppendOutcomeUnknownError"] * unknown + ["InputError"] * (5 - unknown)

    asyncio.run(use())


@pytest.mark.parametrize("error", [LookupError, asyncio.CancelledError])
def test_a_block_that_fails_raises_its_own_error_and_ends_the_calls(silent, error):
    async def use() -> None:
        async with asked(silent, append) as (backend, tasks):
            with pytest.raises(error):
                async with backend:
                    raise error
            [appended] = await outcomes(tasks)
            assert isinstance(appended, AppendOutcomeUnknownError)

    asyncio.run(use())


def test_a_task_that_was_cancelled_as_well_stays_cancelled(silent):
    async def use() -> None:
        async with asked(silent, append) as (backend, [task]):
            task.cancel()
            await backend.close()
            with pytest.raises(asyncio.CancelledError) as raised:
                await task
            assert isinstance(raised.value.__cause__, AppendOutcomeUnknownError)

    asyncio.run(use())


def test_a_task_whose_time_is_over_as_well_gets_its_time_out(silent):
    async def in_time(backend: AsyncBackend) -> None:
        async with asyncio.timeout(None) as limit:
            limits.append(limit)
            await append(backend)

    limits: list[asyncio.Timeout] = []

    async def use() -> None:
        async with asked(silent, in_time) as (backend, [task]):
            limits[0].reschedule(0)
            await asyncio.sleep(0)
            await backend.close()
            [found] = await outcomes([task])
            assert isinstance(found, TimeoutError)
            assert isinstance(unknown_outcome(found), AppendOutcomeUnknownError)

    asyncio.run(use())


BRIDGES = {"greenlets": GreenletBridge, "threads": ThreadBridge}


@pytest.fixture(params=BRIDGES)
def memory(request: pytest.FixtureRequest) -> AsyncMemoryBackend:
    with patch.object(backends, "new_bridge", BRIDGES[request.param]):
        return AsyncMemoryBackend()


def over(backend: AsyncBackend) -> AsyncMemoryBackend:
    """Return a new backend over the same events."""
    storage: Any = backend.storage._sync
    return AsyncMemoryBackend(MemoryStorage(shared=storage.data))


async def ignore(_: object) -> None:
    """Handle an event."""


def test_a_projection_ends_and_gives_its_lease_back(memory):
    async def use() -> None:
        await append(memory)
        seen = asyncio.Event()

        async def handle(_: object) -> None:
            seen.set()

        running = asyncio.create_task(memory.projection("p", handle, lease=60).run_forever())
        async with asyncio.timeout(5):
            await seen.wait()
            await memory.close()
        [found] = await outcomes([running])
        assert isinstance(found, InputError)
        again = over(memory)
        assert (await again.projection("p", ignore, lease=60).run_once()).position == 1
        await again.close()

    asyncio.run(use())


def test_an_outbox_ends_and_gives_its_lease_back(memory):
    async def use() -> None:
        backend = memory.with_outbox()
        await append(backend)
        seen = asyncio.Event()

        async def publish(_: object) -> None:
            seen.set()

        running = asyncio.create_task(backend.outbox.run_forever(publish, lease=60))
        async with asyncio.timeout(5):
            await seen.wait()
            await memory.close()
        [found] = await outcomes([running])
        assert isinstance(found, InputError)
        again = over(memory)
        assert not (await again.outbox.run_once(ignore, lease=60)).busy
        await again.close()

    asyncio.run(use())


def test_a_subscription_ends_where_it_waits(memory):
    async def use() -> None:
        async def follow() -> None:
            async for _ in memory.subscriber.after(0):
                pass

        following = asyncio.create_task(follow())
        await asyncio.sleep(0.05)
        await memory.close()
        [found] = await outcomes([following])
        assert isinstance(found, InputError)

    asyncio.run(use())


def test_a_worker_in_the_background_ends_its_block_with_the_error(memory, caplog):
    async def use() -> None:
        with pytest.raises(InputError, match="was closed before"):
            async with memory.projection("p", ignore).in_background():
                await asyncio.sleep(0.02)
                await memory.close()

    with caplog.at_level(logging.CRITICAL):
        asyncio.run(use())


def test_a_handler_in_a_thread_is_waited_for(memory):
    seen: list[str] = []

    def handle(_: object) -> None:
        seen.append("begun")
        time.sleep(0.1)
        seen.append("ended")

    async def use() -> None:
        await append(memory)
        running = asyncio.create_task(memory.projection("p", handle).run_forever())
        await until(lambda: bool(seen))
        await memory.close()
        assert seen == ["begun", "ended"]
        [found] = await outcomes([running])
        assert isinstance(found, InputError)

    asyncio.run(use())


def test_a_handler_that_takes_too_long_is_waited_for_no_longer(memory, caplog, monkeypatch):
    monkeypatch.setattr(by_hand_backend, "_LONGEST", 0.05)
    begun, go = threading.Event(), threading.Event()

    def handle(_: object) -> None:
        begun.set()
        go.wait(10)

    async def use() -> None:
        await append(memory)
        running = asyncio.create_task(memory.projection("p", handle).run_forever())
        await until(begun.is_set)
        await memory.close()
        go.set()
        [found] = await outcomes([running])
        assert isinstance(found, InputError)

    with caplog.at_level(logging.WARNING):
        asyncio.run(use())
    assert "after the asynchronous backend was closed: 1." in caplog.text


def test_a_handler_may_close_its_backend(memory):
    async def use() -> None:
        await append(memory)

        async def handle(_: object) -> None:
            await memory.close()

        # Without greenlets, the handler runs in a task of its own.
        is_thread = isinstance(memory._bridge, ThreadBridge)
        async with asyncio.timeout(2):
            with pytest.raises(InputError) if is_thread else nullcontext():
                await memory.projection("p", handle).run_once()

    asyncio.run(use())


def test_a_handler_that_waits_for_a_call_of_its_own_ends_with_its_worker(memory):
    async def use() -> None:
        await append(memory)
        waits = asyncio.Event()

        async def handle(_: object) -> None:
            waits.set()
            async for _ in memory.subscriber.after(1):
                pass

        running = asyncio.create_task(memory.projection("p", handle).run_forever())
        async with asyncio.timeout(5):
            await waits.wait()
            await asyncio.sleep(0.02)
            await memory.close()
        [found] = await outcomes([running])
        assert isinstance(found, InputError)
        assert running.cancelling() == 0

    asyncio.run(use())


def test_a_call_of_another_loop_ends_too(memory):
    waits = threading.Event()

    async def follow() -> None:
        async for _ in memory.subscriber.after(0):
            pass

    async def handle() -> None:
        following = asyncio.create_task(follow())
        await asyncio.sleep(0.05)
        waits.set()
        async with asyncio.timeout(5):
            await following

    found: list[BaseException] = []

    def other() -> None:
        try:
            asyncio.run(handle())
        except InputError as error:
            found.append(error)

    thread = threading.Thread(target=other)
    thread.start()
    assert waits.wait(5)
    asyncio.run(memory.close())
    thread.join(10)
    assert "was closed before this call returned" in str(found[0])


def test_a_closed_backend_refuses_calls_in_any_loop(memory):
    async def use() -> None:
        async with memory:
            pass
        for call in (append(memory), memory.prepare(), memory.create_tables()):
            with pytest.raises(InputError, match="is closed"):
                await call

    for _ in range(2):
        asyncio.run(use())


def test_a_backend_of_a_tenant_closes_nothing():
    async def use() -> None:
        async with AsyncMemoryBackend() as backend:
            async with backend.in_tenant("acme") as scoped:
                await append(scoped)
            await append(backend)

    asyncio.run(use())


def test_a_request_under_way_opens_no_session_after_the_backend_was_closed():
    async def use() -> None:
        bridge = GreenletBridge(1)
        connections = LoopConnections("http://127.0.0.1:9", QUICK, bridge)

        def close_and_send() -> None:
            bridge.is_ended = True
            connections.send(signed("http://127.0.0.1:9"))

        with pytest.raises(ConnectionClosedError, match="Connection was closed"):
            await bridge.run(close_and_send)
        assert not connections._sessions

    asyncio.run(use())


PROGRAM = """
import asyncio, gc, sys
from dynamo_es import DynamoConfig, Event, StreamId
from dynamo_es.aio import AsyncDynamoBackend

class Closed(Event):
    pass

async def main():
    config = DynamoConfig(
        events_table="events", log_table="log", keys_table="keys",
        endpoint_url=sys.argv[1], region="us-east-1",
    )
    async def follow(backend):
        async for _ in backend.subscriber.after(0):
            pass
    async def ignore(_):
        pass
    try:
        async with AsyncDynamoBackend(config) as backend:
            store = backend.event_store
            tasks = [
                asyncio.create_task(one)
                for one in (
                    store.append(Closed(), stream_id=StreamId()),
                    store.append_many({StreamId(): [Closed()] for _ in range(40)}),
                    backend.projection("p", ignore).run_forever(),
                    backend.projection("q", ignore).by_stream(4).run_forever(),
                    backend.outbox.run_forever(ignore),
                    follow(backend),
                )
            ]
            await asyncio.sleep(0.5)
            raise LookupError
    except LookupError:
        pass
    found = await asyncio.gather(*tasks, return_exceptions=True)
    print(*(type(one).__name__ for one in found))

asyncio.run(main())
gc.collect()
"""


@pytest.mark.ci
def test_nothing_is_left_open_that_python_would_warn_of(silent):
    with serving(silent) as server:
        done = subprocess.run(  # noqa: S603 - this interpreter
            [sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM, server.url],
            env={**os.environ, "PYTHONASYNCIODEBUG": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        silent.over.set()
    warned = [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]
    assert not warned
    names = done.stdout.split()
    assert names[0] == "AppendOutcomeUnknownError"
    assert names[1] in {"AppendOutcomeUnknownError", "AppendsFailedError"}
    assert names[2:] == ["InputError"] * 4
