"""Requests that run at once: what the gateway sends, returns and counts."""

from __future__ import annotations

from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from dynamo_es.dynamodb.wire.errors import MAYBE_LANDED, ConditionRefused, OutcomeUnknown
from dynamo_es.dynamodb.wire.partiql.statements import execute, insert, update
from dynamo_es.dynamodb.wire.steps import Request, together
from dynamo_es.exceptions import ContentionError, ThrottledError, UnavailableError
from tests.dynamodb.aws_errors import reply
from tests.dynamodb.stub import WRITING, Call, Wiring, a_reply

KEY: dict[str, Any] = {"stream_key": {"S": "a"}, "version": {"N": "1"}}
READ = Request("get_item", {"TableName": "events", "Key": KEY})
WRITE = Request("put_item", {"TableName": "events", "Item": KEY})
TIMEOUT = ReadTimeoutError(endpoint_url="x")


def at_once(*requests):
    """Send requests at once and return what comes of each."""
    return (yield from together(requests))


def test_replies_come_in_the_order_of_the_requests():
    wiring = Wiring({"Item": KEY}, {}, {"Item": KEY}, max_parallel=1)
    assert wiring.run(at_once(READ, WRITE, READ)) == [{"Item": KEY}, {}, {"Item": KEY}]
    assert wiring.client.sent == [tuple(READ), tuple(WRITE), tuple(READ)]


def test_no_requests_are_no_step():
    assert Wiring().run(at_once()) == []


def test_each_failure_is_told_in_its_place_and_the_others_are_sent():
    refused = reply("ConditionalCheckFailedException")
    calls = [refused, {}, reply("ThrottlingException"), Call(TIMEOUT, TIMEOUT)]
    wiring = Wiring(*calls, max_parallel=1)
    first, second, third, fourth = wiring.run(at_once(WRITE, WRITE, READ, WRITE))
    assert isinstance(first, ConditionRefused)
    assert second == {}
    assert isinstance(third, ThrottledError)
    assert isinstance(fourth, OutcomeUnknown)


def test_a_request_is_tried_again_by_itself():
    conflict = reply("TransactionConflictException")
    wiring = Wiring(conflict, {"first": True}, {"second": True}, max_parallel=1)
    assert wiring.run(at_once(WRITE, WRITE)) == [{"first": True}, {"second": True}]
    assert len(wiring.client.sent) == 3


def test_the_deadline_is_one_for_all():
    conflict = reply("TransactionConflictException")
    calls = [Call(conflict, seconds=6), Call(conflict, seconds=6), Call(conflict, seconds=6)]
    wiring = Wiring(*calls, retry_deadline=10, max_parallel=1)
    outcomes = wiring.run(at_once(WRITE, WRITE))
    assert [type(outcome) for outcome in outcomes] == [ContentionError, ContentionError]


def test_a_reply_to_another_request_fails_its_own_alone():
    other = {"Item": {**KEY, "version": {"N": "2"}}}
    wiring = Wiring(other, {"Item": KEY}, max_parallel=1)
    wrong, right = wiring.run(at_once(READ, READ))
    assert isinstance(wrong, UnavailableError)
    assert right == {"Item": KEY}


@pytest.mark.parametrize("parallel", [1, 4])
def test_the_report_counts_the_requests_of_all_threads(parallel):
    capacity = {"ConsumedCapacity": {"CapacityUnits": 2.0}}
    wiring = Wiring([Call(capacity, 500, 200)], max_parallel=parallel)
    wiring.run(at_once(*[WRITE] * 6, READ))
    report = wiring.report
    assert (report.requests, report.attempts) == (7, 14)
    assert (report.write_units, report.read_units) == (12.0, 2.0)
    assert report.bytes_written == 6 * 20


def test_requests_do_run_at_once():
    wiring = Wiring()
    barrier = Barrier(4)

    class Meeting:
        meta = wiring.client.meta

        def put_item(self, **_: Any) -> dict[str, Any]:
            barrier.wait(10)
            return {}

    wiring.client = Meeting()
    assert wiring.run(at_once(*[WRITE] * 8)) == [{}] * 8


def test_attempts_of_one_thread_do_not_make_anothers_outcome_unknown():
    # Each thread counts the attempts of its own request: a lost reply here leaves a refusal there
    # what it is.
    wiring = Wiring()
    met = Barrier(2)

    class Two:
        meta = wiring.client.meta

        def put_item(self, **params: Any) -> dict[str, Any]:
            met.wait(10)
            lost = params["Item"]["version"]["N"] == "1"
            for watcher in wiring.client.watchers.values():
                watcher(
                    response=None if lost else a_reply(400),
                    caught_exception=TIMEOUT if lost else None,
                    operation=WRITING,
                    endpoint=SimpleNamespace(host="http://stub"),
                )
            met.wait(10)
            raise reply("ConditionalCheckFailedException")

    wiring.gateway._make_client = Two  # type: ignore[assignment]
    second = Request("put_item", {"TableName": "events", "Item": {**KEY, "version": {"N": "2"}}})
    lost, told = wiring.run(at_once(WRITE, second))
    assert isinstance(lost, ConditionRefused)
    assert isinstance(told, ConditionRefused)
    assert (lost.maybe_landed, told.maybe_landed) == (True, False)


# Batches of statements

TWO = execute([insert("events", KEY), update("events", KEY, {"n": {"N": "1"}}, [], all_old=True)])


def batch(*answers):
    return {"Responses": list(answers)}


def one(request):
    return (yield request)


def test_a_batch_counts_the_bytes_that_it_inserts_and_its_units():
    capacity = {"ConsumedCapacity": [{"TableName": "events", "CapacityUnits": 3.0}]}
    wiring = Wiring(batch({}, {}) | capacity)
    wiring.run(one(TWO))
    assert (wiring.report.bytes_written, wiring.report.write_units) == (20, 3.0)


def test_a_reply_of_another_length_leaves_the_outcome_unknown():
    wiring = Wiring(batch({}))
    with pytest.raises(UnavailableError, match="1 statements instead of 2"):
        wiring.run(one(TWO))


def test_a_reply_with_the_item_of_another_key_leaves_the_outcome_unknown():
    other = {**KEY, "version": {"N": "2"}}
    wiring = Wiring(batch({}, {"Error": {"Code": "ConditionalCheckFailed", "Item": other}}))
    with pytest.raises(UnavailableError, match="version"):
        wiring.run(one(TWO))


@pytest.mark.parametrize(("attempts", "maybe"), [((TIMEOUT, 200), True), ((400, 200), False)])
def test_a_reply_says_whether_an_attempt_before_it_may_have_been_carried_out(attempts, maybe):
    wiring = Wiring(Call(batch({}, {}), *attempts))
    assert (MAYBE_LANDED in wiring.run(one(TWO))) is maybe


def test_a_batch_names_its_tables():
    assert TWO.tables == ["events"]
    both = execute([insert("a-b.c", KEY), update("d", KEY, {"n": {"N": "1"}}, [])])
    assert both.tables == ["a-b.c", "d"]
    assert both.api_name == "BatchExecuteStatement"
