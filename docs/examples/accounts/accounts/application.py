"""The functions of the application on AWS Lambda, over a store and a read model."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from accounts.domain import Account, RefusedError
from accounts.requests import ACCOUNT_NAME, COMMANDS, NAME, Done
from dynamo_es import Repository
from dynamo_es.aws_lambda import project_log, project_streams, sequence_events
from dynamo_es.http import HANDLED, Aggregates, ProblemError, problem_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from accounts.read_model import ReadModel
    from dynamo_es import DynamoBackend, Recorded
    from dynamo_es.event_store.store import EventStore

Request = dict[str, Any]
Reply = dict[str, Any]


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

        # Each account on its own: fast, and parallel over the shards of the table's stream.
        @project_streams(backend, "balances", category="account")
        def balances_handler(recorded: Recorded) -> None:
            read_model.apply(recorded)

        # All accounts in one order: that of the log.
        @project_log(backend, "activity", category="account")
        def activity_handler(recorded: Recorded) -> None:
            read_model.note(recorded)

        self.balances_handler = balances_handler
        self.activity_handler = activity_handler
        self.sequencer_handler = sequence_events(backend)

    def command_handler(self, request: Request, _context: object = None) -> Reply:
        """``POST /accounts/{account}/{open|deposit|withdraw}`` of an HTTP API."""
        return _answer(self._command, request)

    def query_handler(self, request: Request, _context: object = None) -> Reply:
        """``GET /accounts/{account}`` and ``GET /activity`` of an HTTP API."""
        return _answer(self._query, request)

    def _command(self, request: Request) -> Reply:
        kind = COMMANDS.get(request["pathParameters"]["command"])
        if kind is None:
            raise ProblemError(404, "There is no such command.")
        body = _body(request)
        repository = Repository(self._event_store_of(_tenant(request)), Account)
        accounts = Aggregates.of_request(repository, _headers(request))
        account, command = _account(request), kind.model_validate(body)
        # Decides again if another request was faster, so no caller has to try again.
        saved = accounts.transact(account, command.decide)
        done = Done(balance=saved.aggregate.balance, version=saved.version)
        return _reply(202, done.model_dump(), accounts.headers)

    def _query(self, request: Request) -> Reply:
        tenant = _tenant(request)
        if not (request.get("pathParameters") or {}).get("account"):
            return _reply(200, [one.model_dump() for one in self._read_model.activity(tenant)])
        found = self._read_model.balance(tenant, _account(request))
        if found is None:
            raise ProblemError(404, "There is no such account (yet).")
        return _reply(200, found.model_dump(), {"ETag": found.etag})


def _answer(handle: Callable[[Request], Reply], request: Request) -> Reply:
    try:
        return handle(request)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False, include_input=False)
        problem = ProblemError(
            422, "The request does not have the form that it needs.", errors=wrong
        )
    except RefusedError as error:
        problem = ProblemError(409, str(error))
    except HANDLED as error:
        problem = problem_of(error, conditional="if-match" in _headers(request))
    return {"statusCode": problem.status, "headers": problem.headers, "body": problem.body()}


def _tenant(request: Request) -> str:
    """Return the tenant of a request: a claim of its token, never a value of the caller."""
    claims = request["requestContext"]["authorizer"]["jwt"]["claims"]
    if not claims.get("tenant"):
        raise ProblemError(401, "The token has no claim tenant.")
    return NAME.validate_python(claims["tenant"])


def _account(request: Request) -> str:
    return ACCOUNT_NAME.validate_python(request["pathParameters"]["account"])


def _headers(request: Request) -> Mapping[str, str]:
    """Return the headers of a request: API Gateway gives their names in lower case."""
    headers: Mapping[str, str] = request.get("headers") or {}
    return headers


def _body(request: Request) -> object:
    """Return the JSON of a request; its text if it is of another type, as FastAPI does."""
    body = request.get("body") or ""
    kind = _headers(request).get("content-type", "application/json").partition(";")[0].strip()
    if not body or kind.lower() != "application/json":
        return body
    try:
        return json.loads(b64decode(body) if request.get("isBase64Encoded") else body)
    except (ValueError, RecursionError):
        raise ProblemError(400, "The body is not JSON.") from None


def _reply(status: int, body: object, headers: Mapping[str, str] | None = None) -> Reply:
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", **(headers or {})},
        "body": json.dumps(body),
    }
