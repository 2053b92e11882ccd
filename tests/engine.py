"""The engines that the conformance suite runs on, and the capabilities that each lacks.

A test names a capability that it needs: ``@needs(Capability.CRASHES)``. pytest leaves the test out
on an engine that lacks the capability, and the report's header names the reason.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, Self
from uuid import uuid4

import pytest

from benchmarks.engine import turn_off_streams
from dynamo_es import DynamoBackend, DynamoConfig, MemoryBackend
from dynamo_es.dynamodb.subject_keys.storage import DynamoKeyStorage
from dynamo_es.dynamodb.tables.create import delete_tables
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.memory import MemoryKeyStorage, MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef

    from dynamo_es import StorageStrategy
    from dynamo_es.contracts import KeyStorageStrategy


MOTO: Final = "moto"
LOCAL: Final = "local-engine"
"""Name of the engine at the endpoint given, whichever it is."""


class Capability(StrEnum):
    """What not every engine can do."""

    GENERATIONS = "generations"
    """A process that knows an earlier generation of a stream is refused in the next one."""
    LIMITS = "limits"
    """Keys of up to 2,048 bytes, commits of up to 4 MB."""
    CONCURRENCY = "concurrency"
    """Threads may write at the same time."""
    REQUESTS = "requests"
    """It is reached by requests of DynamoDB's API, which can be recorded, lost and counted."""
    CRASHES = "crashes"
    """A process can be stopped for good after any of its requests."""
    LARGE = "large"
    """Transactions of megabytes take no longer than they are large."""
    BILLS = "bills"
    """It reports the capacity that DynamoDB would bill."""


def needs(*capabilities: Capability) -> pytest.MarkDecorator:
    """Mark a test that only makes sense on engines with these capabilities."""
    return pytest.mark.needs(*capabilities)


class Backend(Protocol):
    """What all backends have."""

    @property
    def storage(self) -> StorageStrategy: ...
    def in_tenant(self, tenant_id: str) -> Self: ...
    def create_tables(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class Crash(BaseException):
    """The process ends here; no ``except Exception`` may go on after it."""


class Engine(ABC):
    """Something that keeps streams, from `start` to `stop`; one for many tests.

    Tests keep apart by using stream ids of their own.
    """

    name: ClassVar[str]
    lacks: ClassVar[Mapping[Capability, str]]
    races: ClassVar[int] = 25
    """Versions that threads race for, one after the other."""

    @abstractmethod
    def start(self) -> None:
        """Make ready; called once a session."""

    @abstractmethod
    def stop(self) -> None:
        """Leave nothing behind."""

    @abstractmethod
    def fresh_process(self, *, inline: bool = False) -> Backend:
        """Return a backend that remembers nothing, over the same data as all others.

        Args:
            inline: whether it gives its appends their positions; an engine may do so anyway.
        """

    @abstractmethod
    def key_storage(self) -> KeyStorageStrategy:
        """Return the keys of data subjects as another process has them."""

    def tidy(self) -> None:  # noqa: B027 - most have nothing to do
        """Called after each test; nothing that was stored is needed any more."""

    def crash_after(self, requests: int) -> AbstractContextManager[Backend]:
        """Return a process that raises `Crash` in the place of any request after so many.

        No other process may send requests until the context is left; this one may not
        send any from then on.
        """
        raise NotImplementedError(f"{self.name} lacks {Capability.CRASHES}")


class MemoryEngine(Engine):
    """The reference implementation."""

    name = "memory"
    lacks: ClassVar = {
        Capability.GENERATIONS: "it forgets deleted streams, and no process has a memory",
        Capability.LIMITS: "it takes commits of any size",
        Capability.REQUESTS: "it sends none",
        Capability.CRASHES: "it sends no requests",
        Capability.BILLS: "it costs nothing",
    }

    def start(self) -> None:
        self._storage = MemoryStorage()
        self._keys = MemoryKeyStorage()

    def stop(self) -> None:
        del self._storage, self._keys

    def fresh_process(self, *, inline: bool = False) -> Backend:
        return MemoryBackend(MemoryStorage(shared=self._storage.data))

    def key_storage(self) -> KeyStorageStrategy:
        return self._keys.scoped_for_tenant("")


class DynamoEngine(Engine):
    """What all engines with DynamoDB's API share."""

    _config: DynamoConfig
    _client: DynamoDBClient
    _requests_left: int | None = None

    @property
    def client(self) -> DynamoDBClient:
        """The client that all its processes share."""
        return self._client

    def config_with(self, **changes: Any) -> DynamoConfig:
        """Return its configuration with changes."""
        return replace(self._config, **changes)

    def fresh_process(self, *, inline: bool = False) -> Backend:
        config = self.config_with(sequencing="inline" if inline else "stream")
        return DynamoBackend(config, client=self._client)

    def key_storage(self) -> KeyStorageStrategy:
        return DynamoKeyStorage(
            self._config, Gateway(lambda: self._client, self._config), time.time
        )

    @contextmanager
    def crash_after(self, requests: int) -> Iterator[Backend]:
        self._requests_left = requests
        try:
            yield self.fresh_process()
        finally:
            self._requests_left = None

    def _serve(self, backend: DynamoBackend) -> None:
        # Tests count requests: positions are for those that ask for them.
        self._config = replace(backend.config, sequencing="stream")
        self._client = backend.client
        self._client.meta.events.register_first("before-send.dynamodb", self._count)

    def _count(self, **_: object) -> None:
        if self._requests_left is None:
            return
        if self._requests_left == 0:
            raise Crash
        self._requests_left -= 1


class MotoEngine(DynamoEngine):
    """DynamoDB imitated in this process.

    moto alone is not safe for threads; `DynamoBackend.local` serves one request at a time.
    """

    name = MOTO
    lacks: ClassVar = {
        Capability.BILLS: "it reports one unit whatever an item's size",
        Capability.LARGE: "it copies the tables for each transaction, which takes seconds",
    }

    def start(self) -> None:
        self._emulator = DynamoBackend.local()
        self._serve(self._emulator)

    def stop(self) -> None:
        self._emulator.close()

    def tidy(self) -> None:
        # Each query goes through all items of the table: full tables take minutes.
        table = self._config.events_table
        keys = "stream_key, version"
        while items := self._client.scan(TableName=table, ProjectionExpression=keys, Limit=25)[
            "Items"
        ]:
            deletes: list[WriteRequestTypeDef] = [{"DeleteRequest": {"Key": key}} for key in items]
            self._client.batch_write_item(RequestItems={table: deletes})


class LocalEngine(DynamoEngine):
    """dynoxide, or whatever answers at the endpoint with DynamoDB's API."""

    name = LOCAL
    lacks: ClassVar = {}
    races = 600

    def __init__(self, endpoint_url: str) -> None:
        prefix = f"conformance-{uuid4().hex}"
        self._config = DynamoConfig(
            events_table=f"{prefix}-events",
            log_table=f"{prefix}-log",
            keys_table=f"{prefix}-keys",
            endpoint_url=endpoint_url,
            region="us-east-1",
            # Threads race on machines that are busy with other things, too.
            read_timeout=30.0,
            retry_deadline=120.0,
        )

    def start(self) -> None:
        # Any will do, but the SDK signs nothing without; real ones are left alone.
        os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
        os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")
        backend = DynamoBackend(self._config)
        backend.create_tables()
        turn_off_streams(backend.client, self._config)
        self._serve(backend)

    def stop(self) -> None:
        delete_tables(self._client, self._config)


def engines(endpoint_url: str | None) -> dict[str, Engine]:
    """Return the engines at hand, by name."""
    found: list[Engine] = [MemoryEngine(), MotoEngine()]
    if endpoint_url:
        found.append(LocalEngine(endpoint_url))
    return {engine.name: engine for engine in found}
