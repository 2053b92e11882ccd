"""Handlers that reply to errors and invalid requests with ``application/problem+json``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, cast

from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from dynamo_es.contracts.error_texts import describe_error
from dynamo_es.http import HANDLED, ProblemError, problem_of

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

_LOG: Final = logging.getLogger("dynamo_es.fastapi")
_SERVER_ERRORS: Final = 500
_NOT_JSON: Final = "json_invalid"


def install_handlers(app: FastAPI) -> None:
    """Make an application reply to event store errors and invalid requests with problems.

    The reply to an invalid request lists what is wrong, without the values. FastAPI's own handler
    quotes the values, and fails on some, such as ``1e400``. To reply differently, add handlers of
    your own afterwards.
    """
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    for kind in HANDLED:
        app.add_exception_handler(kind, _answer_error)


def is_installed(app: FastAPI) -> bool:
    """Return whether an application has the handlers of `install_handlers`."""
    return ProblemError in app.exception_handlers


def problem_response(problem: ProblemError) -> Response:
    """Return the reply for a problem. Use it in handlers of your own."""
    return Response(problem.body(), problem.status, problem.headers)


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    reply = await http_exception_handler(request, error)
    detail = cast("object", error.detail)  # FastAPI's own class takes any JSON.
    if not isinstance(detail, str) or not reply.body:
        return reply
    return problem_response(ProblemError(error.status_code, detail, headers=error.headers))


async def _answer_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    errors = [{key: one[key] for key in ("loc", "msg", "type")} for one in error.errors()]
    if any(one["type"] == _NOT_JSON for one in errors):
        return problem_response(ProblemError(400, "The body is not JSON.", errors=errors))
    detail = "The request does not match the schema of this endpoint."
    return problem_response(ProblemError(422, detail, errors=errors))


async def _answer_error(request: Request, error: Exception) -> Response:
    problem = problem_of(error, conditional="if-match" in request.headers)
    if problem is not error:
        level = logging.WARNING if problem.status >= _SERVER_ERRORS else logging.INFO
        _LOG.log(level, "Replied with %d: %s", problem.status, describe_error(error))
    return problem_response(problem)
