"""Publishers: what is sent to EventBridge, SNS and SQS, and what is not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from dynamo_es import Context, Recorded, StreamId, UnknownEvent, WrappedEvent
from dynamo_es.aws_lambda import EventBridgePublisher, SnsPublisher, SqsPublisher
from dynamo_es.aws_lambda.publishers import MAX_BYTES, publisher_for
from dynamo_es.exceptions import ConfigurationError, PublishingError
from tests.event_store.accounts import Deposited

UUID_ = UUID("018f0000-0000-7000-8000-000000000001")
STREAM = StreamId(name="ann", category="account")
MADE = datetime(2026, 1, 31, 12, tzinfo=UTC)
MESSAGE = {
    "id": str(UUID_),
    "name": "account.deposited",
    "data": {"amount": 5},
    "context": {"user": "ann"},
    "created_at": "2026-01-31T12:00:00+00:00",
    "version": 3,
    "position": 17,
    "tenant": "acme",
    "stream": {"id": str(STREAM), "name": "ann", "category": "account"},
}
ATTRIBUTES = {
    "name": {"DataType": "String", "StringValue": "account.deposited"},
    "category": {"DataType": "String", "StringValue": "account"},
    "tenant": {"DataType": "String", "StringValue": "acme"},
}


class Service:
    """Stands in for a client: remembers each call."""

    def __init__(self, answer=None):
        self.sent = []
        self._answer = answer or {}

    def __getattr__(self, name):
        def call(**params):
            self.sent.append((name, params))
            return self._answer

        return call


def recorded(event=None, **changes):
    wrapped = WrappedEvent(event or Deposited(amount=5), 3, UUID_, MADE, Context(user="ann"))
    fields = {"stream_id": STREAM, "position": 17, "tenant_id": "acme", **changes}
    return Recorded(wrapped, **fields)


def test_a_bus_is_given_name_source_time_and_message():
    service = Service({"FailedEntryCount": 0})

    EventBridgePublisher("orders", "shop", client=service)(recorded())

    ((operation, params),) = service.sent
    (entry,) = params["Entries"]
    assert operation == "put_events"
    assert json.loads(entry.pop("Detail")) == MESSAGE
    assert entry == {
        "EventBusName": "orders",
        "Source": "shop",
        "DetailType": "account.deposited",
        "Time": MADE,
    }


def test_a_refusal_of_the_bus_is_a_try_in_vain():
    refusal = {"ErrorCode": "ThrottlingException", "ErrorMessage": "slowly"}
    service = Service({"FailedEntryCount": 1, "Entries": [refusal]})

    with pytest.raises(PublishingError, match="ThrottlingException: slowly"):
        EventBridgePublisher("orders", "shop", client=service)(recorded())


def test_a_topic_and_a_queue_are_given_attributes_to_filter_by():
    topic, queue = Service(), Service()

    SnsPublisher("arn:aws:sns:eu-west-1:1:events", client=topic)(recorded())
    SqsPublisher("https://sqs/1/events", client=queue)(recorded())

    ((operation, params),) = topic.sent
    assert operation == "publish"
    assert json.loads(params.pop("Message")) == MESSAGE
    assert params == {
        "TopicArn": "arn:aws:sns:eu-west-1:1:events",
        "MessageAttributes": ATTRIBUTES,
    }
    ((operation, params),) = queue.sent
    assert operation == "send_message"
    assert json.loads(params.pop("MessageBody")) == MESSAGE
    assert params == {"QueueUrl": "https://sqs/1/events", "MessageAttributes": ATTRIBUTES}


def test_fifo_keeps_the_order_of_a_stream_and_drops_repetitions():
    topic, queue = Service(), Service()

    SnsPublisher("arn:aws:sns:eu-west-1:1:events.fifo", client=topic)(recorded())
    SqsPublisher("https://sqs/1/events.fifo", client=queue)(recorded())

    for service in (topic, queue):
        params = service.sent[0][1]
        assert params["MessageGroupId"] == str(STREAM)
        assert params["MessageDeduplicationId"] == str(UUID_)


def test_empty_attributes_are_left_out():
    queue = Service()

    SqsPublisher("https://sqs/1/q", client=queue)(recorded(stream_id=StreamId(), tenant_id=""))

    assert queue.sent[0][1]["MessageAttributes"].keys() == {"name"}


def test_an_event_without_a_class_goes_out_as_it_is_stored():
    queue = Service()

    SqsPublisher("https://sqs/1/q", client=queue)(recorded(UnknownEvent("old.name", {"a": [1]})))

    message = json.loads(queue.sent[0][1]["MessageBody"])
    assert (message["name"], message["data"]) == ("old.name", {"a": [1]})


@pytest.mark.parametrize("more", [0, 1])
def test_what_is_too_large_is_not_sent(more):
    queue = Service()
    size = len(json.dumps({**MESSAGE, "name": "x", "data": {"t": ""}}, separators=(",", ":")))
    event = UnknownEvent("x", {"t": "y" * (MAX_BYTES - size + more)})

    if more:
        with pytest.raises(PublishingError, match="262,145 bytes"):
            SqsPublisher("https://sqs/1/q", client=queue)(recorded(event))
        assert not queue.sent
    else:
        SqsPublisher("https://sqs/1/q", client=queue)(recorded(event))
        assert len(queue.sent[0][1]["MessageBody"]) == MAX_BYTES


@pytest.mark.parametrize(
    ("arn", "kind", "target"),
    [
        ("arn:aws:events:eu-west-1:1:event-bus/b", EventBridgePublisher, None),
        ("arn:aws:sns:eu-west-1:1:t.fifo", SnsPublisher, None),
        ("arn:aws:sqs:eu-west-1:1:q", SqsPublisher, "https://sqs.eu-west-1.amazonaws.com/1/q"),
        (
            "arn:aws-cn:sqs:cn-north-1:1:q",
            SqsPublisher,
            "https://sqs.cn-north-1.amazonaws.com.cn/1/q",
        ),
    ],
)
def test_an_arn_says_what_it_is(arn, kind, target):
    publisher = publisher_for(arn, source="shop")

    assert type(publisher) is kind
    assert target is None or vars(publisher)["_queue_url"] == target


@pytest.mark.parametrize("arn", ["", "queue", "arn:aws:kinesis:eu-west-1:1:stream/s"])
def test_another_arn_is_refused(arn):
    with pytest.raises(ConfigurationError, match="event bus, a topic or a queue"):
        publisher_for(arn, source="shop")


@pytest.mark.parametrize("source", ["", "aws.shop"])
def test_a_source_that_eventbridge_refuses_is_refused_at_once(source):
    with pytest.raises(ConfigurationError, match="source"):
        EventBridgePublisher("orders", source)


def test_no_client_is_made_before_the_first_event(monkeypatch):
    made = []

    def connect(service, config):
        made.append(service)
        return Service({"FailedEntryCount": 0})

    monkeypatch.setattr("dynamo_es.aws_lambda.publishers._connect", connect)
    publisher = EventBridgePublisher("orders", "shop")
    assert not made

    for _ in range(2):
        publisher(recorded())

    assert made == ["events"]
