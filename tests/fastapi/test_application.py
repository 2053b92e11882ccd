"""The backend of an application: made once, closed at the end, found by every endpoint."""

# Without `from __future__ import annotations`: the endpoints' annotations name local objects.

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI

from dynamo_es import Aggregate, Backend, Event, MemoryBackend, Repository
from dynamo_es.exceptions import (
    AggregateDefinitionError,
    AsynchronousFunctionError,
    ConfigurationError,
    InputError,
)
from dynamo_es.fastapi import EventSourcing
from tests.fastapi.bank import Account, Bank, application
from tests.fastapi.client import TestClient


class Counted(MemoryBackend):
    made = 0
    closed = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).made += 1

    def close(self) -> None:
        type(self).closed += 1


@pytest.fixture
def counted() -> type[Counted]:
    return type("CountedHere", (Counted,), {})


def test_the_backend_is_made_once_and_closed_at_the_end(counted):
    app = application(counted)
    assert counted.made == 0
    with TestClient(app) as client:
        bank = Bank(client, MemoryBackend())
        bank.open("ann")
        assert bank.show("ann").status_code == 200
        assert (counted.made, counted.closed) == (1, 0)

    assert (counted.made, counted.closed) == (1, 1)


def test_an_application_that_starts_again_has_a_new_backend(counted):
    app = application(counted)
    for _ in range(2):
        with TestClient(app) as client:
            assert Bank(client, MemoryBackend()).open("ann").status_code == 201

    assert (counted.made, counted.closed) == (2, 2)


def test_applications_that_run_at_once_share_the_backend(counted):
    app = application(counted)
    with TestClient(app) as first, TestClient(app) as second:
        Bank(first, MemoryBackend()).open("ann")
        assert Bank(second, MemoryBackend()).show("ann").status_code == 200
        assert counted.made == 1

    assert counted.closed == 1


def test_the_last_application_that_ends_closes_the_backend(counted):
    app = application(counted)
    with TestClient(app) as first:
        with TestClient(app):
            Bank(first, MemoryBackend()).open("ann")
        assert counted.closed == 0
        assert Bank(first, MemoryBackend()).show("ann").status_code == 200

    assert counted.closed == 1


def test_the_backend_is_closed_if_the_application_fails(counted):
    events = EventSourcing(counted)

    async def fail() -> None:
        async with events.lifespan():
            raise ZeroDivisionError

    import anyio

    with pytest.raises(ZeroDivisionError):
        anyio.run(fail)
    assert (counted.made, counted.closed) == (1, 1)


def test_without_its_lifespan_an_application_says_what_is_missing():
    client = TestClient(application(MemoryBackend))

    with pytest.raises(ConfigurationError, match="lifespan=events"):
        Bank(client, MemoryBackend()).show("ann")


def test_a_test_can_replace_the_backend():
    events = EventSourcing(lambda: pytest.fail("not to be made"))
    app = FastAPI()
    backend = MemoryBackend()
    seen = []

    @app.get("/")
    def look(found: Annotated[Backend, Depends(events.backend)]) -> None:
        seen.append(found)

    app.dependency_overrides[events.backend] = lambda: backend
    TestClient(app).get("/")

    assert seen == [backend]


def test_what_is_not_a_backend_is_refused_at_the_start():
    with pytest.raises(ConfigurationError, match="must be a Backend, not int"):
        TestClient(application(lambda: 5)).__enter__()  # type: ignore[arg-type,return-value]


async def asynchronous() -> Any:
    """Return no backend."""


@pytest.mark.parametrize(
    ("make", "error"), [(MemoryBackend(), InputError), (asynchronous, AsynchronousFunctionError)]
)
def test_a_maker_that_cannot_be_called_is_refused_at_once(make, error):
    with pytest.raises(error, match="make_backend"):
        EventSourcing(make)


def test_wrong_settings_of_aggregates_are_refused_at_once():
    events = EventSourcing(MemoryBackend)

    with pytest.raises(InputError, match="every must be an integer"):
        events.aggregates(Account, every=0)
    with pytest.raises(AggregateDefinitionError, match="__snapshot__"):
        events.aggregates(Account, every=10)


def the_tenant_of(tenant: Callable[..., Any] | None) -> TestClient:
    events = EventSourcing(MemoryBackend, tenant=tenant)
    app = FastAPI(lifespan=events.lifespan)
    events.install(app)

    @app.get("/{place}")  # noqa: FAST003 - for the tenant function
    def look(
        store: Annotated[Any, Depends(events.event_store)],
        scoped: Annotated[Backend, Depends(events.tenant_backend)],
    ) -> list[str]:
        return [store.tenant_id, scoped.event_store.tenant_id, *scoped.log.tenants()]

    return TestClient(app, raise_server_exceptions=False)


def test_without_a_tenant_function_it_is_the_default_tenant():
    with the_tenant_of(None) as client:
        assert client.get("/x").json() == ["", "", ""]


def test_a_tenant_can_be_part_of_the_path():
    with the_tenant_of(lambda place: place) as client:
        assert client.get("/acme").json() == ["acme", "acme", "acme"]


def test_a_tenant_function_can_be_asynchronous():
    async def tenant() -> str:
        return "acme"

    with the_tenant_of(tenant) as client:
        assert client.get("/x").json() == ["acme", "acme", "acme"]


def test_an_empty_tenant_never_reaches_the_default_tenant():
    with the_tenant_of(lambda: "") as client:
        assert client.get("/x").status_code == 400


def test_a_tenant_that_is_not_text_is_the_fault_of_the_application():
    with the_tenant_of(lambda: None) as client:
        assert client.get("/x").status_code == 500


def test_a_factory_and_its_settings_reach_the_repository():
    class Counter(Aggregate):
        category = "counter"

        def __apply__(self, event: Event) -> None: ...

    events = EventSourcing(MemoryBackend)
    app = FastAPI(lifespan=events.lifespan)

    @app.get("/")
    def look(found: Annotated[Any, Depends(events.aggregates(partial(Counter)))]) -> bool:
        return isinstance(found.repository, Repository) and found.idempotency_key is None

    events.install(app)
    with TestClient(app) as client:
        assert client.get("/").json() is True


def test_an_application_that_would_not_answer_errors_does_not_start():
    app = FastAPI(lifespan=EventSourcing(lambda: pytest.fail("not to be made")).lifespan)

    with pytest.raises(ConfigurationError, match=r"call events\.install\(app\)"):
        TestClient(app).__enter__()


def test_a_missing_extra_is_named():
    program = (
        "import sys; sys.modules['fastapi'] = None\n"
        "from dynamo_es.exceptions import MissingExtraError\n"
        "try:\n    import dynamo_es.fastapi\n"
        "except MissingExtraError as error: print(error.extra)"
    )

    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == "fastapi\n"
