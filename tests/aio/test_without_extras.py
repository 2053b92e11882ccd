"""Without greenlet, each call runs in a thread; the results are the same."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

from dynamo_es import ANY_VERSION, Aggregate, Boundary, Event, EventStore, Repository, StreamId
from dynamo_es.aio import (
    AsyncBackend,
    AsyncDynamoBackend,
    AsyncMemoryBackend,
    AsyncRepository,
    backends,
    unknown_outcome,
)
from dynamo_es.aio.bridges import thread_bridge
from dynamo_es.aio.bridges.thread_bridge import ThreadBridge
from dynamo_es.contracts import StorageStrategy
from dynamo_es.facade.backend import Backend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Counted(Event):
    __event_name__ = "extras.counted"

    number: int


class Counter(Aggregate):
    category = "extras.counter"

    def __init__(self) -> None:
        self.number = 0

    def __apply__(self, event: Event) -> None:
        if isinstance(event, Counted):
            self.number = event.number

    def count(self) -> int:
        self._emit(Counted(number=self.number + 1))
        return self.number


@pytest.fixture(params=["memory", "moto"])
def backend(request: pytest.FixtureRequest) -> Iterator[AsyncBackend]:
    with patch.object(backends, "new_bridge", ThreadBridge):
        kind: Any = {"memory": AsyncMemoryBackend, "moto": AsyncDynamoBackend.local}
        made: AsyncBackend = kind[request.param]()
    yield made
    asyncio.run(made.close())


async def _use(backend: AsyncBackend) -> list[object]:
    store, stream = backend.in_tenant("acme").event_store, StreamId(category="extras.counter")
    seen: list[object] = [await store.append(Counted(number=1), stream_id=stream)]
    await store.append_many({StreamId(): [Counted(number=n)] for n in (2, 3)})
    seen += [one.event.number async for one in store.iter_stream(stream)]

    async def decide(counter: Counter) -> int:
        await asyncio.sleep(0)
        return counter.count()

    seen.append(await AsyncRepository(store, Counter).transact("c", decide))
    threads: set[int] = set()

    async def handle(recorded: Any) -> None:
        threads.add(threading.get_ident())
        seen.append(recorded.wrapped_event.event.number)

    await backend.projection("numbers", handle).run_once()
    assert threads == {threading.get_ident()}
    async for recorded in backend.subscriber.after(2):
        seen.append(recorded.position)
        if recorded.position == 4:
            break
    return seen


def test_the_results_are_those_of_greenlets(backend):
    assert asyncio.run(_use(backend)) == [1, 1, 1, 1, 2, 3, 1, 3, 4]


def test_a_plain_handler_runs_in_a_thread(backend):
    threads: set[int] = set()

    async def run() -> None:
        await backend.event_store.append(Counted(number=1), stream_id=StreamId())
        await backend.projection("t", lambda _: threads.add(threading.get_ident())).run_once()

    asyncio.run(run())
    assert threads
    assert threading.get_ident() not in threads


def test_a_cancelled_append_is_unknown_once_it_is_stored(backend):
    store, stream = backend.event_store, StreamId()
    slow: Any = store._sync._storage

    async def cancel() -> BaseException:
        own = type(slow).insert_events

        def insert_events(*arguments: Any, **named: Any) -> Any:
            stored = own(*arguments, **named)
            time.sleep(0.1)
            return stored

        with (
            patch.object(type(slow), "insert_events", insert_events),
            pytest.raises(TimeoutError) as raised,
        ):
            async with asyncio.timeout(0.05):
                await store.append(
                    Counted(number=1), stream_id=stream, expected_version=ANY_VERSION
                )
        return raised.value

    assert unknown_outcome(asyncio.run(cancel())) is not None
    assert len(asyncio.run(store.load_stream(stream))) == 1


def test_every_method_that_may_leave_an_append_unknown_is_known_as_one():
    unknown = {
        name
        for owner in (Backend, Boundary, EventStore, Repository, StorageStrategy)
        for name, method in inspect.getmembers(owner, callable)
        if "AppendOutcomeUnknownError" in (method.__doc__ or "")
    }

    assert {"append", "append_all", "decide", "transact_all"} <= unknown
    assert unknown | {"save", "save_all"} <= thread_bridge._APPEND


def test_a_cancelled_append_quotes_no_event(backend):
    """The task is cancelled once the append is done, and before it returns."""
    store, stream, courses = backend.event_store, StreamId(), backend.boundary("courses")
    repository = AsyncRepository(store, Counter)
    calls: list[tuple[Callable[[], Any], str]] = [
        (lambda: store.append_all({stream: [Counted(number=4711)]}), str(stream)),
        (lambda: courses.append(Counted(number=4711)), str(courses.stream_id)),
        (lambda: repository.transact_all(["a", "b"], lambda a, _: a.count()), "'a'"),
    ]

    async def cancel(call: Callable[[], Any]) -> BaseException:
        threads = backend._bridge.threads
        own, task = threads.run, asyncio.create_task(call())

        async def run(*arguments: Any) -> Any:
            done = await own(*arguments)
            task.cancel()
            await asyncio.sleep(0)
            return done

        with patch.object(threads, "run", run), pytest.raises(asyncio.CancelledError) as raised:
            await task
        return raised.value

    for call, stream_shown in calls:
        unknown = unknown_outcome(asyncio.run(cancel(call)))
        assert unknown is not None
        assert stream_shown in str(unknown)
        assert "4711" not in str(unknown)


def test_the_package_is_imported_without_its_extras():
    code = (
        "import sys\n"
        "sys.modules['greenlet'] = sys.modules['aiohttp'] = None\n"
        "import asyncio\n"
        "from dynamo_es import StreamId\n"
        "from dynamo_es.aio import AsyncMemoryBackend\n"
        "async def main():\n"
        "    async with AsyncMemoryBackend() as backend:\n"
        "        version = await backend.event_store.version(StreamId())\n"
        "        print(type(backend._bridge).__name__, version)\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "ThreadBridge 0\n"
