"""Browsers of the tests: over a memory backend and over the emulator, asked without a socket."""

from __future__ import annotations

import os
import warnings
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from dynamo_es import ANY_VERSION, DynamoBackend, MemoryBackend, RawEvent, StreamId
from dynamo_es.ui import create_app, observe

with warnings.catch_warnings():
    # starlette asks for another client than the one that it has taken until now.
    warnings.filterwarnings("ignore", message="Using `httpx` with")
    from starlette.testclient import TestClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamo_es.facade.backend import Backend

__all__ = ["TestClient", "append", "browse", "raw"]

# They need Chromium: scripts/browser runs them.
collect_ignore = [] if os.environ.get("DYNAMO_ES_BROWSER_TESTS") else ["browser"]

HOST = "http://localhost"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def raw(
    stream: StreamId, number: int, name: str = "Deposited", data: Any = None, **context: Any
) -> RawEvent:
    """An event whose id and time follow from its number."""
    return RawEvent(
        UUID(int=(stream.int & ~0xFFFFFFFF) + number),
        stream,
        NOON + timedelta(minutes=number),
        name,
        {"amount": number} if data is None else data,
        context,
    )


def append(backend: Backend, *events: RawEvent) -> None:
    """Append events to their stream as one commit."""
    backend.storage.insert_events(events[0].stream_id, ANY_VERSION, list(events))


def browse(backend: Backend, **options: Any) -> TestClient:
    """A client of the browser of a backend."""
    return TestClient(create_app(backend, **options), base_url=HOST, follow_redirects=False)


@pytest.fixture
def memory() -> MemoryBackend:
    return MemoryBackend()


@pytest.fixture(params=["memory", "moto"])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """An empty backend: in memory, and on the emulator, where all tests share the tables."""
    if request.param == "memory":
        yield MemoryBackend()
        return
    with DynamoBackend.local(observe) as backend:
        yield backend


@pytest.fixture
def dynamo() -> Iterator[DynamoBackend]:
    """An empty backend on the emulator, which reports costs."""
    with DynamoBackend.local(observe) as backend:
        yield backend
