"""A lab for each probe, on the engine of the test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest

from dynamo_es.dynamodb.emulator.emulator import Emulator
from dynamo_es.dynamodb.wire.client import client_config
from tests.engine import DynamoEngine, MotoEngine
from tests.engines.lab import Lab

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def clients(engine: DynamoEngine) -> Iterator[tuple[object, object]]:
    """Of DynamoDB and DynamoDB Streams; moto's by the emulator that all tests on moto run on."""
    config = engine.config_with()
    if isinstance(engine, MotoEngine):
        with Emulator() as emulator:
            yield unchecked(emulator.client(config)), unchecked(emulator.streams_client(config))
    else:
        yield (
            unchecked(engine.client),
            boto3.client(
                "dynamodbstreams",
                region_name=config.region,
                endpoint_url=config.endpoint_url,
                config=client_config(config),
            ),
        )


def unchecked(client: Any) -> Any:
    """Return a client that leaves the checks of parameters to the engine."""
    serializer = vars(client)["_serializer"]
    twin = object.__new__(type(client))
    vars(twin).update(vars(client))
    vars(twin)["_serializer"] = getattr(serializer, "_serializer", serializer)
    return twin


@pytest.fixture
def lab(clients: tuple[object, object]) -> Iterator[Lab]:
    lab = Lab(*clients)
    yield lab
    lab.close()
