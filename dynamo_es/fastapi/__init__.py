"""Build a FastAPI application on the event store. Needs ``pip install 'dynamo_es[fastapi]'``.

::

    from typing import Annotated

    from fastapi import Depends, FastAPI, Header
    from pydantic import BaseModel

    from dynamo_es import Aggregate, DynamoBackend, Event
    from dynamo_es.fastapi import Aggregates, EventSourcing, command_responses, query_responses


    class Deposited(Event):
        __event_name__ = "account.deposited"
        cents: int


    class Account(Aggregate):
        category = "account"
        balance = 0

        def deposit(self, cents: int) -> None:
            self._emit(Deposited(cents=cents))

        def __apply__(self, event: Event) -> None:
            if isinstance(event, Deposited):
                self.balance += event.cents


    class Balance(BaseModel):
        cents: int
        version: int


    def tenant(x_tenant: Annotated[str, Header()]) -> str:
        return x_tenant  # In production, take it from a verified token.


    events = EventSourcing(DynamoBackend.local, tenant=tenant)  # on AWS: DynamoBackend.from_env
    app = FastAPI(lifespan=events.lifespan)
    events.install(app)

    Accounts = Annotated[Aggregates[Account], Depends(events.aggregates(Account))]


    @app.post("/accounts/{name}/deposits", responses=command_responses())
    def deposit(name: str, cents: int, accounts: Accounts) -> Balance:
        saved = accounts.transact(name, lambda account: account.deposit(cents))
        return Balance(cents=saved.aggregate.balance, version=saved.version)


    @app.get("/accounts/{name}", responses=query_responses())
    def balance(name: str, accounts: Accounts) -> Balance:
        account = accounts.load(name)
        return Balance(cents=account.balance, version=account.stored_version)

Write such endpoints with ``def``, not ``async def``: they wait for DynamoDB, so FastAPI must run
them in its threads. For ``async def`` endpoints, use `AsyncEventSourcing`, `AsyncAggregates` and
``AsyncDynamoBackend``, and await ``load`` and ``transact``.

| in HTTP | in the event store |
|---|---|
| ``ETag`` | generation and version of a stream |
| ``If-Match`` | expected version; 412 if the stream has another one |
| ``If-None-Match: *`` | the stream must not exist; 412 if it does |
| ``Idempotency-Key`` | id of the command; 422 if it was used with another request |
| 409 | `ConcurrentStreamWriteError` without ``If-Match``: others were faster at every attempt |
| 413 | `CommitTooLargeError` |
| 422 | a request that does not match the endpoint's schema, or data that cannot be stored |
| 503 with ``Retry-After`` | throttled, no answer, or `AppendOutcomeUnknownError` |
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from dynamo_es.exceptions import MissingExtraError

if find_spec("fastapi") is None:
    raise MissingExtraError("fastapi", "dynamo_es.fastapi")

from dynamo_es.fastapi.application import EventSourcing
from dynamo_es.fastapi.handlers import install_handlers, problem_response
from dynamo_es.fastapi.openapi import Responses, command_responses, query_responses
from dynamo_es.fastapi.sourcing import Tenant, idempotency_key, preconditions
from dynamo_es.http import (
    Aggregates,
    EntityTags,
    Preconditions,
    ProblemError,
    Saved,
    etag_of,
)

if TYPE_CHECKING:
    from dynamo_es.fastapi.async_application import AsyncEventSourcing
    from dynamo_es.http import AsyncAggregates
else:
    from dynamo_es.lazy import lazy_names

    # Loaded lazily: an application without asynchronous endpoints does not need them.
    __getattr__, __dir__ = lazy_names(
        __name__,
        {"AsyncAggregates": "dynamo_es.http", "AsyncEventSourcing": ".async_application"},
    )

__all__ = [
    "Aggregates",
    "AsyncAggregates",
    "AsyncEventSourcing",
    "EntityTags",
    "EventSourcing",
    "Preconditions",
    "ProblemError",
    "Responses",
    "Saved",
    "Tenant",
    "command_responses",
    "etag_of",
    "idempotency_key",
    "install_handlers",
    "preconditions",
    "problem_response",
    "query_responses",
]
