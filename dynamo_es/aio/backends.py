"""`AsyncDynamoBackend` and `AsyncMemoryBackend`: the event store for asyncio."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Self

from dynamo_es.aio.bridged_backends import dynamo_backend, memory_backend, new_bridge
from dynamo_es.aio.interface.backend import AsyncBackend
from dynamo_es.aio.sequencer import AsyncSequencer
from dynamo_es.contracts.checks.arguments import check_kind
from dynamo_es.dynamodb.config import DynamoConfig
from dynamo_es.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

    from dynamo_es.contracts import Observer
    from dynamo_es.contracts.log_scope import LogScope
    from dynamo_es.dynamodb.backend import DynamoBackend
    from dynamo_es.dynamodb.config import Sequencing
    from dynamo_es.event_store.registry import EventRegistry
    from dynamo_es.memory.backend import MemoryBackend
    from dynamo_es.memory.storage import MemoryStorage

_FEW_THREADS: Final = 8
"""Most threads of a backend in memory. They run only your plain handlers and large work."""


class AsyncDynamoBackend(AsyncBackend):
    """An event store on DynamoDB for asyncio; see `DynamoBackend`.

    ``async with AsyncDynamoBackend.from_env() as backend:``

    With the extra ``async`` (aiohttp, greenlet), the event loop itself sends requests. Without the
    extra, threads send them with boto3, with the same results. So they do if you pass a client, use
    a proxy, or use a tool that traces or mocks boto3.

    Args:
        config: tables, time-outs, retries. At most ``max_pool_connections`` requests are sent at
            the same time; more requests wait.
        client: a boto3 client for DynamoDB, which threads call; None: the backend has its own
            connections.
        observer: called with an `OperationReport` after each operation, on the loop's thread.
        clock: returns seconds since the epoch.
        monotonic: returns seconds of a clock that never goes back.
        registry: finds event classes by name; None: all classes that are defined.
        streams_client: a boto3 client for ``dynamodbstreams``, for `sequencer`.

    Raises:
        ConfigurationError: ``config`` is not a `DynamoConfig`.
        InputError: ``clock`` or ``monotonic`` is not callable.
        AsynchronousFunctionError: ``clock``, ``monotonic`` or ``observer`` is asynchronous.
    """

    _sync: DynamoBackend

    def __init__(  # noqa: PLR0913 - what is injected, each by its name
        self,
        config: DynamoConfig,
        client: DynamoDBClient | None = None,
        observer: Observer | None = None,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        registry: EventRegistry | None = None,
        streams_client: DynamoDBStreamsClient | None = None,
    ) -> None:
        check_kind("config", config, DynamoConfig, ConfigurationError)
        bridge = new_bridge(config.max_pool_connections)
        backend = dynamo_backend(bridge)(
            config,
            client,
            observer,
            clock=clock,
            monotonic=monotonic,
            registry=registry,
            streams_client=streams_client,
        )
        super().__init__(backend, bridge)

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        client: DynamoDBClient | None = None,
        observer: Observer | None = None,
        registry: EventRegistry | None = None,
    ) -> Self:
        """Return a backend with the settings in the environment; see `DynamoConfig.from_env`.

        Raises:
            ConfigurationError: a variable is missing or wrong.
        """
        config = DynamoConfig.from_env(environ)
        return cls(config, client=client, observer=observer, registry=registry)

    @classmethod
    def local(
        cls,
        observer: Observer | None = None,
        *,
        registry: EventRegistry | None = None,
        sequencing: Sequencing = "inline",
        log_scope: LogScope = "table",
    ) -> Self:
        """Return a backend on an emulator in this process, with its tables. Close it after use.

        Arguments and errors are those of `DynamoBackend.local`. The call blocks the event loop for
        about a second, so make it when your program begins.

        Example::

            async with AsyncDynamoBackend.local() as backend:
                await backend.event_store.append(Deposited(amount=5), stream_id=StreamId())
        """
        made: Self = object.__new__(cls)
        bridge = new_bridge(_FEW_THREADS)
        kind: Any = dynamo_backend(bridge)
        backend = kind.local(
            observer, registry=registry, sequencing=sequencing, log_scope=log_scope
        )
        AsyncBackend.__init__(made, backend, bridge)
        return made

    @property
    def config(self) -> DynamoConfig:
        """Tables, time-outs and retries."""
        return self._sync.config

    @property
    def client(self) -> DynamoDBClient:
        """A boto3 client for your own requests; its methods block. See `DynamoBackend.client`."""
        return self._sync.client

    @property
    def streams_client(self) -> DynamoDBStreamsClient:
        """A boto3 client for your own requests to table streams; its methods block."""
        return self._sync.streams_client

    @property
    def sequencer(self) -> AsyncSequencer:
        """A worker that gives events their positions; see `DynamoBackend.sequencer`.

        ``async with backend.sequencer.in_background():``
        """
        return AsyncSequencer(self._sync.sequencer, self._bridge)

    async def clear(self) -> None:
        """Delete all data of the emulator of `local`; see `DynamoBackend.clear`.

        Raises:
            ConfigurationError: this backend was not made by `local`, or is limited to a tenant.
        """
        await self._bridge.run(self._sync.clear)


class AsyncMemoryBackend(AsyncBackend):
    """An event store in memory for asyncio, for tests and first steps; see `MemoryBackend`.

    Arguments and errors are those of `MemoryBackend`.
    """

    _sync: MemoryBackend

    def __init__(
        self,
        storage: MemoryStorage | None = None,
        *,
        registry: EventRegistry | None = None,
        clock: Callable[[], float] = time.time,
        log_scope: LogScope = "table",
    ) -> None:
        bridge = new_bridge(_FEW_THREADS)
        backend = memory_backend(bridge)(
            storage, registry=registry, clock=clock, log_scope=log_scope
        )
        super().__init__(backend, bridge)
