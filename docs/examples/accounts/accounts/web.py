"""The HTTP API as an ASGI application, on `dynamo_es.fastapi`: for a server of your own.

``uvicorn --factory accounts.web:from_env`` runs it on the tables that the environment names.
"""

# Without `from __future__ import annotations`: the endpoints' annotations name local objects.

import os
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.responses import FileResponse

from accounts.domain import Account, RefusedError
from accounts.read_model import ReadModel
from accounts.requests import (
    AccountName,
    Activity,
    Balance,
    Command,
    Deposit,
    Done,
    Name,
    Open,
    Withdraw,
)
from dynamo_es import DynamoBackend
from dynamo_es.fastapi import (
    Aggregates,
    EventSourcing,
    ProblemError,
    command_responses,
    problem_response,
)

PAGE = FilePath(__file__).parents[1] / "page.html"


def from_env() -> FastAPI:
    """Return the application on the tables that the environment names."""
    backend = DynamoBackend.from_env()
    return create_app(backend, ReadModel(backend.client, os.environ["ACCOUNTS_READ_MODEL_TABLE"]))


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
    _add_commands(app, events)
    _add_queries(app, read_model)
    app.add_exception_handler(RefusedError, _refuse)
    return app


def _add_commands(app: FastAPI, events: EventSourcing) -> None:
    Accounts = Annotated[Aggregates[Account], Depends(events.aggregates(Account))]  # noqa: N806

    def carry_out(accounts: Aggregates[Account], account: str, command: Command) -> Done:
        # Decides again if another request was faster, so no caller has to try again.
        saved = accounts.transact(account, command.decide)
        return Done(balance=saved.aggregate.balance, version=saved.version)

    @app.post("/accounts/{account}/open", status_code=202, responses=command_responses(202))
    def open_(account: AccountName, command: Open, accounts: Accounts) -> Done:
        return carry_out(accounts, account, command)

    @app.post("/accounts/{account}/deposit", status_code=202, responses=command_responses(202))
    def deposit(account: AccountName, command: Deposit, accounts: Accounts) -> Done:
        return carry_out(accounts, account, command)

    @app.post("/accounts/{account}/withdraw", status_code=202, responses=command_responses(202))
    def withdraw(account: AccountName, command: Withdraw, accounts: Accounts) -> Done:
        return carry_out(accounts, account, command)


def _add_queries(app: FastAPI, read_model: ReadModel) -> None:
    Tenant = Annotated[str, Depends(tenant_of)]  # noqa: N806

    @app.get("/accounts/{account}")
    def balance(account: AccountName, tenant: Tenant, response: Response) -> Balance:
        found = read_model.balance(tenant, account)
        if found is None:
            raise ProblemError(404, "There is no such account (yet).")
        response.headers["ETag"] = found.etag
        return found

    @app.get("/activity")
    def activity(tenant: Tenant) -> list[Activity]:
        return read_model.activity(tenant)

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(PAGE)


def _refuse(_request: Request, error: Exception) -> Response:
    return problem_response(ProblemError(409, str(error)))
