"""Sending: what the gateway retries, for how long, and what it reports to the algorithm."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from dynamo_es import ANY_VERSION, ExplicitVersioning
from dynamo_es.dynamodb.streams.appending.append import Append
from dynamo_es.dynamodb.wire.errors import ConditionRefused, OutcomeUnknown
from dynamo_es.dynamodb.wire.steps import Pause, Request
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    ContentionError,
    ServiceError,
    ThrottledError,
    UnavailableError,
)
from dynamo_es.testing.conformance.language import an_event
from tests.dynamodb import machine
from tests.dynamodb.aws_errors import cancelled, reply
from tests.dynamodb.stub import STREAM, Call, Wiring

KEY: dict[str, Any] = {"stream_key": {"S": "a"}, "version": {"N": "1"}}
READ = Request("get_item", {"TableName": "events", "Key": KEY})
WRITE = Request("put_item", {"TableName": "events", "Item": KEY})
CONFLICT = reply("TransactionConflictException")
TIMEOUT = ReadTimeoutError(endpoint_url="x")
INTERNAL = reply("InternalServerError", status=500)


def one(request):
    """Send one request and return what comes of it."""
    return (yield request)


def told(request):
    """Send one request and return what the algorithm is told, be it an error."""
    try:
        return (yield request)
    except Exception as error:  # noqa: BLE001 - whatever it is
        return error


def test_a_reply_is_handed_to_the_algorithm_and_its_result_is_returned():
    wiring = Wiring({"Item": KEY}, {})

    def steps():
        first = yield READ
        second = yield WRITE
        return first, second

    assert wiring.run(steps()) == ({"Item": KEY}, {})
    assert wiring.client.sent == [tuple(READ), tuple(WRITE)]
    assert not wiring.time.waits


# Tried again


@pytest.mark.parametrize(
    "error",
    [
        CONFLICT,
        reply("TransactionInProgressException"),
        cancelled("None", "TransactionConflict"),
        cancelled("TransactionConflict", "ThrottlingError"),
        cancelled("ProvisionedThroughputExceeded"),
    ],
    ids=str,
)
@pytest.mark.parametrize("request_", [READ, WRITE])
def test_a_conflict_is_tried_again_after_a_wait(error, request_):
    wiring = Wiring(error, error, error, {"done": True})
    assert wiring.run(one(request_)) == {"done": True}
    assert wiring.client.sent == [tuple(request_)] * 4
    assert len(wiring.time.waits) == 3


def test_waits_grow_at_random_up_to_a_second():
    runs = []
    for _ in range(20):
        wiring = Wiring(*[CONFLICT] * 12, {}, retry_deadline=1000)
        wiring.run(one(WRITE))
        runs.append(wiring.time.waits)
    for number, waits in enumerate(zip(*runs, strict=True)):
        assert all(0 <= wait <= min(1.0, 0.02 * 2**number) for wait in waits)
        assert len(set(waits)) > 10, "so that those in each other's way part"
    assert max(max(waits) for waits in runs) > 0.5


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (CONFLICT, ContentionError),
        (cancelled("TransactionConflict", "ThrottlingError"), ContentionError),
        (cancelled("ThrottlingError", "None"), ThrottledError),
    ],
)
def test_at_the_deadline_it_is_contention_or_throttling_and_never_a_conflict(error, kind):
    # All the way from an append: nobody was faster, and nothing is known of the version.
    wiring = Wiring([error], retry_deadline=5)
    begin = wiring.time.now
    stream = machine.a_stream(machine.at(3))
    with pytest.raises(ServiceError) as caught:
        wiring.run(Append.of(stream, ExplicitVersioning(3), machine.NEW).run())
    assert type(caught.value) is kind
    assert caught.value.__cause__ is error
    assert (caught.value.operation, caught.value.subject) == (
        "PutItem",
        f"stream {STREAM} (name 'order 1') in table events",
    )
    assert 5 <= wiring.time.now - begin < 5 + 1
    assert {operation for operation, _ in wiring.client.sent} == {"put_item"}


def test_the_deadline_is_one_for_the_whole_operation():
    wiring = Wiring(Call({}, seconds=6), CONFLICT, Call(CONFLICT, seconds=4), retry_deadline=10)

    def steps():
        yield READ
        yield WRITE

    with pytest.raises(ContentionError):
        wiring.run(steps())
    assert len(wiring.client.sent) == 3


def test_without_time_nothing_is_tried_again():
    wiring = Wiring(CONFLICT, retry_deadline=0)
    with pytest.raises(ContentionError):
        wiring.run(one(WRITE))
    assert not wiring.time.waits


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (reply("ThrottlingException"), ThrottledError),
        (INTERNAL, UnavailableError),
        (TIMEOUT, UnavailableError),
        (reply("ValidationException"), ServiceError),
        (cancelled("ValidationError", "TransactionConflict"), ServiceError),
    ],
    ids=lambda value: str(value) if isinstance(value, Exception) else value.__name__,
)
def test_what_is_the_sdks_to_retry_or_stays_wrong_is_sent_once(error, kind):
    wiring = Wiring(error)
    with pytest.raises(ServiceError) as caught:
        wiring.run(one(READ))
    assert type(caught.value) is kind
    assert caught.value.__cause__ is error
    assert not wiring.time.waits


def test_a_refusal_after_a_conflict_is_a_refusal():
    refused = reply("ConditionalCheckFailedException", Item=KEY)
    wiring = Wiring(CONFLICT, refused)
    found = wiring.run(told(WRITE))
    assert isinstance(found, ConditionRefused)
    assert (found.items, found.maybe_landed) == ([KEY], False)


# Lost races


def test_a_pause_waits_at_random_longer_the_more_races_are_lost():
    runs = []
    for _ in range(20):
        wiring = Wiring(retry_deadline=1000)
        wiring.run(iter_pauses(10))
        runs.append(wiring.time.waits)
        assert not wiring.client.sent
    for number, waits in enumerate(zip(*runs, strict=True)):
        assert all(0 <= wait <= min(0.02, 0.001 * 2**number) for wait in waits)
        assert len(set(waits)) > 10
    assert max(max(waits) for waits in runs) > 0.01


def iter_pauses(number, throttled=False):
    for lost in range(1, number + 1):
        assert (yield Pause(lost, throttled)) == {}


def test_a_pause_past_the_deadline_is_contention():
    wiring = Wiring(retry_deadline=3)
    begin = wiring.time.now
    with pytest.raises(ContentionError, match=r"other writers were faster \d+ times") as caught:
        wiring.run(iter_pauses(10_000))
    assert (caught.value.code, caught.value.subject) == (
        "LostRaces",
        f"stream {STREAM} (name 'order 1')",
    )
    assert 3 <= wiring.time.now - begin < 3.5


def test_a_pause_for_what_was_left_undone_is_longer_and_past_the_deadline_throttling():
    wiring = Wiring(retry_deadline=30)
    with pytest.raises(ThrottledError, match=r"left out keys \d+ times") as caught:
        wiring.run(iter_pauses(10_000, throttled=True))
    assert caught.value.code == "UnprocessedKeys"
    assert 0.5 < max(wiring.time.waits) <= 1


def test_the_algorithm_sees_that_a_pause_came_too_late():
    # Only it knows whether an earlier write may have been carried out.
    seen = []

    def never_done():
        try:
            while True:
                yield Pause(1)
        except ContentionError as error:
            seen.append(error)
            raise OutcomeUnknown(error) from error

    with pytest.raises(ContentionError) as caught:
        Wiring(retry_deadline=3).run(never_done())
    assert seen == [caught.value]


def test_an_append_at_the_head_that_never_wins_is_contention():
    class Others:
        """Always one commit ahead."""

        meta = Wiring().client.meta
        version = 3

        def put_item(self, Item, **_):  # noqa: N803 - botocore's name
            self.version = int(Item["version"]["N"])
            raise reply("ConditionalCheckFailedException", Item=self.newest)

        def query(self, **_):
            return {"Items": [self.newest]}

        @property
        def newest(self):
            return machine.a_commit([an_event(machine.STREAM)], self.version)

    wiring = Wiring(retry_deadline=3)
    wiring.client = Others()
    stream = machine.a_stream(machine.at(3))
    with pytest.raises(ContentionError):
        wiring.run(Append.of(stream, ANY_VERSION, machine.NEW).run())


def asking(requests):
    for request in requests:  # noqa: UP028 - a list cannot be sent replies
        yield request


def test_an_operation_that_asks_the_same_for_ever_ends_after_its_deadline():
    wiring = Wiring([Call({}, seconds=1)], retry_deadline=3)
    with pytest.raises(ServiceError, match="the same request was sent 20 times") as caught:
        wiring.run(asking(itertools.cycle([READ, WRITE])))
    assert (caught.value.code, caught.value.subject) == (
        "NoProgress",
        f"stream {STREAM} (name 'order 1') in table events",
    )
    assert len(wiring.client.sent) < 50


def test_an_operation_that_gets_on_may_take_longer_than_its_deadline():
    wiring = Wiring([Call({}, seconds=1)], retry_deadline=3)
    pages = [
        Request("scan", {"TableName": "events", "ExclusiveStartKey": {"n": {"N": str(number)}}})
        for number in range(1_500)
    ]
    wiring.run(asking(pages))
    assert len(wiring.client.sent) == 1_500


def test_an_operation_may_ask_the_same_often_before_its_deadline():
    wiring = Wiring([{}])
    wiring.run(asking([READ] * 100))
    assert len(wiring.client.sent) == 100


def test_a_failure_to_read_a_reply_leaves_a_write_unknown_and_a_read_failed():
    error = AttributeError("'list' object has no attribute 'get'")
    assert type(Wiring(error).run(told(WRITE))) is OutcomeUnknown
    assert type(Wiring(error).run(told(READ))) is UnavailableError


# Outcomes that are not known


@pytest.mark.parametrize(
    ("attempts", "unknown"),
    [
        ((TIMEOUT,), True),
        ((500, 400), True),
        ((400, 503), True),
        ((ConnectTimeoutError(endpoint_url="x"),), False),
        ((400, 400), False),
    ],
    ids=str,
)
def test_a_write_that_may_have_been_carried_out_is_told_apart(attempts, unknown):
    error = reply("ThrottlingException")
    found = Wiring(Call(error, *attempts)).run(told(WRITE))
    assert type(found) is (OutcomeUnknown if unknown else ThrottledError)
    assert found.__cause__ is error
    read = Wiring(Call(error, *attempts)).run(told(READ))
    assert type(read) is ThrottledError, "a read changes nothing"


@pytest.mark.parametrize(("attempts", "maybe"), [((500, 400), True), ((400,), False)])
def test_a_refusal_says_whether_an_attempt_before_may_have_landed(attempts, maybe):
    found = Wiring(Call(reply("ConditionalCheckFailedException"), *attempts)).run(told(WRITE))
    assert isinstance(found, ConditionRefused)
    assert found.maybe_landed is maybe


def test_what_became_of_one_request_is_not_held_against_the_next():
    wiring = Wiring(Call({}, 500, 200), Call(reply("ConditionalCheckFailedException"), 400))

    def steps():
        yield WRITE
        return (yield from told(WRITE))

    assert wiring.run(steps()).maybe_landed is False


def test_an_attempt_lost_before_a_conflict_is_remembered_through_the_retries():
    wiring = Wiring(Call(CONFLICT, 500, 400), reply("ConditionalCheckFailedException"))
    assert wiring.run(told(WRITE)).maybe_landed is True


@pytest.mark.parametrize("observed", [False, True])
def test_an_unknown_outcome_that_the_algorithm_leaves_surfaces_as_its_cause(observed):
    wiring = Wiring(Call(TIMEOUT, TIMEOUT), observed=observed)
    with pytest.raises(UnavailableError) as caught:
        wiring.run(one(WRITE))
    assert caught.value.__cause__ is TIMEOUT


def test_an_append_without_any_reply_is_looked_up():
    wiring = Wiring(Call(TIMEOUT, TIMEOUT), Call(TIMEOUT, TIMEOUT))
    stream = machine.a_stream(machine.at(3))
    with pytest.raises(AppendOutcomeUnknownError):
        wiring.run(Append.of(stream, ExplicitVersioning(3), machine.NEW).run())
    assert [operation for operation, _ in wiring.client.sent] == ["put_item", "get_item"]


# The client


def test_a_client_is_made_at_the_first_request_and_watched_once():
    wiring = Wiring([{}])
    assert not wiring.client.watchers
    for _ in range(3):
        wiring.run(one(READ))
        wiring.run(one(WRITE))
    assert list(wiring.client.watchers) == ["dynamo-es-attempts"]
