from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from dynamo_es import Backend, DynamoBackend, MemoryBackend
from tests.fastapi.bank import Bank, application
from tests.fastapi.client import TestClient

if TYPE_CHECKING:
    from collections.abc import Iterator

_numbers = count()


@pytest.fixture(scope="package", params=["memory", pytest.param("moto", marks=pytest.mark.ci)])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    with MemoryBackend() if request.param == "memory" else DynamoBackend.local() as backend:
        yield backend


@pytest.fixture(scope="package")
def shared_client(backend: Backend) -> Iterator[TestClient]:
    with TestClient(application(lambda: backend), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def bank(shared_client: TestClient, backend: Backend) -> Bank:
    """The application, with a tenant of the test's own."""
    return Bank(shared_client, backend, f"tenant {next(_numbers)}")
