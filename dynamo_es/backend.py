"""The way in: a backend on DynamoDB, its tables, and a storage per tenant."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from dynamo_es.dynamodb.client import LazyClient
from dynamo_es.dynamodb.config import DynamoConfig
from dynamo_es.dynamodb.gateway import Gateway
from dynamo_es.dynamodb.heads import RememberedHeads
from dynamo_es.dynamodb.storage import DynamoStorage
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from mypy_boto3_dynamodb import DynamoDBClient

    from dynamo_es.contracts import Observer, StorageStrategy
    from dynamo_es.values import TenantId


class DynamoBackend:
    """An event store on DynamoDB. Safe to share between threads.

    Args:
        config: tables, time-outs, retries.
        client: a boto3 DynamoDB client; None: one is made at the first request, with the
            time-outs and retries of ``config``.
        observer: called with an `OperationReport` after each operation.
        clock: seconds since the epoch.
        monotonic: seconds of a clock that only goes forward.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        config: DynamoConfig,
        client: DynamoDBClient | None = None,
        observer: Observer | None = None,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.config = config
        self._client = LazyClient(config, client)
        self._close: Callable[[], None] | None = None
        self._storage = DynamoStorage(
            config,
            Gateway(self._client, config, observer, sleep=sleep, monotonic=monotonic),
            RememberedHeads(config.remembered_heads, clock),
            clock,
            DEFAULT_TENANT,
        )

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        client: DynamoDBClient | None = None,
        observer: Observer | None = None,
    ) -> Self:
        """Return a backend configured by the environment; see `DynamoConfig.from_env`.

        Raises:
            ConfigurationError: a variable is missing or wrong.
        """
        return cls(DynamoConfig.from_env(environ), client=client, observer=observer)

    @classmethod
    def local(cls, observer: Observer | None = None) -> Self:
        """Return a backend on an emulator in this process, its tables made; close it after use.

        Other AWS clients of the process stay untouched. Its data is gone when it is closed.

        Raises:
            MissingExtraError: moto is not installed: ``pip install 'dynamo_es[local]'``.
        """
        from dynamo_es.dynamodb.emulator import Emulator

        config = DynamoConfig(
            events_table="events",
            log_table="log",
            keys_table="keys",
            region="us-east-1",
            report_capacity=observer is not None,
        )
        emulator = Emulator()
        backend = cls(config, client=emulator.client(config), observer=observer)
        backend._close = emulator.close
        backend.create_tables()
        return backend

    @property
    def client(self) -> DynamoDBClient:
        """The boto3 client; made now if it was not yet."""
        return self._client()

    @property
    def storage(self) -> StorageStrategy:
        """The storage of this backend's tenant."""
        return self._storage

    def in_tenant(self, tenant_id: TenantId) -> Self:
        """Return a backend of that tenant over the same tables; this one stays as it is.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """
        scoped = object.__new__(type(self))
        scoped.__dict__.update(self.__dict__)
        scoped._storage = self._storage.scoped_for_tenant(tenant_id)
        scoped._close = None
        return scoped

    def create_tables(self) -> None:
        """Make the tables of ``infra/event-store.yaml`` that are not there; wait until usable.

        Calling it again changes nothing.

        Raises:
            ConfigurationError: a table of that name has other keys.
            ServiceError: AWS refused or did not answer.
        """
        from dynamo_es.dynamodb.tables import create_tables

        create_tables(self.client, self.config)

    def close(self) -> None:
        """Let go of the emulator of `local`; a backend on AWS has nothing to close."""
        if self._close is not None:
            self._close()
            self._close = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
