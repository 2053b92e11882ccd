"""`DynamoDBBackend`: a backend of python-event-sourcery that uses this library's strategies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, cast

from event_sourcery import TenantId, TransactionalBackend
from event_sourcery.backend import not_configured
from event_sourcery.in_transaction import Dispatcher
from event_sourcery.interfaces import (
    OutboxFiltererStrategy,
    OutboxStorageStrategy,
    StorageStrategy,
    SubscriptionStrategy,
)
from event_sourcery.outbox import no_filter

from dynamo_es.adapters.event_sourcery.config import DynamoDBConfig
from dynamo_es.adapters.event_sourcery.outbox import DynamoDBOutboxStorageStrategy
from dynamo_es.adapters.event_sourcery.storage import DynamoDBStorageStrategy
from dynamo_es.adapters.event_sourcery.subscriptions import DynamoDBSubscriptionStrategy
from dynamo_es.dynamodb.backend import DynamoBackend

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from dynamo_es.dynamodb.storage import DynamoStorage


class DynamoDBBackend(TransactionalBackend):
    """An event store on DynamoDB for applications of python-event-sourcery.

    ``backend[DynamoBackend]`` is the underlying store. A transaction never spans several appends,
    so in-transaction listeners run after the events are stored.
    """

    UNCONFIGURED_MESSAGE = "Configure backend with `.configure(client, config)`"

    def __init__(self) -> None:
        super().__init__()
        self[DynamoDBConfig] = not_configured(self.UNCONFIGURED_MESSAGE)
        self[DynamoBackend] = not_configured(self.UNCONFIGURED_MESSAGE)
        self[StorageStrategy] = lambda c: DynamoDBStorageStrategy(
            cast("DynamoStorage", c[DynamoBackend].storage),
            c[Dispatcher],
            c.get(OutboxFiltererStrategy),  # type: ignore[type-abstract]
        ).scoped_for_tenant(c[TenantId])
        self[SubscriptionStrategy] = lambda c: DynamoDBSubscriptionStrategy(
            _read_by(c[DynamoBackend], c[TenantId]).subscriptions
        )

    def configure(self, client: DynamoDBClient, config: DynamoDBConfig) -> Self:
        """Set the client and the tables, and return this backend. Call it before any use.

        Args:
            client: a boto3 client for DynamoDB; set its time-outs and retries yourself.
            config: names of the tables, and options.
        """
        self[DynamoDBConfig] = config
        self[DynamoBackend] = DynamoBackend(config.of_core(), client)
        return self

    def create_tables(self) -> None:
        """Create the missing tables, and wait until they are active.

        Raises:
            ConfigurationError: an existing table has other keys.
        """
        self[DynamoBackend].create_tables()

    def with_outbox(self, filterer: OutboxFiltererStrategy = no_filter) -> Self:
        """Choose the events that the outbox publishes from now on, and return this backend.

        Args:
            filterer: chooses the events; called with each event before it is stored. A second call
                replaces the filter. Events that were chosen before stay chosen.
        """
        self[OutboxFiltererStrategy] = filterer  # type: ignore[type-abstract]
        self[OutboxStorageStrategy] = lambda c: DynamoDBOutboxStorageStrategy(
            c[DynamoBackend].outbox, c[DynamoDBConfig].outbox_attempts
        )
        return self


def _read_by(backend: DynamoBackend, tenant_id: TenantId) -> DynamoBackend:
    """Return the backend for subscriptions: the tenant's if each tenant has its own log."""
    return backend.in_tenant(tenant_id) if backend.log.per_tenant else backend
