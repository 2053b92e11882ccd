"""Browsers of the tests: over a memory backend and over the emulator, asked without a socket."""

from __future__ import annotations

import os
import re
import warnings
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from dynamo_es import ANY_VERSION, DynamoBackend, MemoryBackend, RawEvent, StreamId
from dynamo_es.dynamodb.tables.create import delete_tables
from dynamo_es.ui import create_app, observe

with warnings.catch_warnings():
    # starlette asks for another client than the one that it has taken until now.
    warnings.filterwarnings("ignore", message="Using `httpx` with")
    from starlette.testclient import TestClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamo_es.facade.backend import Backend

__all__ = ["NOON", "TestClient", "append", "browse", "costs_of", "raw"]

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


def costs_of(page: Any) -> int:
    """The requests that a page says it cost."""
    found = re.search(r"This page cost ([\d,]+) request", page.text)
    assert found is not None
    return int(found[1].replace(",", ""))


@pytest.fixture
def memory() -> MemoryBackend:
    return MemoryBackend()


@pytest.fixture(scope="session")
def _emulator() -> Iterator[DynamoBackend]:
    with DynamoBackend.local(observe) as backend:
        yield backend


@pytest.fixture
def dynamo(_emulator: DynamoBackend) -> DynamoBackend:
    """An empty backend on the emulator, which reports costs."""
    delete_tables(_emulator.client, _emulator.config)
    backend = DynamoBackend(_emulator.config, client=_emulator.client, observer=observe)
    backend.create_tables()
    return backend


@pytest.fixture(params=["memory", pytest.param("moto", marks=pytest.mark.ci)])
def backend(request: pytest.FixtureRequest) -> Backend:
    """An empty backend: in memory, and on the emulator."""
    if request.param == "memory":
        return MemoryBackend()
    backend: Backend = request.getfixturevalue("dynamo")
    return backend
