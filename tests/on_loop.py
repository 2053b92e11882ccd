"""Asynchronous backends as synchronous ones: a loop in a thread runs their coroutines.

So the tests of every backend run on the asynchronous interface too, and none is written twice.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Self

from dynamo_es import StorageStrategy
from dynamo_es.aio import AsyncDynamoBackend, AsyncMemoryBackend
from dynamo_es.aio.base import Over
from dynamo_es.memory import MemoryStorage
from dynamo_es.testing.conformance.engine import MemoryEngine
from tests.engine import LocalEngine, MotoEngine
from tests.without_moto import without_moto

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Iterator

    from dynamo_es.testing.conformance.engine import Backend, Engine


class LoopInThread:
    """An event loop that runs in a thread until the process ends.

    Attributes:
        task: the task that the caller waits for.
    """

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.task: asyncio.Task[Any] | None = None
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def wait_for(self, awaitable: Coroutine[Any, Any, Any]) -> Any:
        """Return what a coroutine returns that the loop runs.

        Raises:
            CancelledError: asyncio's, with its cause: the task was cancelled.
        """
        waiting = self._run(awaitable)
        found, cancelled = asyncio.run_coroutine_threadsafe(waiting, self.loop).result()
        if cancelled is not None:
            raise cancelled
        return found

    async def _run(self, awaitable: Coroutine[Any, Any, Any]) -> tuple[Any, BaseException | None]:
        self.task = asyncio.current_task()
        try:
            return await awaitable, None
        except asyncio.CancelledError as error:
            return None, error

    def iterate(self, found: AsyncGenerator[Any]) -> Iterator[Any]:
        """Yield what an asynchronous generator yields."""
        end = object()
        try:
            while (one := self.wait_for(_next(found, end))) is not end:
                yield one
        finally:
            self.wait_for(found.aclose())


async def _next(found: AsyncGenerator[Any], end: object) -> Any:
    return await anext(found, end)


class OnLoop:
    """An asynchronous object as a synchronous one.

    Args:
        over: the asynchronous object.
        loop: runs its coroutines.
    """

    def __init__(self, over: Any, loop: LoopInThread) -> None:
        self._over = over
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        if not hasattr(type(self._over), name):
            return getattr(self._over._sync, name)  # such as the hooks of a storage
        return self._seen(getattr(self._over, name))

    def _seen(self, value: Any) -> Any:
        if asyncio.iscoroutine(value):
            return self._seen(self._loop.wait_for(value))
        if hasattr(value, "__anext__"):
            return self._loop.iterate(value)
        if isinstance(value, Over):
            return on_loop(value, self._loop)
        if callable(value) and not isinstance(value, type):
            return lambda *arguments, **named: self._seen(value(*arguments, **named))
        return value

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.wait_for(self._over.close())


class StorageOnLoop(OnLoop, StorageStrategy):
    """A storage; the methods are those of `OnLoop`."""


def _method(name: str) -> Any:
    def method(self: OnLoop, *arguments: Any, **named: Any) -> Any:
        return OnLoop.__getattr__(self, name)(*arguments, **named)

    return method


def _getter(name: str) -> Any:
    return lambda self: OnLoop.__getattr__(self, name)


for _name in [name for name in dir(StorageStrategy) if not name.startswith("_")]:
    if isinstance(inspect.getattr_static(StorageStrategy, _name), property):
        setattr(StorageOnLoop, _name, property(_getter(_name)))
    else:
        setattr(StorageOnLoop, _name, _method(_name))
StorageOnLoop.__abstractmethods__ = frozenset()


def on_loop(over: Over, loop: LoopInThread) -> Any:
    """Return an asynchronous object as a synchronous one."""
    kind = StorageOnLoop if isinstance(over._sync, StorageStrategy) else OnLoop
    return kind(over, loop)


class AsyncMemoryEngine(MemoryEngine):
    """`AsyncMemoryBackend`."""

    name = "async-memory"

    def start(self) -> None:
        super().start()
        self._loop = LoopInThread()

    def fresh_process(self, *, inline: bool = False) -> Backend:
        backend = AsyncMemoryBackend(MemoryStorage(shared=self._storage.data))
        return on_loop(backend, self._loop)


class _AsyncDynamo:
    """`AsyncDynamoBackend`, in place of the backend of another engine."""

    lacks: ClassVar[Any]
    _loop: LoopInThread
    _requests_left: int | None
    _count: Any
    fresh_process: Any

    def _on_loop(self, backend: AsyncDynamoBackend) -> Any:
        sender: Any = backend._sync.sender()
        sender.meta.events.register_first(
            "before-send.dynamodb",
            self._count,
            unique_id="crash",
        )
        return on_loop(backend, self._loop)

    @contextmanager
    def crash_after(self, requests: int) -> Iterator[Any]:
        self._requests_left = requests
        try:
            yield self.fresh_process()
        finally:
            self._requests_left = None


class AsyncMotoEngine(_AsyncDynamo, MotoEngine):
    """`AsyncDynamoBackend` over a boto3 client, whose requests threads send to moto."""

    name = "async-moto"

    def start(self) -> None:
        super().start()
        self._loop = LoopInThread()

    def fresh_process(self, *, inline: bool = False) -> Backend:
        config = self.config_with(sequencing="inline" if inline else "stream")
        backend = AsyncDynamoBackend(config, client=self._client)
        return on_loop(backend, self._loop)


class AsyncLocalEngine(_AsyncDynamo, LocalEngine):
    """`AsyncDynamoBackend` over aiohttp."""

    name = "async-local-engine"
    races = 60  # a call goes through two threads; synchronous callers race more often

    def start(self) -> None:
        super().start()
        self._loop = LoopInThread()
        self._open: list[AsyncDynamoBackend] = []

    def tidy(self) -> None:
        while self._open:
            self._loop.wait_for(self._open.pop().close())

    def fresh_process(self, *, inline: bool = False) -> Backend:
        config = self.config_with(sequencing="inline" if inline else "stream", transport="default")
        backend = AsyncDynamoBackend(config)
        self._open.append(backend)
        with without_moto():
            return self._on_loop(backend)


def async_engines(endpoint_url: str | None) -> dict[str, Engine]:
    """Return the engines of the asynchronous interface at hand, by name."""
    found: list[Engine] = [AsyncMemoryEngine(), AsyncMotoEngine()]
    if endpoint_url:
        found.append(AsyncLocalEngine(endpoint_url))
    return {engine.name: engine for engine in found}
