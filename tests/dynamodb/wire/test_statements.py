"""Statements: their text, and what becomes of a batch that DynamoDB carries out in part."""

from __future__ import annotations

from typing import Any

import pytest

from dynamo_es.dynamodb.wire.batches import MAX_BATCH_BYTES, execute_all
from dynamo_es.dynamodb.wire.errors import MAYBE_LANDED, ConditionRefused, OutcomeUnknown
from dynamo_es.dynamodb.wire.partiql.statements import (
    execute,
    insert,
    inserted_items,
    target_of,
    update,
)
from dynamo_es.dynamodb.wire.steps import Pause, Together
from dynamo_es.exceptions import (
    ContentionError,
    CredentialsError,
    ServiceError,
    TableNotFoundError,
    ThrottledError,
    UnavailableError,
)
from tests.dynamodb.machine import play

KEY: dict[str, Any] = {"log_key": {"S": "a"}, "place": {"S": "b"}}
FIVE = {"N": "5"}


def test_an_insert_puts_one_item_where_none_is():
    assert insert("log", {**KEY, "last_version": FIVE}) == {
        "Statement": "INSERT INTO \"log\" VALUE {'log_key': ?, 'place': ?, 'last_version': ?}",
        "Parameters": [{"S": "a"}, {"S": "b"}, FIVE],
    }


def test_an_update_names_the_key_before_its_conditions():
    conditions = [("last_version", "<", {"N": "6"})]
    assert update("log", KEY, {"last_version": FIVE}, conditions, remove=["n"], all_old=True) == {
        "Statement": (
            'UPDATE "log" SET "last_version" = ? REMOVE "n" '
            'WHERE "log_key" = ? AND "place" = ? AND "last_version" < ?'
        ),
        "Parameters": [FIVE, {"S": "a"}, {"S": "b"}, {"N": "6"}],
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def test_the_key_of_a_statement_is_found_in_it():
    updating = update("log", KEY, {"last_version": FIVE}, [("last_version", "<", FIVE)])
    for statement in (insert("log", {"last_version": FIVE, **KEY}), updating):
        assert target_of(statement, ["log_key", "place"]) == KEY


def test_the_items_of_inserts_are_found_in_them():
    updating = update("log", KEY, {"last_version": FIVE}, [])
    assert list(inserted_items([updating, insert("log", KEY)])) == [KEY]


# Carrying out


def raises(number: int, size: int = 1) -> list[dict[str, Any]]:
    """Return so many statements, each about another item."""
    return [
        insert("log", {"log_key": {"S": "a" * size}, "place": {"S": str(place)}})
        for place in range(number)
    ]


def done(number: int) -> dict[str, Any]:
    return {"Responses": [{"TableName": "log"}] * number}


def told(*codes: str) -> dict[str, Any]:
    """Return a reply with the code of each statement, or an empty one for success."""
    return {
        "Responses": [{"Error": {"Code": code, "Message": "m"}} if code else {} for code in codes]
    }


def sends(*batches: list[dict[str, Any]]) -> Together:
    return Together(tuple(map(execute, batches)))


def run(statements: list[dict[str, Any]], *script: Any) -> list[Any]:
    outcomes: list[Any] = play(execute_all(statements, "table log"), *script)
    return outcomes


def test_nothing_sends_nothing():
    assert run([]) == []


def test_up_to_25_go_out_in_a_request_and_all_requests_at_once():
    all_of = raises(60)
    batches = sends(all_of[:25], all_of[25:50], all_of[50:])
    assert run(all_of, (batches, [done(25), done(25), done(10)])) == [None] * 60


def test_a_request_of_large_items_holds_fewer():
    all_of = raises(5, MAX_BATCH_BYTES // 2 - 100)
    batches = sends(all_of[:2], all_of[2:4], all_of[4:])
    assert run(all_of, (batches, [done(2), done(2), done(1)])) == [None] * 5


def test_an_item_above_the_limit_goes_out_alone():
    all_of = raises(2, MAX_BATCH_BYTES + 1)
    assert run(all_of, (sends(all_of[:1], all_of[1:]), [done(1), done(1)])) == [None, None]


def test_the_throttled_ones_alone_are_sent_again_after_a_pause():
    one, two, three = raises(3)
    outcomes = run(
        [one, two, three],
        (sends([one, two, three]), [told("ThrottlingError", "", "ProvisionedThroughputExceeded")]),
        (Pause(1, throttled=True), {}),
        (sends([one, three]), [told("", "RequestLimitExceeded")]),
        (Pause(2, throttled=True), {}),
        (sends([three]), [done(1)]),
    )
    assert outcomes == [None] * 3


def test_a_conflict_is_sent_again_and_is_no_throttling():
    (one,) = raises(1)
    script = [
        (sends([one]), [told("TransactionConflict")]),
        (Pause(1), {}),
        (sends([one]), [done(1)]),
    ]
    assert run([one], *script) == [None]


@pytest.mark.parametrize("maybe", [{}, {MAYBE_LANDED: True}], ids=["told", "lost before"])
@pytest.mark.parametrize("code", ["DuplicateItem", "ConditionalCheckFailed"])
def test_a_refusal_may_be_by_an_attempt_that_landed(code, maybe):
    (one,) = raises(1)
    error = {"Code": code, "Item": KEY}
    (outcome,) = run([one], (sends([one]), [{"Responses": [{"Error": error}], **maybe}]))
    assert isinstance(outcome, ConditionRefused)
    assert (outcome.items, outcome.maybe_landed) == ([KEY], bool(maybe))


def test_a_statement_that_is_throttled_after_a_lost_reply_may_be_carried_out():
    (one,) = raises(1)
    script = [
        (sends([one]), [{"Responses": told("ThrottlingError")["Responses"], MAYBE_LANDED: True}]),
        (Pause(1), ThrottledError("BatchExecuteStatement", "ThrottlingError", "Slow.")),
    ]
    (outcome,) = run([one], *script)
    assert isinstance(outcome, OutcomeUnknown)


def test_a_refusal_after_an_internal_error_may_be_by_the_attempt_before():
    (one,) = raises(1)
    script = [
        (sends([one]), [told("InternalServerError")]),
        (Pause(1), {}),
        (sends([one]), [told("DuplicateItem")]),
    ]
    (outcome,) = run([one], *script)
    assert isinstance(outcome, ConditionRefused)
    assert outcome.maybe_landed


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ValidationError", ServiceError),
        ("ItemCollectionSizeLimitExceeded", ServiceError),
        ("SomethingNew", ServiceError),
        ("AccessDenied", CredentialsError),
        ("ResourceNotFound", TableNotFoundError),
    ],
)
def test_what_stays_wrong_is_told_and_the_others_are_done(code, kind):
    one, two = raises(2)
    bad, good = run([one, two], (sends([one, two]), [told(code, "")]))
    assert type(bad) is kind
    assert (bad.operation, bad.code, bad.subject) == ("BatchExecuteStatement", code, "table log")
    assert good is None


def test_a_failed_request_fails_its_statements_alone():
    all_of = raises(30)
    lost = OutcomeUnknown(UnavailableError("BatchExecuteStatement", "timeout", "no reply."))
    outcomes = run(all_of, (sends(all_of[:25], all_of[25:]), [lost, done(5)]))
    assert outcomes == [lost] * 25 + [None] * 5


def test_at_the_deadline_those_left_are_throttled():
    one, two = raises(2)
    over = ThrottledError("BatchGetItem", "x", "y.")
    left, good = run(
        [one, two],
        (sends([one, two]), [told("ThrottlingError", "")]),
        (Pause(1, throttled=True), over),
    )
    assert isinstance(left, ThrottledError)
    assert left.operation == "BatchExecuteStatement"
    assert good is None


def test_at_the_deadline_a_conflict_is_contention():
    (one,) = raises(1)
    (left,) = run(
        [one],
        (sends([one]), [told("TransactionConflict")]),
        (Pause(1), ContentionError("PutItem", "x", "y.")),
    )
    assert isinstance(left, ContentionError)


@pytest.mark.parametrize("then", ["ThrottlingError", "ValidationError"])
def test_after_an_error_of_the_server_the_outcome_stays_unknown(then):
    (one,) = raises(1)
    script: list[Any] = [
        (sends([one]), [told("InternalServerError")]),
        (Pause(1), {}),
        (sends([one]), [told(then)]),
    ]
    if then == "ThrottlingError":
        over = ThrottledError("BatchGetItem", "x", "y.")
        script.append((Pause(2, throttled=True), over))
    (outcome,) = run([one], *script)
    assert isinstance(outcome, OutcomeUnknown)


def test_after_an_error_of_the_server_it_may_still_be_done():
    (one,) = raises(1)
    script = [
        (sends([one]), [told("InternalServerError")]),
        (Pause(1), {}),
        (sends([one]), [done(1)]),
    ]
    assert run([one], *script) == [None]
