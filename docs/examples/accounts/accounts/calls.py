"""Answers a request of API Gateway: errors become problems, and each request one log line.

A line has the route, the status, the time and the correlation id. It has no path, header, body or
text of an error, which may quote a value of an event. In a function with the log format JSON,
Lambda writes the fields of a line as members of a JSON object.
"""

from __future__ import annotations

import json
import logging
from time import perf_counter
from traceback import extract_tb
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from accounts.domain import RefusedError
from accounts.requests import correlation_id_of
from dynamo_es.http import HANDLED, ProblemError, problem_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Request = dict[str, Any]
Reply = dict[str, Any]

_log = logging.getLogger("accounts")
_SERVER_ERRORS: Final = 500
_FAILED: Final = (
    "The request failed, and the operators can see why. Send it again with the same "
    "Idempotency-Key. If it fails again, report its X-Correlation-Id."
)
_UNAVAILABLE: Final = "The read model does not answer in time. Try again."


def answer(handle: Callable[[Request, str], Reply], request: Request) -> Reply:
    """Return the reply of a handler, or the problem that it ended with.

    Args:
        handle: gets the request and its correlation id.
        request: as an HTTP API sends it, in payload format 2.0.
    """
    began = perf_counter()
    context = request.get("requestContext") or {}
    correlation_id = correlation_id_of(
        headers_of(request).get("x-correlation-id"), context.get("requestId")
    )
    fields: dict[str, object] = {
        "correlation_id": correlation_id,
        "route": request.get("routeKey", "?"),
    }
    try:
        reply = handle(request, correlation_id)
    except Exception as error:  # noqa: BLE001 - its text would be in Lambda's own log line
        problem = _problem(error, request)
        fields["error"] = _where(error) if problem.status >= _SERVER_ERRORS else _kind(error)
        reply = {
            "statusCode": problem.status,
            "headers": problem.headers,
            "body": problem.body(),
        }
    status = reply["statusCode"]
    fields |= {"status": status, "ms": round(1000 * (perf_counter() - began), 1)}
    level = logging.ERROR if status >= _SERVER_ERRORS else logging.INFO
    _log.log(level, "Replied with %d", status, extra=fields)
    return reply | {"headers": {**reply["headers"], "x-correlation-id": correlation_id}}


def reply_of(status: int, body: object, headers: Mapping[str, str] | None = None) -> Reply:
    """Return a reply of JSON."""
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", **(headers or {})},
        "body": json.dumps(body),
    }


def headers_of(request: Request) -> Mapping[str, str]:
    """Return the headers of a request: API Gateway gives their names in lower case."""
    headers: Mapping[str, str] = request.get("headers") or {}
    return headers


def _problem(error: Exception, request: Request) -> ProblemError:
    match error:
        case ValidationError():
            wrong = error.errors(include_url=False, include_context=False, include_input=False)
            detail = "The request does not have the form that it needs."
            return ProblemError(422, detail, errors=wrong)
        case RefusedError():
            return ProblemError(409, str(error))
        case ClientError() | BotoCoreError():  # of the read models' table
            return ProblemError(503, _UNAVAILABLE, headers={"Retry-After": "1"})
    if isinstance(error, HANDLED):
        return problem_of(error, conditional="if-match" in headers_of(request))
    return ProblemError(500, _FAILED)


def _kind(error: Exception) -> str:
    return type(error).__name__


def _where(error: Exception) -> str:
    """Return the class of an error and where it was raised, without its text."""
    frames = extract_tb(error.__traceback__)[-3:]
    places = ", ".join(f"{frame.name}:{frame.lineno}" for frame in frames)
    return f"{_kind(error)} at {places}"
