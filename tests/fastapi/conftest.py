from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from dynamo_es import Backend, DynamoBackend, MemoryBackend
from dynamo_es.aio import AsyncBackend, AsyncDynamoBackend, AsyncMemoryBackend
from dynamo_es.memory import MemoryStorage
from tests.fastapi.bank import Bank, application, async_application
from tests.fastapi.client import TestClient

if TYPE_CHECKING:
    from collections.abc import Iterator

_numbers = count()


@pytest.fixture(scope="package", params=["memory", pytest.param("moto", marks=pytest.mark.ci)])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    with MemoryBackend() if request.param == "memory" else DynamoBackend.local() as backend:
        yield backend


def another(backend: Backend) -> Backend:
    """Return a backend over the same events, which the application may close."""
    if isinstance(backend, DynamoBackend):
        return DynamoBackend(backend.config, client=backend.client)
    return backend


def over(backend: Backend) -> AsyncBackend:
    """Return an asynchronous backend over the same events."""
    if isinstance(backend, DynamoBackend):
        return AsyncDynamoBackend(backend.config, client=backend.client)
    storage: Any = backend.storage
    return AsyncMemoryBackend(MemoryStorage(shared=storage.data))


@pytest.fixture(scope="package", params=["def", pytest.param("async def", marks=pytest.mark.ci)])
def shared_client(backend: Backend, request: pytest.FixtureRequest) -> Iterator[TestClient]:
    if request.param == "def":
        app = application(lambda: another(backend))
    else:
        app = async_application(lambda: over(backend))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def bank(shared_client: TestClient, backend: Backend) -> Bank:
    """The application, with a tenant of the test's own."""
    return Bank(shared_client, backend, f"tenant {next(_numbers)}")
