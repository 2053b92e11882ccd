"""Errors as replies: ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from fastapi.exceptions import HTTPException, RequestValidationError
from fastapi.responses import JSONResponse, Response

from dynamo_es.contracts.error_texts import describe_error
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    CommandDecidedError,
    CommitTooLargeError,
    ConcurrentStreamWriteError,
    ContentionError,
    EnlistedWriteRefusedError,
    EventStoreError,
    InvalidEventError,
    InvalidPositionError,
    InvalidRangeError,
    InvalidStreamIdError,
    InvalidSubjectError,
    ThrottledError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI, Request

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER: Final = 1
"""Seconds after which a caller may repeat a request that got a 503."""

_LOG: Final = logging.getLogger("dynamo_es.fastapi")
_SERVER_ERRORS: Final = 500
_NO_BODY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})

_HANDLED: Final[tuple[type[Exception], ...]] = (
    ConcurrentStreamWriteError,
    EnlistedWriteRefusedError,
    CommandDecidedError,
    CommitTooLargeError,
    AppendOutcomeUnknownError,
    ThrottledError,
    UnavailableError,
    ContentionError,
    # What the caller's data can be the cause of; other errors are the application's own.
    InvalidStreamIdError,
    InvalidEventError,
    InvalidSubjectError,
    InvalidRangeError,
    InvalidPositionError,
)
_OTHER_REQUEST: Final = (
    "This Idempotency-Key was used with another request. Use a new key, or send the first request "
    "again."
)
_UNKNOWN: Final = (
    "The request may have been carried out, or not. Send it again with the same Idempotency-Key; "
    "if it has none, look first."
)


class ProblemError(HTTPException, EventStoreError):
    """A reply with an error, as ``application/problem+json``.

    FastAPI answers with its status and its detail even where `install_handlers` was not called.

    Args:
        status: the HTTP status.
        detail: what is wrong and what the caller can do.
        headers: more headers of the reply.
        members: more members of the body.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(status, detail, dict(headers) if headers else None)
        self.members = members

    def response(self) -> Response:
        """Return the reply."""
        status = HTTPStatus(self.status_code)
        if status in _NO_BODY:
            return Response(status_code=status, headers=self.headers)
        body = {
            "type": "about:blank",
            "title": status.phrase,
            "status": int(status),
            "detail": self.detail,
        }
        return ProblemResponse(body | self.members, status_code=status, headers=self.headers)


class ProblemResponse(JSONResponse):
    """A reply whose text is ASCII, so that it can quote any text of a request."""

    media_type = MEDIA_TYPE

    def render(self, content: Any) -> bytes:
        """Return the body: a lone surrogate becomes its JSON escape."""
        return json.dumps(content, allow_nan=False).encode()


def install_handlers(app: FastAPI) -> None:
    """Let an application answer errors of the event store and wrong requests with problems.

    A wrong request gets the list of what is wrong, without the wrong values: FastAPI's own handler
    quotes them, and fails itself at some, such as ``1e400``.
    """
    app.add_exception_handler(ProblemError, _answer_problem)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    for kind in _HANDLED:
        app.add_exception_handler(kind, _answer_error)


async def _answer_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101 - registered for it
    return error.response()


async def _answer_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    errors = [{key: one[key] for key in ("loc", "msg", "type")} for one in error.errors()]
    return ProblemError(
        422, "The request does not have the form it needs.", errors=errors
    ).response()


async def _answer_error(request: Request, error: Exception) -> Response:
    problem = problem_of(error, conditional="if-match" in request.headers)
    level = logging.WARNING if problem.status_code >= _SERVER_ERRORS else logging.INFO
    _LOG.log(level, "Replied with %d: %s", problem.status_code, describe_error(error))
    return problem.response()


def problem_of(error: Exception, *, conditional: bool = False) -> ProblemError:
    """Return the reply for one of the handled errors.

    Args:
        error: the error.
        conditional: whether the request has ``If-Match``: a conflict is then a condition that does
            not hold, 412; without it, other writers were faster, 409.
    """
    match error:
        case ConcurrentStreamWriteError():
            problem = _conflict(error, conditional=conditional)
        case EnlistedWriteRefusedError():
            problem = ProblemError(409, "The condition of a write that belongs to it is not met.")
        case CommandDecidedError():
            problem = ProblemError(422, _OTHER_REQUEST)
        case CommitTooLargeError():
            problem = ProblemError(413, "The request is too large to be stored.", limit=error.limit)
        case AppendOutcomeUnknownError():
            problem = _unavailable(_UNKNOWN)
        case ThrottledError() | UnavailableError() | ContentionError():
            problem = _unavailable("The event store does not answer in time. Try again.")
        case _:
            problem = ProblemError(422, str(error))
    return problem


def _conflict(error: ConcurrentStreamWriteError, *, conditional: bool) -> ProblemError:
    at = "has another version" if error.actual is None else f"is at version {error.actual}"
    if conditional:
        status, detail = 412, f"If-Match does not hold: the stream {at}."
    else:
        status, detail = 409, f"Other requests were faster: the stream {at}. Try again."
    return ProblemError(status, detail, expected=error.expected, actual=error.actual)


def _unavailable(detail: str) -> ProblemError:
    return ProblemError(503, detail, headers={"Retry-After": str(RETRY_AFTER)})
