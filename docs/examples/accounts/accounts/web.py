"""The HTTP API as an ASGI application, on `dynamo_es.fastapi`: for a server of your own.

``uvicorn --factory accounts.web:from_env`` runs it on the tables that the environment names.
"""

# Without `from __future__ import annotations`: the endpoints' annotations name local objects.

import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import Annotated

from fastapi import Depends, FastAPI, Header, Request, Response

from accounts.domain import Account, RefusedError
from accounts.page import HEADERS, page
from accounts.read_model import ReadModel
from accounts.requests import (
    MOST_BYTES,
    AccountName,
    Activity,
    Balance,
    Command,
    Deposit,
    Done,
    Entry,
    Name,
    Open,
    Withdraw,
    correlation_id_of,
    too_large,
)
from dynamo_es import Context, DynamoBackend
from dynamo_es.fastapi import (
    Aggregates,
    EventSourcing,
    ProblemError,
    command_responses,
    problem_response,
)


def from_env() -> FastAPI:
    """Return the application on the tables that the environment names."""
    backend = DynamoBackend.from_env()
    return create_app(backend, ReadModel(backend.client, os.environ["READ_MODEL_TABLE"]))


def tenant_of(x_tenant: Annotated[Name | None, Header()] = None) -> str:
    """Return the tenant of a request. In production, take it from a token that you checked."""
    if x_tenant is None:
        raise ProblemError(401, "Give the header x-tenant.")
    return x_tenant


def create_app(
    backend: DynamoBackend,
    read_model: ReadModel,
    worker: AbstractContextManager[object] | None = None,
) -> FastAPI:
    """Return the application.

    Args:
        backend: the event store of all tenants; closed when the application ends.
        read_model: the table that the queries read.
        worker: runs as long as the application does, such as a projection in the background.
    """
    events = EventSourcing(lambda: backend, tenant=tenant_of)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        async with events.lifespan(app):
            with nullcontext() if worker is None else worker:
                yield

    app = FastAPI(title="Accounts", lifespan=lifespan)
    events.install(app)
    app.middleware("http")(_accompany)
    _add_commands(app, events)
    _add_queries(app, read_model)
    app.add_exception_handler(RefusedError, _refuse)
    return app


def _add_commands(app: FastAPI, events: EventSourcing) -> None:
    Accounts = Annotated[Aggregates[Account], Depends(events.aggregates(Account))]  # noqa: N806

    def carry_out(
        request: Request, accounts: Aggregates[Account], account: str, command: Command
    ) -> Done:
        # Decides again if another request was faster, so no caller has to try again.
        context = Context(correlation_id=request.state.correlation_id)
        saved = accounts.transact(account, command.decide, context=context)
        return Done(balance=saved.aggregate.balance, version=saved.version)

    @app.post("/accounts/{account}/open", status_code=202, responses=command_responses(202))
    def open_(request: Request, account: AccountName, command: Open, accounts: Accounts) -> Done:
        return carry_out(request, accounts, account, command)

    @app.post("/accounts/{account}/deposit", status_code=202, responses=command_responses(202))
    def deposit(
        request: Request, account: AccountName, command: Deposit, accounts: Accounts
    ) -> Done:
        return carry_out(request, accounts, account, command)

    @app.post("/accounts/{account}/withdraw", status_code=202, responses=command_responses(202))
    def withdraw(
        request: Request, account: AccountName, command: Withdraw, accounts: Accounts
    ) -> Done:
        return carry_out(request, accounts, account, command)


def _add_queries(app: FastAPI, read_model: ReadModel) -> None:
    Tenant = Annotated[str, Depends(tenant_of)]  # noqa: N806

    @app.get("/accounts/{account}")
    def balance(account: AccountName, tenant: Tenant, response: Response) -> Balance:
        found = read_model.balance(tenant, account)
        if found is None:
            raise ProblemError(404, "There is no such account (yet).")
        response.headers["ETag"] = found.etag
        return found

    @app.get("/accounts/{account}/statement")
    def statement(account: AccountName, tenant: Tenant) -> list[Entry]:
        entries = read_model.statement(tenant, account)
        if entries is None:
            raise ProblemError(404, "There is no such account (yet).")
        return entries

    @app.get("/activity")
    def activity(tenant: Tenant) -> list[Activity]:
        return read_model.activity(tenant)

    @app.get("/", include_in_schema=False)
    def index() -> Response:
        return Response(page("tenant"), headers=HEADERS)


async def _accompany(
    request: Request, answer: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Give a request its correlation id, and refuse a body that is too large."""
    correlation_id = correlation_id_of(request.headers.get("x-correlation-id"))
    request.state.correlation_id = correlation_id
    length = request.headers.get("content-length", "0")
    if "transfer-encoding" in request.headers:  # uvicorn knows its length only at its end
        response = problem_response(ProblemError(411, "Send a Content-Length."))
    elif not length.isdecimal() or int(length) > MOST_BYTES:
        response = problem_response(too_large())
    else:
        response = await answer(request)
    response.headers["X-Correlation-Id"] = correlation_id
    return response


def _refuse(_request: Request, error: Exception) -> Response:
    return problem_response(ProblemError(409, str(error)))
