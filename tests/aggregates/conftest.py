from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from dynamo_es import EventStore


@pytest.fixture
def backend(engine, world):
    """A process of its own on the engine."""
    return engine.fresh_process()


@pytest.fixture
def store(backend) -> EventStore:
    return backend.event_store


@pytest.fixture
def ann() -> str:
    """The name of an account that no other test has."""
    return f"account/ann/{uuid4()}"
