"""Empty tables on the local engine."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from benchmarks.engine import turn_off_streams
from dynamo_es import DynamoBackend, DynamoConfig
from dynamo_es.dynamodb.tables.create import delete_tables
from dynamo_es.dynamodb.wire.client import make_client
from tests.grafting import chosen_transport
from tests.linearizability.emulated import Emulated

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def fresh_tables(endpoint: str) -> Iterator[DynamoConfig]:
    """Make the store's tables, and delete them in the end."""
    prefix = f"linearizability-{uuid4().hex}"
    config = DynamoConfig(
        events_table=f"{prefix}-events",
        log_table=f"{prefix}-log",
        keys_table=f"{prefix}-keys",
        endpoint_url=endpoint,
        region="us-east-1",
        transport=chosen_transport(),
    )
    client = make_client(config)
    DynamoBackend(config, client).create_tables()
    turn_off_streams(client, config)
    try:
        yield config
    finally:
        delete_tables(client, config)


@contextmanager
def events_table(config: DynamoConfig) -> Iterator[Emulated]:
    """Make one more events table, in which nothing expires: a scheduler's time is long past."""
    client = make_client(config)
    table = f"race-{uuid4().hex}"
    client.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "stream_key", "AttributeType": "S"},
            {"AttributeName": "version", "AttributeType": "N"},
        ],
        KeySchema=[
            {"AttributeName": "stream_key", "KeyType": "HASH"},
            {"AttributeName": "version", "KeyType": "RANGE"},
        ],
    )
    try:
        yield Emulated(client, table)
    finally:
        client.delete_table(TableName=table)
