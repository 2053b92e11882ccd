"""Fixtures: the outbox state on each engine, and a log, a receiver and a clock around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dynamo_es.dynamodb.consumers.outbox import DynamoOutbox
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.memory.outbox import MemoryOutbox
from tests.engine import DynamoEngine
from tests.outbox.worlds import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynamo_es.contracts.consumers.outbox import OutboxStrategy
    from tests.engine import Engine


@pytest.fixture
def strategy(engine: Engine) -> Iterator[OutboxStrategy]:
    """The state of outboxes on an engine; tests keep apart by the outboxes' names."""
    if not isinstance(engine, DynamoEngine):
        yield MemoryOutbox()
        return
    config = engine.config_with()
    yield DynamoOutbox(config, Gateway(lambda: engine.client, config))


@pytest.fixture
def new_world(engine: Engine, strategy: OutboxStrategy) -> Callable[[], World]:
    """Make a world, when those before are not needed any more."""

    def make() -> World:
        return World(strategy)

    return make


@pytest.fixture
def world(strategy: OutboxStrategy) -> World:
    return World(strategy)


@pytest.fixture
def in_memory() -> World:
    """A world whose state is in memory, for what does not depend on the engine."""
    return World(MemoryOutbox())
