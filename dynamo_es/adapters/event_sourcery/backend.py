"""The backend: what their container holds, on ours."""

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

    ``backend[DynamoBackend]`` is the store underneath. There are no transactions of several
    appends: in-transaction listeners are told when the events are stored for good.
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
            c[DynamoBackend].subscriptions
        )

    def configure(self, client: DynamoDBClient, config: DynamoDBConfig) -> Self:
        """Set where the events are, and return this backend. To be called before it is used.

        Args:
            client: a boto3 client for DynamoDB; its time-outs and retries are yours to set.
            config: names of the tables, and what else may be chosen.
        """
        self[DynamoDBConfig] = config
        self[DynamoBackend] = DynamoBackend(config.of_core(), client)
        return self

    def create_tables(self) -> None:
        """Make the tables that are not there, and wait until they can be used.

        Raises:
            ConfigurationError: a table of that name has other keys.
        """
        self[DynamoBackend].create_tables()

    def with_outbox(self, filterer: OutboxFiltererStrategy = no_filter) -> Self:
        """Have events published that are appended from now on, and return this backend.

        Args:
            filterer: which; asked about each event before it is stored. Calling this again
                replaces it, and keeps what was chosen before.
        """
        self[OutboxFiltererStrategy] = filterer  # type: ignore[type-abstract]
        self[OutboxStorageStrategy] = lambda c: DynamoDBOutboxStorageStrategy(
            c[DynamoBackend].outbox, c[DynamoDBConfig].outbox_attempts
        )
        return self
