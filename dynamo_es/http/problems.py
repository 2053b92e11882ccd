"""Turns errors into replies of the type ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

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

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER: Final = 1
"""Seconds after which a caller may repeat a request that got a 503."""

_TITLES: Final = {int(status): status.phrase for status in HTTPStatus}
_NO_BODY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_OTHER_REQUEST: Final = (
    "This Idempotency-Key was used with another request. Use a new key, or send the first request "
    "again."
)
_UNKNOWN: Final = (
    "The request may or may not have been carried out. Send it again with the same "
    "Idempotency-Key. Without one, first read whether it was carried out."
)


class ProblemError(EventStoreError):
    """An error that is a reply of the type ``application/problem+json``.

    Args:
        status: the HTTP status.
        detail: what is wrong and what the caller can do.
        headers: additional headers of the reply.
        members: additional members of the body.

    Attributes:
        status: the HTTP status.
        detail: what is wrong and what the caller can do.
        headers: the headers of the reply.
        members: additional members of the body.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        self.status = status
        self.detail = detail
        content = {} if status in _NO_BODY else {"content-type": MEDIA_TYPE}
        self.headers = content | dict(headers or {})
        self.members = members
        super().__init__(detail)

    def body(self) -> str:
        """Return the body of the reply as ASCII JSON; other characters are escaped."""
        if self.status in _NO_BODY:
            return ""
        title = _TITLES.get(self.status, "Error")
        common = {"type": "about:blank", "title": title, "status": self.status}
        return json.dumps(common | {"detail": self.detail} | self.members, allow_nan=False)


HANDLED: Final[tuple[type[Exception], ...]] = (
    ProblemError,
    ConcurrentStreamWriteError,
    EnlistedWriteRefusedError,
    CommandDecidedError,
    CommitTooLargeError,
    AppendOutcomeUnknownError,
    ThrottledError,
    UnavailableError,
    ContentionError,
    # Errors that the caller's data can cause. Others are errors of the application.
    InvalidStreamIdError,
    InvalidEventError,
    InvalidSubjectError,
    InvalidRangeError,
    InvalidPositionError,
)
"""The errors that `problem_of` turns into replies, for ``except HANDLED``."""


def problem_of(error: Exception, *, conditional: bool = False) -> ProblemError:
    """Return the reply for one of the errors in `HANDLED`.

    Args:
        error: the error.
        conditional: whether the request has ``If-Match``. A conflict is then a 412, because the
            precondition does not hold; otherwise a 409, because other writers were faster.
    """
    match error:
        case ProblemError():
            problem = error
        case ConcurrentStreamWriteError():
            problem = _conflict(error, conditional=conditional)
        case EnlistedWriteRefusedError():
            problem = ProblemError(
                409, "Nothing was stored: the condition of a write in the same transaction failed."
            )
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
