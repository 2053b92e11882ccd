"""Other writers are faster: 409, or 412 for a request that names a version."""

# Without `from __future__ import annotations`: the endpoints' annotations name local objects.

from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI

from dynamo_es import ANY_VERSION, EventStore, MemoryBackend, StreamId
from dynamo_es.fastapi import Aggregates, EventSourcing
from tests.fastapi.bank import Account, Deposited
from tests.fastapi.client import TestClient

ANN = StreamId(name="ann", category="bank")


@pytest.fixture
def backend():
    return MemoryBackend()


@pytest.fixture
def client(backend):
    """An application in which another writer appends before each save."""
    events = EventSourcing(lambda: backend)
    app = FastAPI(lifespan=events.lifespan)
    events.install(app)
    accounts_of_request = events.aggregates(Account, retry_for=0)

    @app.post("/{name}")
    def deposit(
        name: str,
        accounts: Annotated[Aggregates[Account], Depends(accounts_of_request)],
        store: Annotated[EventStore, Depends(events.event_store)],
    ) -> int:
        def decide(account: Account) -> None:
            account.deposit(5)
            store.append(Deposited(cents=1), stream_id=ANN, expected_version=ANY_VERSION)

        return accounts.transact(name, decide).version

    with TestClient(app) as client:
        yield client


def deposits(backend: Any) -> list[int]:
    return [one.event.cents for one in backend.event_store.load_stream(ANN)]


def test_a_race_without_a_condition_is_a_conflict(client, backend):
    backend.event_store.append(Deposited(cents=1), stream_id=ANN)

    reply = client.post("/ann")

    assert reply.status_code == 409
    assert (reply.json()["expected"], reply.json()["actual"]) == (1, 2)
    assert deposits(backend) == [1, 1]


def test_a_race_on_the_version_that_the_request_names_is_a_failed_condition(client, backend):
    backend.event_store.append(Deposited(cents=1), stream_id=ANN)
    version = backend.event_store.version(ANN)

    reply = client.post("/ann", headers={"if-match": f'"{version.generation}-{version}"'})

    assert reply.status_code == 412
    assert (reply.json()["expected"], reply.json()["actual"]) == (1, 2)
    assert deposits(backend) == [1, 1]


def test_a_race_on_creation_is_a_conflict_of_version_0(client, backend):
    reply = client.post("/ann")

    assert reply.status_code == 409
    assert (reply.json()["expected"], reply.json()["actual"]) == (0, 1)
    assert deposits(backend) == [1]
