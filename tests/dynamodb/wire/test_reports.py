"""An observer gets a report of each operation, and cannot disturb it."""

from __future__ import annotations

import logging

import pytest

from dynamo_es.dynamodb.wire.sizes import item_size
from dynamo_es.dynamodb.wire.steps import Pause, Request
from dynamo_es.exceptions import ContentionError, ThrottledError
from tests.dynamodb.aws_errors import reply
from tests.dynamodb.stub import STREAM, Call, Wiring

ITEM = {"k": {"S": "value"}, "n": {"N": "12"}}
READ = Request("query", {"TableName": "events"})
WRITE = Request("put_item", {"TableName": "events", "Item": ITEM})
TRANSACTION = Request(
    "transact_write_items",
    {
        "TransactItems": [
            {"Put": {"Item": ITEM}},
            {"Put": {"Item": ITEM}},
            {"Delete": {"Key": ITEM}},
        ]
    },
)
DELETE = Request("delete_item", {"TableName": "events", "Key": ITEM})
CONFLICT = reply("TransactionConflictException")


def sending(*requests):
    for request in requests:
        reply = yield request
        assert reply is not None


def answer(length=0, units=None):
    """Return a reply of so many bytes that consumed so many units."""
    reply = {"ResponseMetadata": {"HTTPHeaders": {"content-length": str(length)}}}
    return reply if units is None else reply | {"ConsumedCapacity": units}


def test_it_is_told_who_did_what_to_which_stream_and_how_long_it_took():
    wiring = Wiring(Call({}, seconds=0.25), Call({}, seconds=0.5))
    wiring.run(sending(READ, WRITE))
    report = wiring.report
    assert (report.operation, report.tenant_id, report.stream_id) == ("append", "acme", STREAM)
    assert report.duration == 0.75
    assert report.error is None


def test_requests_and_their_attempts_are_counted():
    wiring = Wiring(Call({}, 500, 500, 200), Call({}))
    wiring.run(sending(READ, WRITE))
    assert (wiring.report.requests, wiring.report.attempts) == (2, 4)


def test_a_pause_is_no_request():
    wiring = Wiring({})
    wiring.run(sending(Pause(1), WRITE))
    assert (wiring.report.requests, wiring.report.attempts) == (1, 1)


def test_what_is_tried_again_is_counted_each_time():
    wiring = Wiring(Call(CONFLICT, 400), Call(CONFLICT, 500, 400), Call({}, 200))
    wiring.run(sending(WRITE))
    assert (wiring.report.requests, wiring.report.attempts) == (3, 4)


def test_a_failure_is_reported_with_what_it_took():
    error = reply("ThrottlingException")
    wiring = Wiring({}, Call(error, 400, 400, 400, 400))
    with pytest.raises(ThrottledError) as caught:
        wiring.run(sending(READ, WRITE))
    assert wiring.report.error is caught.value
    assert (wiring.report.requests, wiring.report.attempts) == (2, 5)


def test_what_was_tried_again_without_success_is_counted_each_time():
    wiring = Wiring([Call(CONFLICT, 400)], retry_deadline=1)
    with pytest.raises(ContentionError):
        wiring.run(sending(WRITE))
    sent = len(wiring.client.sent)
    assert sent > 2
    assert (wiring.report.requests, wiring.report.attempts) == (sent, sent)


def test_an_error_of_the_algorithm_is_reported():
    def failing():
        yield READ
        raise LookupError("no such thing")

    wiring = Wiring({})
    with pytest.raises(LookupError) as caught:
        wiring.run(failing())
    assert wiring.report.error is caught.value
    assert wiring.report.requests == 1


def test_even_an_interruption_is_reported():
    wiring = Wiring(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt) as caught:
        wiring.run(sending(WRITE))
    assert wiring.report.error is caught.value
    assert wiring.report.requests == 1


def test_bytes_of_items_and_replies_are_added_up():
    wiring = Wiring(answer(100), answer(20), answer(3), answer(2))
    wiring.run(sending(READ, WRITE, TRANSACTION, DELETE))
    assert wiring.report.bytes_read == 125
    assert wiring.report.bytes_written == 3 * item_size(ITEM)


def test_an_item_that_was_refused_was_sent_too():
    wiring = Wiring(reply("ThrottlingException"))
    with pytest.raises(ThrottledError):
        wiring.run(sending(WRITE))
    assert wiring.report.bytes_written == item_size(ITEM)


def test_units_are_asked_for_and_added_up_by_kind():
    one, many = {"CapacityUnits": 1.5}, [{"CapacityUnits": 2.0}, {"CapacityUnits": 4.0}]
    wiring = Wiring(answer(units=one), answer(units=one), answer(units=many), report_capacity=True)
    wiring.run(sending(READ, READ, TRANSACTION))
    assert (wiring.report.read_units, wiring.report.write_units) == (3.0, 6.0)
    assert all(params["ReturnConsumedCapacity"] == "TOTAL" for _, params in wiring.client.sent)
    assert "ReturnConsumedCapacity" not in READ.params, "the request itself stays as it was"


def test_units_that_were_not_asked_for_are_not_told():
    wiring = Wiring(answer(10), answer(10))
    wiring.run(sending(READ, WRITE))
    assert (wiring.report.read_units, wiring.report.write_units) == (None, None)
    assert all("ReturnConsumedCapacity" not in params for _, params in wiring.client.sent)


@pytest.mark.parametrize("failing", [False, True])
def test_an_observer_that_fails_is_logged_and_does_no_harm(caplog, failing):
    wiring = Wiring(reply("ThrottlingException") if failing else {})

    def observer(report):
        raise ZeroDivisionError(report.operation)

    wiring.gateway._observer = observer

    def steps():
        yield WRITE
        return "result"

    with caplog.at_level(logging.ERROR, logger="dynamo_es"):
        if failing:
            with pytest.raises(ThrottledError):
                wiring.run(steps())
        else:
            assert wiring.run(steps()) == "result"
    (record,) = caplog.records
    message = record.getMessage()
    assert message.startswith("The observer failed on append: ZeroDivisionError at test_reports.py")
    assert "in observer" in message
    assert record.exc_info is None  # a traceback may quote an event
