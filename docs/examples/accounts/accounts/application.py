"""The functions of the application on AWS Lambda, over a store and a read model."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import TYPE_CHECKING, Any

from accounts.calls import answer, headers_of, reply_of
from accounts.domain import Account
from accounts.page import HEADERS, page
from accounts.requests import ACCOUNT_NAME, COMMANDS, MOST_BYTES, NAME, Done, too_large
from dynamo_es import Context, Repository
from dynamo_es.aws_lambda import project_log, project_streams
from dynamo_es.http import Aggregates, ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.calls import Reply, Request
    from accounts.read_model import ReadModel
    from dynamo_es import DynamoBackend, Recorded
    from dynamo_es.event_store.store import EventStore


class Application:
    """Each attribute that ends in ``_handler`` is a Lambda function.

    Args:
        backend: the event store of all tenants, which the projections read.
        read_model: the table that the queries read.
        event_store_of: returns the event store of one tenant, which the commands write to.
    """

    def __init__(
        self,
        backend: DynamoBackend,
        read_model: ReadModel,
        event_store_of: Callable[[str], EventStore] | None = None,
    ) -> None:
        self._read_model = read_model
        self._event_store_of = event_store_of or (
            lambda tenant: backend.in_tenant(tenant).event_store
        )

        # Each account on its own: fast, and parallel over the shards of the table's stream. An
        # event that fails again and again parks its account, and the others go on.
        @project_streams(backend, "balances", category="account", on_failure="park")
        def balances_handler(recorded: Recorded) -> None:
            read_model.apply(recorded)

        # All accounts in one order: that of the log.
        @project_log(backend, "activity", category="account", on_failure="park")
        def activity_handler(recorded: Recorded) -> None:
            read_model.note(recorded)

        self.balances_handler = balances_handler
        self.activity_handler = activity_handler

    def command_handler(self, request: Request, _context: object = None) -> Reply:
        """``POST /accounts/{account}/{open|deposit|withdraw}`` of an HTTP API."""
        return answer(self._command, request)

    def query_handler(self, request: Request, _context: object = None) -> Reply:
        """``GET``: the page, an account, its statement, or the activity, of an HTTP API."""
        return answer(self._query, request)

    def _command(self, request: Request, correlation_id: str) -> Reply:
        kind = COMMANDS.get(request["pathParameters"]["command"])
        if kind is None:
            raise ProblemError(404, f"There is no such command. Commands: {', '.join(COMMANDS)}.")
        body = _body(request)
        repository = Repository(self._event_store_of(_tenant(request)), Account)
        accounts = Aggregates.of_request(repository, headers_of(request))
        account, command = _account(request), kind.model_validate(body)
        # Decides again if another request was faster, so no caller has to try again.
        saved = accounts.transact(
            account, command.decide, context=Context(correlation_id=correlation_id)
        )
        done = Done(balance=saved.aggregate.balance, version=saved.version)
        return reply_of(202, done.model_dump(), accounts.headers)

    def _query(self, request: Request, _correlation_id: str) -> Reply:
        route = request["routeKey"]
        if route == "GET /":
            return {"statusCode": 200, "headers": HEADERS, "body": page("token")}
        tenant = _tenant(request)
        if route == "GET /activity":
            return reply_of(200, [one.model_dump() for one in self._read_model.activity(tenant)])
        account = _account(request)
        if route == "GET /accounts/{account}/statement":
            entries = self._read_model.statement(tenant, account)
            if entries is not None:
                return reply_of(200, [entry.model_dump() for entry in entries])
        elif (found := self._read_model.balance(tenant, account)) is not None:
            return reply_of(200, found.model_dump(), {"ETag": found.etag})
        raise ProblemError(404, "There is no such account (yet).")


def _tenant(request: Request) -> str:
    """Return the tenant of a request: a claim of its token, never a value of the caller."""
    claims = request["requestContext"]["authorizer"]["jwt"]["claims"]
    if not claims.get("tenant"):
        raise ProblemError(401, "The token has no claim tenant.")
    return NAME.validate_python(claims["tenant"])


def _account(request: Request) -> str:
    return ACCOUNT_NAME.validate_python(request["pathParameters"]["account"])


def _body(request: Request) -> Any:
    """Return the JSON of a request; its text if it is of another type, as FastAPI does."""
    body = request.get("body") or ""
    encoded = bool(request.get("isBase64Encoded"))
    if len(body) * 3 // 4 > MOST_BYTES if encoded else len(body.encode()) > MOST_BYTES:
        raise too_large()
    kind = headers_of(request).get("content-type", "application/json").partition(";")[0].strip()
    if not body or kind.lower() != "application/json":
        return body
    try:
        return json.loads(b64decode(body) if encoded else body)
    except (ValueError, RecursionError):
        raise ProblemError(400, "The body is not JSON.") from None
