"""A small application on `dynamo_es.fastapi`."""

# Without `from __future__ import annotations`: the endpoints' annotations name local objects.

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Request, Response
from pydantic import BaseModel, StrictInt

from dynamo_es import Aggregate, Backend, Event, EventStore, StreamId
from dynamo_es.aio import AsyncBackend, AsyncEventStore
from dynamo_es.fastapi import (
    Aggregates,
    AsyncAggregates,
    AsyncEventSourcing,
    EventSourcing,
    Preconditions,
    ProblemError,
    command_responses,
    preconditions,
    problem_response,
    query_responses,
)
from tests.fastapi.client import TestClient


class Opened(Event):
    __event_name__ = "bank.opened"
    owner: str


class Deposited(Event):
    __event_name__ = "bank.deposited"
    cents: int


class RefusedError(Exception):
    pass


class Account(Aggregate):
    category = "bank"
    owner: str | None = None
    balance = 0

    def open(self, owner: str) -> str:
        if self.owner is not None:
            raise RefusedError
        self._emit(Opened(owner=owner))
        return f"Welcome, {owner}."

    def deposit(self, cents: int) -> None:
        if cents:
            self._emit(Deposited(cents=cents))

    def __apply__(self, event: Event) -> None:
        match event:
            case Opened(owner=owner):
                self.owner = owner
            case Deposited(cents=cents):
                self.balance += cents


class Owner(BaseModel):
    owner: str


class Amount(BaseModel):
    cents: StrictInt


class State(BaseModel):
    cents: int
    version: int


def tenant(x_tenant: Annotated[str, Header()]) -> str:
    return x_tenant


def application(make_backend: Callable[[], Backend], **options: Any) -> FastAPI:
    events = EventSourcing(make_backend, tenant=tenant)
    app = FastAPI(lifespan=events.lifespan)
    events.install(app)

    @app.exception_handler(RefusedError)
    def refuse(_request: Request, _error: RefusedError) -> Response:
        return problem_response(ProblemError(409, "The rules do not allow it."))

    Accounts = Annotated[Aggregates[Account], Depends(events.aggregates(Account, **options))]  # noqa: N806 - a type

    @app.post("/accounts/{name}", status_code=201, responses=command_responses(201))
    def open_(name: str, body: Owner, accounts: Accounts) -> dict[str, Any]:
        saved = accounts.transact(name, lambda account: account.open(body.owner))
        return {"words": saved.result, "version": saved.version, "etag": saved.etag}

    @app.post("/accounts/{name}/deposits", responses=command_responses())
    def deposit(name: str, body: Amount, accounts: Accounts) -> State:
        saved = accounts.transact(name, lambda one: one.deposit(body.cents), must_exist=True)
        return State(cents=saved.aggregate.balance, version=saved.version)

    @app.get("/accounts/{name}", responses=query_responses())
    def show(name: str, accounts: Accounts) -> State:
        account = accounts.load(name)
        return State(cents=account.balance, version=account.stored_version)

    @app.post("/raw/{name}")
    def append(
        name: str,
        body: Amount,
        store: Annotated[EventStore, Depends(events.event_store)],
        conditions: Annotated[Preconditions, Depends(preconditions)],
    ) -> int | None:
        stream = StreamId(name=name, category="bank")
        version = conditions.check(store.version(stream))
        return store.append(Deposited(cents=body.cents), stream_id=stream, expected_version=version)

    return app


def async_application(make_backend: Callable[[], AsyncBackend], **options: Any) -> FastAPI:
    """Return the application whose endpoints are coroutines."""
    events = AsyncEventSourcing(make_backend, tenant=tenant)
    app = FastAPI(lifespan=events.lifespan)
    events.install(app)

    @app.exception_handler(RefusedError)
    def refuse(_request: Request, _error: RefusedError) -> Response:
        return problem_response(ProblemError(409, "The rules do not allow it."))

    Accounts = Annotated[  # noqa: N806 - a type
        AsyncAggregates[Account], Depends(events.aggregates(Account, **options))
    ]

    @app.post("/accounts/{name}", status_code=201, responses=command_responses(201))
    async def open_(name: str, body: Owner, accounts: Accounts) -> dict[str, Any]:
        async def decide(account: Account) -> str:
            return account.open(body.owner)

        saved = await accounts.transact(name, decide)
        return {"words": saved.result, "version": saved.version, "etag": saved.etag}

    @app.post("/accounts/{name}/deposits", responses=command_responses())
    async def deposit(name: str, body: Amount, accounts: Accounts) -> State:
        saved = await accounts.transact(name, lambda one: one.deposit(body.cents), must_exist=True)
        return State(cents=saved.aggregate.balance, version=saved.version)

    @app.get("/accounts/{name}", responses=query_responses())
    async def show(name: str, accounts: Accounts) -> State:
        account = await accounts.load(name)
        return State(cents=account.balance, version=account.stored_version)

    @app.post("/raw/{name}")
    async def append(
        name: str,
        body: Amount,
        store: Annotated[AsyncEventStore, Depends(events.event_store)],
        conditions: Annotated[Preconditions, Depends(preconditions)],
    ) -> int | None:
        stream = StreamId(name=name, category="bank")
        version = conditions.check(await store.version(stream))
        return await store.append(
            Deposited(cents=body.cents), stream_id=stream, expected_version=version
        )

    return app


@dataclass
class Bank:
    """The application, its client and its store."""

    client: TestClient
    backend: Backend
    tenant: str = "acme"

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        given = {"x-tenant": self.tenant} | named
        return self.client.request(method, path, json=body, headers=given)

    def open(self, name: str, owner: str = "Ann", **headers: str) -> Any:
        return self.send("POST", f"/accounts/{name}", {"owner": owner}, **headers)

    def deposit(self, name: str, cents: Any, **headers: str) -> Any:
        return self.send("POST", f"/accounts/{name}/deposits", {"cents": cents}, **headers)

    def show(self, name: str, **headers: str) -> Any:
        return self.send("GET", f"/accounts/{name}", **headers)

    @property
    def store(self) -> EventStore:
        return self.backend.in_tenant(self.tenant).event_store

    def stream(self, name: str) -> StreamId:
        return StreamId(name=name, category="bank")

    def stored(self, name: str) -> list[Event]:
        return [one.event for one in self.store.load_stream(self.stream(name), 1)]
