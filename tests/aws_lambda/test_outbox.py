"""The outbox as a Lambda function."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

import pytest

from dynamo_es import ANY_VERSION, DynamoBackend, StreamId
from dynamo_es.aws_lambda import SqsPublisher, outbox, publish_outbox, sequence_events
from dynamo_es.dynamodb.wire.attempts.time_limit import seconds_left
from dynamo_es.exceptions import ConfigurationError
from dynamo_es.testing.conformance.language import an_event
from tests.aws_lambda.lambdas import Context, Spent, numbers, records_of
from tests.event_store.accounts import Deposited

ANN = StreamId(name="ann", category="account")


@pytest.fixture
def filled(backend):
    """Thirty events in the log, every other one for the outbox."""
    backend.with_outbox(lambda event: event.data["amount"] % 2)
    for amount in range(1, 31):
        backend.event_store.append(
            Deposited(amount=amount), stream_id=ANN, expected_version=ANY_VERSION
        )
    sequence_events(backend)({"Records": records_of(backend, "events")})
    return backend


def test_everything_that_is_due_goes_out_once_in_order(filled):
    sent = []
    handler = publish_outbox(filled, lambda recorded: sent.append(recorded.position))

    for event in ({"Records": records_of(filled, "log")}, {"source": "aws.events"}):
        assert handler(event) == {"batchItemFailures": []}

    assert sent == list(range(1, 31, 2))
    assert [report.active for report in handler.reports] == [False]


def test_what_failed_is_tried_again_by_a_later_call(filled):
    sent = []

    def publish(recorded):
        if recorded.position == 3 and 3 not in tried:
            tried.append(3)
            raise RuntimeError("down")
        sent.append(recorded.position)

    tried: list[int] = []
    handler = publish_outbox(filled, publish, retry_delay=0)

    assert handler({}) == {"batchItemFailures": []}

    assert sorted(sent) == list(range(1, 31, 2))
    assert sent[1] == 5, "one that failed does not hold up the others"


def test_its_own_writes_do_not_make_it_run(filled):
    handler = publish_outbox(filled, lambda _: None)
    handler({})
    own = [
        record
        for record in records_of(filled, "log")
        if record["dynamodb"]["Keys"]["log_key"]["S"].startswith("outbox#")
    ]
    assert own

    assert handler({"Records": own}) == {"batchItemFailures": []}
    assert handler.reports == []


def test_it_stops_in_time_to_say_that_there_is_more(filled):
    filled.with_outbox()
    for amount in range(40):
        filled.event_store.append(
            Deposited(amount=amount + 1), stream_id=ANN, expected_version=ANY_VERSION
        )
    sequence_events(filled)({"Records": records_of(filled, "events")})
    records = records_of(filled, "log")
    pages = [one for one in records if one["dynamodb"]["Keys"]["log_key"]["S"] == "log"]
    sent = []
    context = Spent(2000)
    publish = context.taking(100, lambda recorded: sent.append(recorded.position))
    handler = publish_outbox(filled, publish, margin=1)

    answer = handler({"Records": records}, context)

    assert len(sent) == 10, "it looks at the time after each event"
    assert numbers(answer) == [pages[0]["dynamodb"]["SequenceNumber"]]
    handler({"Records": records}, Context(60_000))
    assert len(sent) == len(set(sent)) == 55


class Hangs:
    """A queue that takes no message, and the time that a call may take of a function's."""

    def __init__(self, context):
        self.context = context
        self.calls = 0

    def __getattr__(self, name):
        def call(**params):
            self.calls += 1
            self.context.left_ms -= 1000 * (seconds_left() or 100) / 2
            raise TimeoutError(name)

        return call


def test_a_hung_target_leaves_the_time_to_say_so(filled):
    context = Spent(5000)
    queue = Hangs(context)
    handler = publish_outbox(filled, SqsPublisher("https://sqs/1/q", client=queue))
    pages = [
        one for one in records_of(filled, "log") if one["dynamodb"]["Keys"]["log_key"]["S"] == "log"
    ]

    answer = handler({"Records": pages}, context)

    assert context.left_ms > 500
    assert queue.calls in {1, 2, 3}
    assert answer == {"batchItemFailures": []}, "all were tried"
    entries = filled.outbox.entries()
    assert {entry.attempts for entry in entries} == {1}
    assert filled.outbox.position >= entries[-1].position, "each try is recorded"


def test_a_target_that_fails_is_not_tried_again_in_the_same_call_for_ever(filled):
    calls = []

    def publish(recorded):
        calls.append(recorded.position)
        raise OSError

    handler = publish_outbox(filled, publish, retry_delay=0)

    assert handler({}) == {"batchItemFailures": []}
    assert len(calls) <= 2 * 15


def test_two_outboxes_have_the_same_events(filled):
    first, second = [], []
    publish_outbox(filled, lambda recorded: first.append(recorded.position))({})
    publish_outbox(filled, lambda recorded: second.append(recorded.position), name="second")({})

    assert first == second == list(range(1, 31, 2))


@pytest.fixture
def environment(monkeypatch):
    outbox._of_environment.cache_clear()
    for name in ("EVENTS", "LOG", "KEYS"):
        monkeypatch.setenv(f"DYNAMO_ES_{name}_TABLE", name.lower())
    yield monkeypatch
    outbox._of_environment.cache_clear()


def test_the_handler_without_code_is_configured_by_the_environment(environment):
    with pytest.raises(ConfigurationError, match="DYNAMO_ES_OUTBOX_TARGET"):
        outbox.handler({})
    environment.setenv("DYNAMO_ES_OUTBOX_TARGET", "arn:aws:events:eu-west-1:1:event-bus/b")
    environment.setenv("DYNAMO_ES_OUTBOX_ATTEMPTS", "none")
    with pytest.raises(ConfigurationError, match="DYNAMO_ES_OUTBOX_ATTEMPTS"):
        outbox.handler({})


def test_in_a_function_the_publishers_client_is_made_at_the_start(environment, filled, monkeypatch):
    made = []
    monkeypatch.setattr(
        "dynamo_es.aws_lambda.publishers._connect", lambda service, _: made.append(service)
    )
    monkeypatch.setattr(DynamoBackend, "from_env", lambda: filled)
    environment.setenv("DYNAMO_ES_OUTBOX_TARGET", "arn:aws:sqs:eu-west-1:1:q")

    outbox._of_environment()
    assert made == []
    outbox._of_environment.cache_clear()
    environment.setenv("AWS_LAMBDA_FUNCTION_NAME", "outbox")
    with suppress(AttributeError):  # the client is nothing here
        outbox._of_environment()
    assert made == ["sqs"]


def test_the_handler_without_code_needs_no_classes(environment, filled, monkeypatch):
    sent = []

    class Events:
        def put_events(self, Entries):  # noqa: N803 - boto3's name
            sent.extend(Entries)
            return {"FailedEntryCount": 0}

    filled.storage.insert_events(
        ANN, ANY_VERSION, [replace(an_event(ANN), name="Unheard", data={"amount": 1})]
    )
    sequence_events(filled)({"Records": records_of(filled, "events")})
    monkeypatch.setattr("dynamo_es.aws_lambda.publishers._connect", lambda *_: Events())
    monkeypatch.setattr(DynamoBackend, "from_env", lambda: filled)
    environment.setenv("DYNAMO_ES_OUTBOX_TARGET", "arn:aws:events:eu-west-1:1:event-bus/b")
    environment.setenv("POWERTOOLS_SERVICE_NAME", "accounts")

    assert outbox.handler({}) == {"batchItemFailures": []}

    assert len(sent) == 16
    assert {entry["Source"] for entry in sent} == {"accounts"}
    assert sent[0]["DetailType"] == "account.deposited"
    assert sent[-1]["DetailType"] == "Unheard"
    assert json.loads(sent[-1]["Detail"])["data"] == {"amount": 1}
