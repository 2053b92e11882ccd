"""Each AWS error means that a write was refused, can be tried again, or may be carried out."""

from __future__ import annotations

import pytest
from botocore import exceptions as botocore_errors

from dynamo_es.dynamodb.wire.errors import may_have_landed, refusal, worth_retrying
from tests.dynamodb.aws_errors import cancelled, reply

ITEM = {"version": {"N": "3"}, "closed": {"N": "1"}}

# Refused conditions


@pytest.mark.parametrize("maybe_landed", [False, True])
def test_a_refused_write_says_what_stands_in_its_way(maybe_landed):
    error = reply("ConditionalCheckFailedException", Item=ITEM)
    found = refusal(error, maybe_landed=maybe_landed)
    assert found is not None
    assert (found.items, found.maybe_landed) == ([ITEM], maybe_landed)


def test_a_refused_write_with_nothing_in_its_way_says_that():
    found = refusal(reply("ConditionalCheckFailedException"), maybe_landed=False)
    assert found is not None
    assert found.items == [None]


def test_a_refused_transaction_says_what_stands_in_the_way_of_each_write():
    error = cancelled(
        {"Code": "None"},
        {"Code": "ConditionalCheckFailed", "Message": "so", "Item": ITEM},
        {"Code": "ConditionalCheckFailed", "Message": "so"},
        {"Code": "ConditionalCheckFailed", "Message": "so", "Item": {}},
    )
    found = refusal(error, maybe_landed=True)
    assert found is not None
    assert (found.items, found.maybe_landed) == ([None, ITEM, None, None], True)


def test_a_refusal_among_conflicts_is_a_refusal():
    error = cancelled("TransactionConflict", {"Code": "ConditionalCheckFailed", "Item": ITEM})
    found = refusal(error, maybe_landed=False)
    assert found is not None
    assert found.items == [None, ITEM]


@pytest.mark.parametrize(
    "error",
    [
        reply("ValidationException"),
        reply("TransactionConflictException"),
        cancelled("TransactionConflict", "None"),
        cancelled("ValidationError"),
        cancelled(),
        botocore_errors.ReadTimeoutError(endpoint_url="x"),
    ],
    ids=str,
)
def test_no_other_failure_is_a_refusal(error):
    assert refusal(error, maybe_landed=True) is None


# What goes away by itself, and botocore does not retry


@pytest.mark.parametrize(
    ("error", "worth"),
    [
        (reply("TransactionConflictException"), True),
        (reply("TransactionInProgressException"), True),
        (reply("ReplicatedWriteConflictException"), True),
        (cancelled("TransactionConflict"), True),
        (cancelled("None", "TransactionConflict", "None"), True),
        (cancelled("TransactionConflict", "ThrottlingError"), True),
        (cancelled("ThrottlingError"), True),
        (cancelled("ProvisionedThroughputExceeded", "None"), True),
        (cancelled("TransactionConflict", "ConditionalCheckFailed"), False),
        (cancelled("ThrottlingError", "ConditionalCheckFailed"), False),
        (cancelled("ValidationError"), False),
        (cancelled("TransactionConflict", "ValidationError"), False),
        (cancelled("ItemCollectionSizeLimitExceeded", "TransactionConflict"), False),
        (cancelled("None"), False),
        (cancelled(), False),
        (reply("ConditionalCheckFailedException"), False),
        (reply("ItemCollectionSizeLimitExceededException"), False),
        (reply("ExpiredTokenException"), False),
        # botocore's own to retry: doing it here too would multiply the attempts.
        (reply("ThrottlingException", ThrottlingReasons=[{"reason": "x"}]), False),
        (reply("ProvisionedThroughputExceededException"), False),
        (reply("InternalServerError", status=500), False),
        (botocore_errors.ReadTimeoutError(endpoint_url="x"), False),
        (ValueError("x"), False),
    ],
    ids=repr,
)
def test_conflicts_are_worth_retrying_and_what_stays_wrong_is_not(error, worth):
    assert worth_retrying(error) is worth


# Whether a failed attempt may have been carried out


@pytest.mark.parametrize(
    ("error", "status", "may"),
    [
        (botocore_errors.ReadTimeoutError(endpoint_url="x"), None, True),
        (botocore_errors.ConnectionClosedError(endpoint_url="x"), None, True),
        (botocore_errors.ResponseStreamingError(error="x"), None, True),
        (OSError("broken"), None, True),
        (botocore_errors.ConnectTimeoutError(endpoint_url="x"), None, False),
        (botocore_errors.EndpointConnectionError(endpoint_url="x"), None, False),
        (None, 500, True),
        (None, 503, True),
        (None, 400, False),
        (None, 200, False),
        (None, None, False),
    ],
)
def test_only_a_request_that_reached_the_server_and_was_not_refused_may_have_landed(
    error, status, may
):
    assert may_have_landed(error, status) is may
