"""Publishers send events to EventBridge, SNS and SQS, and refuse those that do not fit."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import pytest

from dynamo_es import (
    Context,
    DataSubject,
    Encrypted,
    Event,
    RawEvent,
    Recorded,
    RecordedRaw,
    StreamId,
    UnknownEvent,
    WrappedEvent,
)
from dynamo_es.aws_lambda import EventBridgePublisher, SnsPublisher, SqsPublisher
from dynamo_es.aws_lambda.publishers import MAX_BYTES, MAX_TOPIC_BYTES, publisher_for
from dynamo_es.exceptions import ConfigurationError, PublishingError
from tests.aws_lambda.lambdas import Service
from tests.event_store.accounts import Deposited

UUID_ = UUID("018f0000-0000-7000-8000-000000000001")
STREAM = StreamId(name="ann", category="account")
KEY = f"acme#account#{STREAM}"
MADE = datetime(2026, 1, 31, 12, tzinfo=UTC)
MESSAGE = {
    "id": str(UUID_),
    "name": "account.deposited",
    "stream": {"tenant": "acme", "category": "account", "uuid": str(STREAM), "name": "ann"},
    "generation": 5,
    "version": 3,
    "position": 17,
    "at": "2026-01-31T12:00:00+00:00",
    "schema_version": 1,
    "data": {"amount": 5},
    "context": {"user": "ann"},
}
ATTRIBUTES = {
    "name": {"DataType": "String", "StringValue": "account.deposited"},
    "category": {"DataType": "String", "StringValue": "account"},
    "tenant": {"DataType": "String", "StringValue": "acme"},
}


class Told(Event):
    note: Annotated[str, Encrypted(mask_value="*")]
    whose: Annotated[str, DataSubject] = "ann"


def recorded(data=None, name="account.deposited", context=None, **changes):
    """Return an event as the outbox hands it over."""
    entry = {
        "uuid": UUID_,
        "stream_id": STREAM,
        "created_at": MADE,
        "name": name,
        "data": {"amount": 5} if data is None else data,
        "context": {"user": "ann"} if context is None else context,
        "version": 3,
    }
    given = {key: changes.pop(key) for key in entry.keys() & changes.keys()}
    fields = {"position": 17, "tenant_id": "acme", "generation": 5, **changes}
    return RecordedRaw(RawEvent(**{**entry, **given}), **fields)


def typed(event):
    """Return an event as a projection is given it."""
    wrapped = WrappedEvent(event, 3, UUID_, MADE, Context(user="ann"))
    return Recorded(wrapped, STREAM, 17, "acme", 5)


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
        "Resources": [KEY],
        "Time": MADE,
    }


def test_a_bus_takes_a_time_without_a_zone_for_what_it_is():
    service = Service({"FailedEntryCount": 0})

    EventBridgePublisher("b", "shop", client=service)(
        recorded(created_at=MADE.replace(tzinfo=None))
    )

    assert service.sent[0][1]["Entries"][0]["Time"] == MADE


def test_a_refusal_of_the_bus_is_a_try_that_failed():
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


def in_order(record):
    """Return the group and the deduplication id of an event, the same on topics and queues."""
    topic, queue = Service(), Service()
    SnsPublisher("arn:aws:sns:eu-west-1:1:events.fifo", client=topic)(record)
    SqsPublisher("https://sqs/1/events.fifo", client=queue)(record)
    found = {
        (params["MessageGroupId"], params["MessageDeduplicationId"])
        for service in (topic, queue)
        for _, params in service.sent
    }
    assert len(found) == 1
    return found.pop()


def test_fifo_keeps_the_order_of_a_stream_and_drops_repetitions():
    group, repetition = in_order(recorded())

    assert group == KEY
    assert repetition.startswith(str(UUID_))
    assert in_order(recorded()) == (group, repetition)


SAME_UUID = {
    "another tenant": {"tenant_id": "umbrella"},
    "another category": {"stream_id": StreamId(name="ann", category="order")},
    "no category": {"stream_id": StreamId(name="ann")},
    "another stream": {"stream_id": StreamId(name="bob", category="account")},
}


@pytest.mark.parametrize("change", SAME_UUID.values(), ids=SAME_UUID)
def test_fifo_neither_mixes_streams_nor_drops_an_event_that_two_of_them_have(change):
    group, repetition = in_order(recorded(**change))

    assert group != KEY
    assert repetition != in_order(recorded())[1]


@pytest.mark.parametrize("change", [{"version": 4, "position": 18}, {"generation": 6}])
def test_fifo_does_not_drop_an_event_that_a_stream_has_twice(change):
    group, repetition = in_order(recorded(**change))
    assert group == KEY
    assert repetition != in_order(recorded())[1]


@pytest.mark.parametrize("tenant", ["ü", "a b", "a\n", "x" * 129, "#", "%", "", "\U0001f600"])
def test_a_group_is_made_of_what_fifo_takes_whatever_the_tenant_is_called(tenant):
    group, repetition = in_order(recorded(tenant_id=tenant))

    for text in (group, repetition):
        assert 1 <= len(text) <= 128
        assert all("!" <= character <= "~" for character in text)
    assert group != in_order(recorded(tenant_id=tenant + "2"))[0]


def test_empty_attributes_are_left_out():
    queue = Service()

    SqsPublisher("https://sqs/1/q", client=queue)(recorded(stream_id=StreamId(), tenant_id=""))

    assert queue.sent[0][1]["MessageAttributes"].keys() == {"name"}


@pytest.mark.parametrize("text", ["\0", "a\x1f", "\uffff", "\ufffe"])
def test_what_queues_refuse_is_escaped_in_the_message_and_no_attribute(text):
    queue = Service()

    SqsPublisher("https://sqs/1/q", client=queue)(recorded({"t": text}, tenant_id=text))

    ((_, params),) = queue.sent
    assert params["MessageAttributes"].keys() == {"name", "category"}
    assert text not in params["MessageBody"]
    assert json.loads(params["MessageBody"])["data"] == {"t": text}
    assert json.loads(params["MessageBody"])["stream"]["tenant"] == text


def test_an_event_goes_out_as_it_is_stored():
    queue = Service()
    notes = [["ann", "k1", {"/note": "*"}]]

    SqsPublisher("https://sqs/1/q", client=queue)(
        recorded(
            {"note": "c2VhbGVk"},
            "told",
            {"user": "ann", "$schema": 4, "$encrypted": notes, "$of the next release": 1},
        )
    )

    assert json.loads(queue.sent[0][1]["MessageBody"]) == {
        **MESSAGE,
        "name": "told",
        "schema_version": 4,
        "data": {"note": "c2VhbGVk"},
        "context": {"user": "ann", "$encrypted": notes, "$of the next release": 1},
    }


@pytest.mark.parametrize("wrong", [{"data": [1]}, {"context": [1]}])
def test_what_another_writer_stored_as_no_object_is_refused(wrong):
    with pytest.raises(PublishingError, match="not a JSON object"):
        SqsPublisher("https://sqs/1/q", client=Service())(recorded(**wrong))


def test_an_event_of_a_projection_goes_out_in_the_same_shape():
    queue = Service()
    SqsPublisher("https://sqs/1/q", client=queue)(typed(Deposited(amount=5)))
    assert json.loads(queue.sent[0][1]["MessageBody"]) == MESSAGE


def test_an_event_of_no_class_tells_that_its_schema_is_not_known():
    queue = Service()
    SqsPublisher("https://sqs/1/q", client=queue)(typed(UnknownEvent("old", {"a": [1]})))
    assert json.loads(queue.sent[0][1]["MessageBody"]) == {
        **MESSAGE,
        "name": "old",
        "data": {"a": [1]},
        "schema_version": None,
    }


def test_encrypted_fields_never_go_out_in_clear():
    queue = Service()

    with pytest.raises(PublishingError, match="encrypted fields") as refused:
        SqsPublisher("https://sqs/1/q", client=queue)(typed(Told(note="the secret")))

    assert not queue.sent
    assert "the secret" not in str(refused.value)


LIMITS = [
    (lambda service: SqsPublisher("https://sqs/1/q", client=service), MAX_BYTES, 1_048_576),
    (lambda service: EventBridgePublisher("b", "shop", client=service), MAX_BYTES, 1_048_576),
    (lambda service: SnsPublisher("arn:topic", client=service), MAX_TOPIC_BYTES, 262_144),
]


def counted(params):
    """Return the bytes that a service counts of a call."""
    if "Entries" in params:
        (entry,) = params["Entries"]
        counted = [entry["Source"], entry["DetailType"], entry["Detail"], *entry["Resources"]]
        return sum(len(text.encode()) for text in counted) + 14
    (body,) = (params[name] for name in ("Message", "MessageBody") if name in params)
    attributes = sum(
        len(name.encode()) + sum(len(value.encode()) for value in attribute.values())
        for name, attribute in params["MessageAttributes"].items()
    )
    return len(body.encode()) + attributes


@pytest.mark.parametrize(("publisher", "limit", "documented"), LIMITS)
def test_what_is_too_large_is_not_sent(publisher, limit, documented):
    assert limit == documented
    service = Service()
    publisher(service)(recorded({"t": "é"}))
    room = limit - counted(service.sent[0][1])

    publisher(service)(recorded({"t": "é" + "y" * room}))
    assert counted(service.sent[1][1]) == limit

    with pytest.raises(PublishingError, match=f"{limit + 1:,} bytes"):
        publisher(service)(recorded({"t": "é" + "y" * (room + 1)}))
    assert len(service.sent) == 2


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


class Answering(Service):
    """Answers each call as a function of its entries says."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def __getattr__(self, name):
        def call(**params):
            self.sent.append((name, params))
            return self.answer(params)

        return call


def numbered(count, **changes):
    return [recorded({"n": n}, position=n, **changes) for n in range(1, count + 1)]


def entries_of(params):
    (entries,) = (value for value in params.values() if isinstance(value, list))
    return entries


SERVICES = {
    "put_events": lambda service: EventBridgePublisher("b", "shop", client=service),
    "publish_batch": lambda service: SnsPublisher("arn:t", client=service),
    "send_message_batch": lambda service: SqsPublisher("https://sqs/1/q", client=service),
}
every_service = pytest.mark.parametrize("operation", SERVICES)


@every_service
def test_ten_events_go_out_in_one_call(operation):
    service = Answering(lambda params: {})
    publisher = SERVICES[operation](service)
    assert publisher.at_once == 10

    assert publisher.publish_all(numbered(10)) == [None] * 10

    ((sent, params),) = service.sent
    assert sent == operation
    entries = entries_of(params)
    assert len(entries) == 10
    if operation != "put_events":
        assert [entry["Id"] for entry in entries] == [str(n) for n in range(10)]
    texts = [
        str(entry.get("Detail", entry.get("Message", entry.get("MessageBody"))))
        for entry in entries
    ]
    assert [json.loads(text)["data"]["n"] for text in texts] == list(range(1, 11))


@every_service
def test_a_refused_event_does_not_hold_up_those_of_its_call(operation):
    def answer(params):
        refusal = {"ErrorCode": "Throttled", "ErrorMessage": "slowly"}
        if operation == "put_events":
            taken = [{"EventId": "1"} for _ in params["Entries"]]
            return {"FailedEntryCount": 1, "Entries": [*taken[:2], refusal]}
        return {"Successful": [], "Failed": [{"Id": "2", "Code": "Throttled", "Message": "slowly"}]}

    outcomes = SERVICES[operation](Answering(answer)).publish_all(numbered(3))

    assert outcomes[:2] == [None, None]
    assert isinstance(outcomes[2], PublishingError)
    assert "Throttled: slowly" in str(outcomes[2])


@every_service
def test_a_call_holds_no_more_than_the_services_take(operation):
    service = Answering(lambda params: {})
    large = [recorded({"t": "y" * 100_000}, position=n) for n in range(5)]

    assert SERVICES[operation](service).publish_all(large) == [None] * 5

    sizes = [
        len(entries_of(params)) if "Id" in str(params) or "Entries" in params else 1
        for _, params in service.sent
    ]
    assert sizes == [2, 2, 1]


@every_service
def test_an_event_that_is_too_large_fails_alone(operation):
    service = Answering(lambda params: {})
    events = [*numbered(2), recorded({"t": "y" * 2_000_000})]

    outcomes = SERVICES[operation](service).publish_all(events)

    assert outcomes[:2] == [None, None]
    assert "bytes" in str(outcomes[2])
    assert len(service.sent) == 1


@every_service
def test_an_error_of_the_call_is_the_outcome_of_each(operation):
    def answer(params):
        raise ConnectionError

    outcomes = SERVICES[operation](Answering(answer)).publish_all(numbered(3))

    assert [type(one) for one in outcomes] == [ConnectionError] * 3


def test_several_events_of_a_fifo_queue_keep_their_groups():
    service = Answering(lambda params: {})
    SqsPublisher("https://sqs/1/q.fifo", client=service).publish_all(numbered(2))

    first, second = entries_of(service.sent[0][1])
    assert first["MessageGroupId"] == second["MessageGroupId"] == KEY
    assert first["MessageDeduplicationId"] != second["MessageDeduplicationId"]
