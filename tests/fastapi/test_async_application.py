"""An application whose endpoints are coroutines, over the asynchronous backend.

Its replies are those of the other one: the tests of this package run on both.
"""

# Without `from __future__ import annotations`: the endpoints' annotations name local objects.

import asyncio
import subprocess
import sys
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI

from dynamo_es import MemoryBackend
from dynamo_es.aio import AsyncDynamoBackend, AsyncMemoryBackend, AsyncRepository
from dynamo_es.exceptions import (
    AsynchronousFunctionError,
    ConfigurationError,
    InputError,
)
from dynamo_es.fastapi import AsyncAggregates, AsyncEventSourcing
from dynamo_es.http.preconditions import NO_CONDITIONS
from tests.fastapi.bank import Account, Bank, application, async_application
from tests.fastapi.client import TestClient


class Counted(AsyncMemoryBackend):
    """Notes what is done with it."""

    done: list[str]

    async def prepare(self) -> None:
        self.done.append("prepared")

    async def close(self) -> None:
        self.done.append("closed")
        await super().close()


@pytest.fixture
def done() -> list[str]:
    return []


@pytest.fixture
def events(done: list[str]) -> AsyncEventSourcing:
    def make() -> AsyncMemoryBackend:
        done.append("made")
        Counted.done = done
        return Counted()

    return AsyncEventSourcing(make)


def test_its_interface_is_that_of_the_other_one():
    described = async_application(AsyncMemoryBackend).openapi()
    assert described == application(MemoryBackend).openapi()


def test_a_command_is_decided_by_a_coroutine():
    with TestClient(async_application(AsyncMemoryBackend)) as client:
        bank = Bank(client, MemoryBackend())
        assert bank.open("ann").json()["words"] == "Welcome, Ann."
        assert bank.deposit("ann", 5).headers["etag"] == bank.show("ann").headers["etag"]


def test_the_backend_is_made_prepared_and_closed_once(events, done):
    async def run() -> None:
        async with events.lifespan(), events.lifespan():
            assert await events.backend() is await events.backend()
        assert done == ["made", "prepared", "prepared", "closed"]

    asyncio.run(run())


@pytest.mark.parametrize("error", [ZeroDivisionError, asyncio.CancelledError])
def test_the_backend_is_closed_if_the_application_fails(events, done, error):
    async def fail() -> None:
        async with events.lifespan():
            raise error

    with pytest.raises(error):
        asyncio.run(fail())
    assert done[-1] == "closed"


def test_the_backend_is_closed_if_it_cannot_be_prepared(events, done, monkeypatch):
    async def fail(_: object) -> None:
        raise LookupError

    monkeypatch.setattr(Counted, "prepare", fail)

    async def start() -> None:
        async with events.lifespan():
            pytest.fail("it starts")

    with pytest.raises(LookupError):
        asyncio.run(start())
    assert done == ["made", "closed"]


def test_a_backend_of_the_other_kind_is_refused_at_the_start():
    with pytest.raises(ConfigurationError, match="must be an AsyncBackend, not MemoryBackend"):
        TestClient(async_application(MemoryBackend)).__enter__()  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="must be a Backend, not AsyncMemoryBackend"):
        TestClient(application(AsyncMemoryBackend)).__enter__()  # type: ignore[arg-type]


async def asynchronous() -> Any:
    """Return no backend."""


@pytest.mark.parametrize(
    ("make", "error"), [(5, InputError), (asynchronous, AsynchronousFunctionError)]
)
def test_a_maker_that_cannot_be_called_is_refused_at_once(make, error):
    with pytest.raises(error, match="make_backend"):
        AsyncEventSourcing(make)


def test_wrong_settings_of_aggregates_are_refused_at_once(events):
    with pytest.raises(InputError, match="every must be an integer"):
        events.aggregates(Account, every=0)


def test_aggregates_of_a_request_have_its_headers():
    async def use() -> dict[str, str]:
        async with AsyncMemoryBackend() as backend:
            accounts = AsyncRepository(backend.event_store, Account)
            found = AsyncAggregates.of_request(accounts, {"idempotency-key": "k-1"})
            assert found.idempotency_key == "k-1"
            assert found.preconditions is not NO_CONDITIONS
            assert found.repository is accounts
            await found.transact("ann", lambda account: account.open("Ann"))
            return found.headers

    assert asyncio.run(use()).keys() == {"ETag"}


def test_a_test_can_replace_the_backend():
    events = AsyncEventSourcing(lambda: pytest.fail("not to be made"))
    app = FastAPI()
    backend = AsyncMemoryBackend()

    @app.get("/")
    async def look(found: Annotated[Any, Depends(events.tenant_backend)]) -> str:
        return str(type(found).__name__)

    app.dependency_overrides[events.backend] = lambda: backend
    assert TestClient(app).get("/").json() == "AsyncMemoryBackend"


@pytest.mark.ci
def test_an_application_without_coroutines_loads_nothing_of_asyncio():
    program = (
        "import sys, dynamo_es.fastapi, dynamo_es.http\n"
        "print([name for name in sys.modules if name.startswith('dynamo_es.aio')])"
    )
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.ci
def test_it_runs_on_the_emulator():
    with TestClient(async_application(AsyncDynamoBackend.local)) as client:
        bank = Bank(client, MemoryBackend())
        assert bank.open("ann").status_code == 201
        assert bank.deposit("ann", 5).json() == {"cents": 5, "version": 2}
