"""Runs each test on this library's backend, and on theirs in memory to prove the test itself.

Tests of behaviour that only this library has (or that theirs has in SQL but not in memory) are
marked ``ours``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from event_sourcery.backend import InMemoryBackend

from dynamo_es.adapters.event_sourcery import DynamoDBBackend, DynamoDBConfig
from dynamo_es.dynamodb.tables.create import delete_tables
from tests.engine import DynamoEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from event_sourcery import TransactionalBackend
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef

    from tests.engine import Engine


@pytest.fixture(scope="session")
def config() -> DynamoDBConfig:
    """Tables that no other session, and no other process of this one, has."""
    prefix = f"adapter-{uuid4().hex}"
    return DynamoDBConfig(
        events_table=f"{prefix}-events", log_table=f"{prefix}-log", keys_table=f"{prefix}-keys"
    )


@pytest.fixture(scope="session")
def tables(engine: Engine, config: DynamoDBConfig) -> Iterator[DynamoDBClient]:
    """A client for the tables; made once, which takes longer than most tests."""
    assert isinstance(engine, DynamoEngine)
    DynamoDBBackend().configure(engine.client, config).create_tables()
    yield engine.client
    delete_tables(engine.client, config.of_core())


@pytest.fixture
def client(tables: DynamoDBClient, config: DynamoDBConfig) -> Iterator[DynamoDBClient]:
    """A client for empty tables."""
    yield tables
    for table, keys in (
        (config.events_table, "stream_key, version"),
        (config.log_table, "log_key, place"),
        (config.keys_table, "tenant, subject"),
    ):
        while items := tables.scan(TableName=table, ProjectionExpression=keys, Limit=25)["Items"]:
            deletes: list[WriteRequestTypeDef] = [{"DeleteRequest": {"Key": key}} for key in items]
            tables.batch_write_item(RequestItems={table: deletes})


@pytest.fixture
def backend(
    engine: Engine, config: DynamoDBConfig, request: pytest.FixtureRequest
) -> TransactionalBackend:
    """A backend without events."""
    if not isinstance(engine, DynamoEngine):
        return InMemoryBackend().configure()
    return DynamoDBBackend().configure(request.getfixturevalue("client"), config)


@pytest.fixture
def another(
    backend: TransactionalBackend, config: DynamoDBConfig, request: pytest.FixtureRequest
) -> TransactionalBackend:
    """The backend of another process, over the same tables."""
    if not isinstance(backend, DynamoDBBackend):
        return backend
    return DynamoDBBackend().configure(request.getfixturevalue("client"), config)
