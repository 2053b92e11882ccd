from __future__ import annotations

import pytest

from dynamo_es import EventStore, StreamId


@pytest.fixture
def backend(engine, world):
    """A process of its own on the engine."""
    return engine.fresh_process()


@pytest.fixture
def store(backend) -> EventStore:
    return backend.event_store


@pytest.fixture
def stream() -> StreamId:
    return StreamId(category="account")
