"""Each AWS error becomes one that a handler can act on, and keeps its details."""

from __future__ import annotations

from typing import Any

import pytest
from botocore import exceptions as botocore_errors

from dynamo_es.dynamodb.wire import errors
from dynamo_es.dynamodb.wire.errors import translate
from dynamo_es.exceptions import (
    ContentionError,
    CredentialsError,
    ServiceError,
    StoredItemError,
    TableNotFoundError,
    ThrottledError,
    UnavailableError,
)
from tests.dynamodb.aws_errors import cancelled, reply

# Every code that the module knows, told apart by what it means


MEANING = {
    TableNotFoundError: {"ResourceNotFoundException"},
    ThrottledError: {
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequestsException",
    },
    ContentionError: {
        "ReplicatedWriteConflictException",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
    },
    CredentialsError: {
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
    },
    ServiceError: {
        "ItemCollectionSizeLimitExceededException",
        "ValidationException",
        "LimitExceededException",
        "IdempotentParameterMismatchException",
        "SomethingNew",
    },
}
CODES = [(code, kind) for kind, codes in MEANING.items() for code in sorted(codes)]


@pytest.mark.parametrize(("code", "kind"), CODES)
def test_a_code_means_what_it_says(code, kind):
    error: Any = translate(reply(code), "PutItem", "stream 1")
    assert type(error) is kind
    assert error.code == code


def test_no_known_code_is_left_out_of_this_table():
    listed = {code for code, _ in CODES}
    assert listed >= errors._THROTTLED | errors._CONTENTION | errors._CREDENTIALS


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("InternalServerError", 500),
        ("ServiceUnavailable", 503),
        ("500", 500),
        ("SomethingNew", 502),
    ],
)
def test_a_server_that_failed_is_unavailable(code, status):
    assert type(translate(reply(code, status=status), "PutItem")) is UnavailableError


def test_throttling_is_throttling_whatever_the_status_and_the_reasons():
    throttled = reply(
        "ThrottlingException",
        "Throughput exceeds the current capacity for one or more global secondary indexes.",
        status=503,
        ThrottlingReasons=[
            {
                "reason": "TableWriteKeyRangeThroughputExceeded",
                "resource": "arn:aws:dynamodb:eu-central-1:123456789012:table/events",
            }
        ],
    )
    assert type(translate(throttled, "PutItem")) is ThrottledError


@pytest.mark.parametrize(
    ("reasons", "kind"),
    [
        (["TransactionConflict"], ContentionError),
        (["None", "TransactionConflict", "None"], ContentionError),
        (["TransactionConflict", "ThrottlingError"], ContentionError),
        (["ProvisionedThroughputExceeded", "None"], ThrottledError),
        (["ThrottlingError", "ProvisionedThroughputExceeded"], ThrottledError),
        (["ValidationError", "None"], ServiceError),
        (["ValidationError", "TransactionConflict"], ServiceError),
        (["ItemCollectionSizeLimitExceeded"], ServiceError),
        (["None", "None"], ServiceError),
        ([], ServiceError),
    ],
)
def test_a_cancelled_transaction_means_what_its_reasons_say(reasons, kind):
    error: Any = translate(cancelled(*reasons), "TransactWriteItems", "stream 1")
    assert type(error) is kind
    assert error.reasons == tuple(reasons), "in the order of the writes"
    if reasons:
        assert f"TransactionCanceledException [{', '.join(reasons)}]: " in str(error)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (botocore_errors.NoCredentialsError(), CredentialsError),
        (botocore_errors.PartialCredentialsError(provider="x", cred_var="y"), CredentialsError),
        (botocore_errors.CredentialRetrievalError(provider="x", error_msg="y"), CredentialsError),
        (botocore_errors.TokenRetrievalError(provider="x", error_msg="y"), CredentialsError),
        (botocore_errors.NoRegionError(), CredentialsError),
        (botocore_errors.NoAuthTokenError(), CredentialsError),
        (botocore_errors.ProfileNotFound(profile="x"), CredentialsError),
        (botocore_errors.UnauthorizedSSOTokenError(), CredentialsError),
        (botocore_errors.InvalidConfigError(error_msg="x"), CredentialsError),
        (botocore_errors.ReadTimeoutError(endpoint_url="x"), UnavailableError),
        (botocore_errors.ConnectionClosedError(endpoint_url="x"), UnavailableError),
        (botocore_errors.ResponseStreamingError(error="x"), UnavailableError),
        (botocore_errors.ParamValidationError(report="x"), ServiceError),
        (ValueError("x"), ServiceError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.__name__,
)
def test_a_failure_of_the_client_means_what_it_says(error, kind):
    translated: Any = translate(error, "PutItem", "stream 1")
    assert type(translated) is kind
    assert translated.code == type(error).__name__
    assert str(translated).startswith(f"PutItem on stream 1: {type(error).__name__}: ")


@pytest.mark.parametrize(
    "error",
    [
        botocore_errors.ConnectTimeoutError(endpoint_url="x"),
        botocore_errors.EndpointConnectionError(endpoint_url="x"),
        botocore_errors.SSLError(endpoint_url="x", error=OSError("y")),
        botocore_errors.ProxyConnectionError(proxy_url="x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_connection_that_never_stood_is_unavailability(error):
    assert type(translate(error, "PutItem")) is UnavailableError


def test_an_error_of_ours_stays_as_it_is():
    ours = StoredItemError("key", 1, "Broken.")
    assert translate(ours, "PutItem") is ours


# What the message says


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (
            "ResourceNotFoundException",
            "Deploy infra/event-store.yaml or call backend.create_tables",
        ),
        ("ExpiredTokenException", "Check the credentials, the region"),
        ("ThrottlingException", "Try again later"),
        ("TransactionConflictException", "Try again. If it goes on, let fewer writers append"),
        ("SomethingNew", ""),
    ],
)
def test_a_message_names_operation_subject_and_what_to_do(code, advice):
    error: Any = translate(reply(code, "It is so"), "PutItem", "stream 1")
    assert str(error).startswith(f"PutItem on stream 1: {code}: It is so. {advice}".rstrip())
    assert (error.operation, error.subject, error.reasons) == ("PutItem", "stream 1", ())


@pytest.mark.parametrize(
    ("message", "said"),
    [("So.", "So. Try"), ("So!", "So! Try"), ("So", "So. Try"), ("", "no message. Try")],
)
def test_a_message_is_made_of_sentences(message, said):
    error: Any = translate(reply("Throttling", message), "PutItem")
    assert str(error).startswith(f"PutItem: Throttling: {said}")
