"""Translates errors of AWS into errors of this library. Only this file knows AWS's codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from botocore import exceptions as botocore_errors

from dynamo_es.exceptions import (
    ContentionError,
    CredentialsError,
    EventStoreError,
    ServiceError,
    TableNotFoundError,
    ThrottledError,
    UnavailableError,
    describe_stream,
)
from dynamo_es.portable import reduce_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamo_es.dynamodb.wire.steps import Item, Request
    from dynamo_es.values import StreamId

_THROTTLED: Final = frozenset(
    {
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_CONTENTION: Final = frozenset(
    {
        "ReplicatedWriteConflictException",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
_REFUSED_STATEMENT: Final = frozenset({"ConditionalCheckFailed", "DuplicateItem"})
_CREDENTIALS: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "UnrecognizedClientException",
    }
)
_CREDENTIALS_CLIENT: Final = (
    botocore_errors.NoCredentialsError,
    botocore_errors.PartialCredentialsError,
    botocore_errors.CredentialRetrievalError,
    botocore_errors.TokenRetrievalError,
    botocore_errors.NoRegionError,
    botocore_errors.NoAuthTokenError,
    botocore_errors.ProfileNotFound,
    botocore_errors.SSOError,
    botocore_errors.InvalidConfigError,
)
_NOT_SENT: Final = (
    botocore_errors.ConnectTimeoutError,
    botocore_errors.EndpointConnectionError,
    botocore_errors.ProxyConnectionError,
)
"""Failures to connect. DynamoDB cannot have carried out the request."""

_SERVER_ERROR: Final = 500

BAD_REPLY: Final = "BadReply"
"""This library's code for a reply that DynamoDB did not send to this request."""

MAYBE_LANDED: Final = "MaybeLanded"
"""The gateway's mark in a batch's reply if an earlier attempt may have been carried out."""

_FIRST: Final = frozenset({0})


class ConditionRefused(Exception):  # noqa: N818 - a reply the algorithms expect, not an error
    """The condition of a write was not met.

    Attributes:
        items: for each item of the write, in order, the stored item; None if there is none, or if
            DynamoDB did not return it.
        maybe_landed: whether an earlier attempt of the same request may have been carried out,
            so that the stored items may be its own.
        refused: indexes of the items whose conditions were not met, 0-based.
    """

    __reduce__ = reduce_error

    def __init__(
        self, items: list[Item | None], *, maybe_landed: bool, refused: frozenset[int] = _FIRST
    ) -> None:
        super().__init__("condition refused")
        self.items = items
        self.maybe_landed = maybe_landed
        self.refused = refused


class OutcomeUnknown(Exception):  # noqa: N818 - a reply the algorithms expect, not an error
    """A write failed, but one of its attempts may have been carried out.

    Attributes:
        error: the translated failure of the last attempt.
    """

    __reduce__ = reduce_error

    def __init__(self, error: EventStoreError) -> None:
        super().__init__(str(error))
        self.error = error


def subject_of(request: Request, stream_id: StreamId | None) -> str:
    """Return a text that names the stream, if any, and the tables of a request, for an error."""
    tables = request.tables
    if stream_id is None:
        return ", ".join(tables)
    kind = "table" if len(tables) == 1 else "tables"
    return f"stream {describe_stream(stream_id)} in {kind} {', '.join(tables)}"


def refusal(error: Exception, *, maybe_landed: bool) -> ConditionRefused | None:
    """Return the refusal if botocore reports that a condition was not met; None otherwise."""
    if not isinstance(error, botocore_errors.ClientError):
        return None
    code = error.response["Error"]["Code"]
    if code == "ConditionalCheckFailedException":
        return ConditionRefused([error.response.get("Item")], maybe_landed=maybe_landed)  # type: ignore[list-item]
    reasons = _reasons(error)
    refused = frozenset(
        index
        for index, reason in enumerate(reasons)
        if reason.get("Code") == "ConditionalCheckFailed"
    )
    if refused:
        return ConditionRefused(
            [reason.get("Item") or None for reason in reasons],
            maybe_landed=maybe_landed,
            refused=refused,
        )
    return None


def statement_outcome(
    answer: Mapping[str, Any], subject: str, *, maybe_landed: bool
) -> ConditionRefused | OutcomeUnknown | EventStoreError | None:
    """Return why a statement of a batch was not carried out; None if it was.

    Args:
        answer: the statement's entry in the reply.
        subject: stream or table of the request, for the error.
        maybe_landed: whether an earlier attempt of the batch may have been carried out.
    """
    error = answer.get("Error")
    if error is None:
        return None
    code = str(error.get("Code")).removesuffix("Exception")
    if code in _REFUSED_STATEMENT:
        return ConditionRefused([error.get("Item") or None], maybe_landed=maybe_landed)
    kind: type[ServiceError] = ServiceError
    if code == "ResourceNotFound":
        kind = TableNotFoundError
    elif code in _CREDENTIALS:
        kind = CredentialsError
    elif code in _THROTTLED:
        kind = ThrottledError
    elif code in _CONTENTION:
        kind = ContentionError
    elif code == "InternalServerError":
        kind = UnavailableError
    detail = _sentence(error.get("Message") or "no message")
    translated = kind("BatchExecuteStatement", code, detail, subject)
    return OutcomeUnknown(translated) if kind is UnavailableError or maybe_landed else translated


def came_as_reply(error: Exception) -> bool:
    """Return whether botocore's error is about an error reply, or a reply that did not come.

    Any other error is a failure to read a reply, so the request may have been carried out.
    """
    return isinstance(error, botocore_errors.ClientError | botocore_errors.BotoCoreError)


def bad_reply(operation: str, subject: str, other: str) -> UnavailableError:
    """Return the error for a reply to another request.

    Args:
        operation: API operation that was sent.
        subject: stream or table of the request.
        other: subject of the reply.
    """
    return UnavailableError(
        operation,
        BAD_REPLY,
        f"the reply is about {other}. Do two processes or event loops share a connection?",
        subject,
    )


def unreadable_reply(error: Exception, operation: str, subject: str) -> UnavailableError:
    """Return the error for a reply that botocore failed to read."""
    detail = f"the reply cannot be read ({type(error).__name__}: {error})."
    return UnavailableError(operation, BAD_REPLY, detail, subject)


def worth_retrying(error: Exception) -> bool:
    """Return whether a failure is a temporary conflict that botocore does not retry."""
    if not isinstance(error, botocore_errors.ClientError):
        return False
    if error.response["Error"]["Code"] in _CONTENTION:
        return True
    codes = _failed_codes(error)
    return bool(codes) and codes <= (_CONTENTION | _THROTTLED)


def may_have_landed(error: BaseException | None, status: int | None) -> bool:
    """Return whether DynamoDB may have carried out the request of a failed attempt.

    Args:
        error: the client's error; None after a reply.
        status: HTTP status of the reply; None without one.
    """
    if error is not None:
        return not isinstance(error, _NOT_SENT)
    return status is not None and status >= _SERVER_ERROR


def translate(error: Exception, operation: str, subject: str = "") -> EventStoreError:
    """Return this library's error for one of botocore's. Raise it ``from`` the original.

    Args:
        error: the error that botocore raised.
        operation: API operation, such as ``PutItem``.
        subject: stream or table of the request.
    """
    if isinstance(error, EventStoreError):
        return error
    if isinstance(error, botocore_errors.ClientError):
        return _translate_reply(error, operation, subject)
    name = type(error).__name__
    if isinstance(error, _CREDENTIALS_CLIENT):
        return CredentialsError(operation, name, _sentence(error), subject)
    if isinstance(error, botocore_errors.HTTPClientError | botocore_errors.ConnectionError):
        return UnavailableError(operation, name, _sentence(error), subject)
    return ServiceError(operation, name, _sentence(error), subject)


def _translate_reply(
    error: botocore_errors.ClientError, operation: str, subject: str
) -> ServiceError:
    code = error.response["Error"]["Code"]
    detail = _sentence(error.response["Error"].get("Message") or "no message")
    reasons = tuple(str(reason.get("Code")) for reason in _reasons(error))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    kind: type[ServiceError] = ServiceError
    failed = _failed_codes(error)
    if code == "ResourceNotFoundException":
        kind = TableNotFoundError
    elif code in _CREDENTIALS:
        kind = CredentialsError
    elif code in _THROTTLED or (failed and failed <= _THROTTLED):
        kind = ThrottledError
    elif code in _CONTENTION or (failed and failed <= _CONTENTION | _THROTTLED):
        kind = ContentionError
    elif status >= _SERVER_ERROR:
        kind = UnavailableError
    return kind(operation, code, detail, subject, reasons)


def _reasons(error: botocore_errors.ClientError) -> list[dict[str, Any]]:
    reasons: Any = error.response.get("CancellationReasons") or ()
    return list(reasons)


def _failed_codes(error: botocore_errors.ClientError) -> set[str]:
    return {str(reason.get("Code")) for reason in _reasons(error)} - {"None"}


def _sentence(message: object) -> str:
    text = str(message).strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."
