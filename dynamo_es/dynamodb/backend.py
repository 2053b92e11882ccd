"""`DynamoBackend`: the event store on DynamoDB, with its tables and its workers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, Self

from dynamo_es.contracts.checks.arguments import check_kind
from dynamo_es.contracts.checks.functions import check_injected, refuse_asynchronous
from dynamo_es.dynamodb.config import DynamoConfig
from dynamo_es.dynamodb.storage import DynamoStorage
from dynamo_es.dynamodb.streams.remembered.heads import RememberedHeads
from dynamo_es.dynamodb.wire.client import LazyClient, LazyStreamsClient, sender_of
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.exceptions import ConfigurationError
from dynamo_es.facade.backend import Backend
from dynamo_es.facade.event_store import EventStoreAccess
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

    from dynamo_es.contracts import KeyStorageStrategy, Observer
    from dynamo_es.contracts.log_scope import LogScope
    from dynamo_es.dynamodb.config import Sequencing
    from dynamo_es.dynamodb.table_stream.poller import StreamPoller
    from dynamo_es.event_store.registry import EventRegistry
    from dynamo_es.facade.log_access import LogAccess
    from dynamo_es.values import TenantId


class DynamoBackend(Backend):
    """An event store on DynamoDB. Safe to share between threads.

    A forked process can keep using the backend: it opens its own connections, even with a client
    that you gave. A fork copies the emulator of `local`, so neither process sees the other's
    changes.

    Args:
        config: the tables, time-outs and retries.
        client: a boto3 client for DynamoDB; None: the backend creates one at the first request,
            with the time-outs and retries of ``config``.
        observer: called with an `OperationReport` after each operation.
        clock: returns seconds since the epoch.
        monotonic: returns seconds of a monotonic clock.
        sleep: waits the given number of seconds.
        registry: the event classes by name; None: all classes that are defined.
        streams_client: a boto3 client for ``dynamodbstreams``; None: the backend creates one
            when `sequencer` needs it.

    Attributes:
        clock: the given clock.

    Raises:
        ConfigurationError: ``config`` is not a `DynamoConfig`.
        InputError: ``clock``, ``monotonic`` or ``sleep`` is not callable.
        AsynchronousFunctionError: one of them or the observer is asynchronous.
    """

    # The asynchronous backend replaces these.
    _gateway_type: ClassVar[type[Gateway]] = Gateway
    _storage_type: ClassVar[type[DynamoStorage]] = DynamoStorage
    _typed_type: ClassVar[type[EventStoreAccess]] = EventStoreAccess

    def __init__(  # noqa: PLR0913 - what is injected, each by its name
        self,
        config: DynamoConfig,
        client: DynamoDBClient | None = None,
        observer: Observer | None = None,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        registry: EventRegistry | None = None,
        streams_client: DynamoDBStreamsClient | None = None,
    ) -> None:
        check_kind("config", config, DynamoConfig, ConfigurationError)
        check_injected(clock=clock, monotonic=monotonic, sleep=sleep)
        if observer is not None:
            refuse_asynchronous(observer, "An observer")
        self.config = config
        self.clock = clock
        self._client = LazyClient(config, client)
        self._streams_client = LazyStreamsClient(config, streams_client)
        self.sender = self._new_sender(self._client)
        self.observer = observer
        self._close: Callable[[], None] | None = None
        self._empty: Callable[[], None] | None = None
        gateway = self._gateway_type(
            self.sender, config, observer, sleep=sleep, monotonic=monotonic
        )
        self._gateway = gateway
        heads = RememberedHeads(config.remembered_heads, clock)
        storage = self._storage_type(config, gateway, heads, clock)
        self._forget_heads = heads.clear
        self._forget = storage.forget

        def shared_log() -> LogAccess:
            # Imported at the first use of the log: a process that only appends starts faster.
            from dynamo_es.dynamodb.log_access import log_access

            return log_access(config, gateway, storage.hooks, clock, monotonic, sleep)

        def key_storage() -> KeyStorageStrategy:
            from dynamo_es.dynamodb.subject_keys.storage import DynamoKeyStorage

            return DynamoKeyStorage(config, gateway, clock)

        super().__init__(
            storage,
            self._typed_type(key_storage, registry, clock, consistent=config.consistent_loads),
            shared_log,
        )

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

        Closing it deletes its data. Other AWS clients in the process are not affected.

        Example::

            with DynamoBackend.local() as backend:
                backend.event_store.append(Deposited(amount=5), stream_id=StreamId())

        Args:
            observer: called with an `OperationReport` after each operation.
            registry: the event classes by name; None: all classes that are defined.
            sequencing: ``"inline"``: every append gets its positions at once. ``"stream"``: as on
                AWS, an append is one request, and `sequencer` assigns the positions.
            log_scope: ``"table"``: one log holds the events of all tenants. ``"tenant"``: each
                tenant has its own.

        Raises:
            MissingExtraError: moto is not installed: ``pip install 'dynamo_es[local]'``.
            ConfigurationError: ``sequencing`` or ``log_scope`` has another value.
        """
        from dynamo_es.dynamodb.emulator.emulator import Emulator
        from dynamo_es.dynamodb.tables.create import create_tables

        config = DynamoConfig(
            events_table="events",
            log_table="log",
            keys_table="keys",
            region="us-east-1",
            sequencing=sequencing,
            log_scope=log_scope,
            report_capacity=observer is not None,
        )
        emulator = Emulator()
        client = emulator.client(config)
        backend = cls(
            config,
            client=client,
            observer=observer,
            registry=registry,
            streams_client=emulator.streams_client(config),
        )
        backend._close = emulator.close
        backend._empty = emulator.empty
        emulator.put_tables(config, lambda: create_tables(client, config))
        backend._begin_log()
        return backend

    def prepare(self) -> None:
        """Create the client now instead of at the first request. It sends nothing.

        A Lambda function that calls it while its module is imported answers its first call faster.
        """
        self.sender()

    @property
    def client(self) -> DynamoDBClient:
        """A boto3 client for your own requests, over the store's connections.

        The client checks the parameters of a call before it sends anything, as boto3 does by
        default. If you gave the backend a client, this is that client.
        """
        return self._client.for_users()

    @property
    def streams_client(self) -> DynamoDBStreamsClient:
        """A boto3 client for your own requests to the table streams; otherwise like `client`."""
        return self._streams_client.for_users()

    @property
    def sequencer(self) -> StreamPoller:
        """A worker that gives the events of all processes their positions in the log.

        The worker polls the events table's stream. ``with backend.sequencer.in_background():``
        runs it in a thread, ``.run_forever(stop)`` until ``stop`` is set, ``.run_once()`` until no
        new events arrive. You do not need it if a Lambda function reads the stream, or with
        ``sequencing="inline"``.
        """
        from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
        from dynamo_es.dynamodb.table_stream.poller import StreamPoller

        return StreamPoller(
            self.config,
            self._client,
            self._streams_client,
            self.observer,
            memory=SequencerMemory(clock=self.clock),
        )

    def in_tenant(self, tenant_id: TenantId) -> Self:
        """Return a backend for that tenant over the same tables; this one does not change.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """
        scoped = super().in_tenant(tenant_id)
        # Only this backend may empty and close the emulator.
        scoped._close = scoped._empty = None  # noqa: SLF001
        return scoped

    def create_tables(self) -> None:
        """Create the tables of ``infra/event-store.yaml`` that do not exist, and wait for them.

        Calling it again changes nothing. With ``log_scope="tenant"`` it also marks the log table as
        one for logs of each tenant, which a session of one tenant may not do.

        Raises:
            ConfigurationError: a table with that name has another key, or its items expire by
                another attribute.
            LogScopeError: the log table was written with another ``log_scope``.
            ServiceError: AWS refused the request or did not answer.
        """
        from dynamo_es.dynamodb.tables.create import create_tables

        create_tables(self.client, self.config)
        self._forget_heads()
        self._begin_log()

    def _begin_log(self) -> None:
        if self.config.log_scope == "tenant":
            from dynamo_es.dynamodb.log.registry import reserve

            self._gateway.run("reserve", DEFAULT_TENANT, None, reserve(self.config.log_table))

    def clear(self) -> None:
        """Delete all data of the emulator of `local`, but keep its tables. Call it between tests.

        It takes less than a millisecond. Listeners and the choice of `with_outbox` stay. Make new
        workers (`sequencer`, projections) afterwards, because the old ones remember the old log.

        Raises:
            ConfigurationError: this backend does not come from `local`, or is limited to a tenant.
        """
        if self._empty is None:
            raise ConfigurationError(
                "clear() deletes the data of all tenants, so it works only on the backend that "
                "DynamoBackend.local() returned. Delete the streams or the tables instead."
            )
        self._empty()
        self._forget()
        self._typed.forget_keys()

    def _new_sender(self, client: LazyClient) -> Callable[[], DynamoDBClient]:
        return sender_of(self.config, client)

    def close(self) -> None:
        """Stop the emulator of `local`; a backend on AWS has nothing to close."""
        if self._close is not None:
            self._close()
            self._close = self._empty = None
