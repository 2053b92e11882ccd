"""A reply that did not come from DynamoDB is never a success: the request may have arrived."""

from __future__ import annotations

import json
from binascii import crc32
from contextlib import contextmanager
from unittest.mock import patch

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from moto.core.botocore_stubber import MockRawResponse

from dynamo_es import ANY_VERSION, NO_VERSIONING, DynamoBackend, ExplicitVersioning, StreamId
from dynamo_es.dynamodb.streams.requests import get_item, put_commit, query_down
from dynamo_es.dynamodb.wire.attempts.reply_checks import misdirected, misdirected_refusal
from dynamo_es.dynamodb.wire.steps import Request
from dynamo_es.exceptions import AppendOutcomeUnknownError, EventStoreError, UnavailableError
from dynamo_es.testing.conformance.language import a_snapshot, an_event, assert_same, events
from tests.dynamodb.replies import requests_of

JSON = "application/x-amz-json-1.0"
PAGE = "<html><body>Please log in</body></html>"
OTHERS = {"stream_key": {"S": "#Other#1"}, "version": {"N": "1"}}


class Reply:
    """What answers in DynamoDB's place.

    Args:
        body: text of the reply.
        kind: its content type; None: it has none.
        checksum: its CRC32 header; None: none, "right": that of the body.
        status: of HTTP.
    """

    def __init__(self, body, kind=JSON, checksum=None, status=200):
        self.body, self.kind, self.status = body, kind, status
        self.checksum = str(crc32(body.encode())) if checksum == "right" else checksum

    def to(self, request):
        headers = {"content-type": self.kind, "x-amz-crc32": self.checksum}
        there = {name: value for name, value in headers.items() if value is not None}
        raw = MockRawResponse(self.body)
        return AWSResponse(request.url, self.status, HTTPHeaders.from_dict(there), raw)


REPLIES = {
    "a page": Reply(PAGE, "text/html"),
    "a page that says it is JSON": Reply(PAGE),
    "nothing": Reply("", None),
    "nothing, as JSON": Reply("", JSON, "right"),
    "an empty object of a proxy": Reply("{}", "application/json"),
    "an empty object without a content type": Reply("{}", None),
    "an empty object with another's checksum": Reply("{}", JSON, "7"),
    "an empty object with a checksum that is no number": Reply("{}", JSON, "seven"),
    "an empty object of text with a right checksum": Reply("{}", "text/plain", "right"),
    "a cut object": Reply('{"ConsumedCapacity": {"Capac', JSON),
    "a cut object with its checksum": Reply('{"Items": [{"str', JSON, "99"),
    "a list": Reply("[]", JSON),
    "null": Reply("null", JSON),
    "a text": Reply('"ok"', JSON, "right"),
    "an object of something else": Reply('{"status": "ok"}', JSON, "right"),
    "members of other kinds": Reply(
        '{"Items": 7, "Item": 7, "Attributes": 7, "ConsumedCapacity": 7}', JSON, "right"
    ),
    "a redirect": Reply(PAGE, "text/html", status=302),
    "an odd success": Reply("{}", JSON, status=300),
    "a proxy's refusal": Reply(PAGE, "text/html", status=403),
    "a gateway's refusal": Reply('{"message": "Forbidden"}', "application/json", status=403),
    "a cut refusal": Reply('{"__type": "com.ama', JSON, "99", status=400),
    "a refusal that is a list": Reply("[]", JSON, status=400),
}


@pytest.fixture(scope="module")
def backend():
    backend = DynamoBackend.local(sequencing="stream")
    yield backend
    backend.close()


@contextmanager
def answering(backend, reply):
    """Let every request be answered so, without waiting between attempts."""

    def answer(request, **_):
        return reply.to(request)

    events = backend.client.meta.events
    events.register("before-send.dynamodb", answer)
    try:
        with patch("botocore.endpoint.time.sleep"):
            yield
    finally:
        events.unregister("before-send.dynamodb", answer)


@pytest.fixture
def stream(backend):
    stream = StreamId(category="Replies")
    backend.storage.insert_events(stream, ExplicitVersioning(0), events(stream, 2))
    return stream


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
@pytest.mark.parametrize("versioning", [ExplicitVersioning(2), ANY_VERSION])
def test_append_is_of_unknown_outcome(backend, stream, reply, versioning):
    with answering(backend, reply), pytest.raises(AppendOutcomeUnknownError):
        backend.storage.insert_events(stream, versioning, [an_event(stream)])


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_append_that_was_not_carried_out_can_be_repeated(backend, stream, reply):
    before = backend.storage.fetch_events(stream)
    third = an_event(stream)
    with answering(backend, reply), pytest.raises(AppendOutcomeUnknownError):
        backend.storage.insert_events(stream, ExplicitVersioning(2), [third])

    assert_same(backend.storage.fetch_events(stream), before)
    backend.storage.insert_events(stream, ExplicitVersioning(2), [third])
    assert len(backend.storage.fetch_events(stream)) == 3


OPERATIONS = {
    "create": lambda backend, _: backend.storage.insert_events(
        new := StreamId(), ExplicitVersioning(0), [an_event(new)]
    ),
    "create without versions": lambda backend, _: backend.storage.insert_events(
        new := StreamId(), NO_VERSIONING, [an_event(new)]
    ),
    "load": lambda backend, stream: backend.storage.fetch_events(stream),
    "load a range": lambda backend, stream: backend.storage.fetch_events(stream, 1, 2),
    "delete": lambda backend, stream: backend.storage.delete_stream(stream),
    "save a snapshot": lambda backend, stream: backend.storage.save_snapshot(a_snapshot(stream, 2)),
    "read the end of the log": lambda backend, _: backend.storage.current_position,
    "read the log": lambda backend, _: backend.log.reader(0).read(),
    "list streams": lambda backend, _: list(backend.log.streams("Replies", "")),
    "list tenants": lambda backend, _: list(backend.log.tenants()),
    "save a checkpoint": lambda backend, _: backend.checkpoints.move("balances", 1),
    "read a checkpoint": lambda backend, _: backend.checkpoints.position("balances"),
    "shred": lambda backend, _: backend.encryption.shred("somebody"),
}


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_no_operation_takes_it_for_a_success(backend, stream, operation, reply):
    with answering(backend, reply), pytest.raises(EventStoreError) as caught:
        operation(backend, stream)
    assert isinstance(caught.value, UnavailableError | AppendOutcomeUnknownError)


@pytest.fixture
def fresh():
    """A backend whose client has not failed yet: after many failures it tries once only."""
    backend = DynamoBackend.local(sequencing="stream")
    yield backend
    backend.close()


@pytest.mark.parametrize("name", ["a page", "nothing", "a cut object with its checksum"])
def test_it_is_asked_for_again_and_the_message_says_what_came(fresh, name):
    sent = []
    fresh.client.meta.events.register_first(
        "before-send.dynamodb", lambda **_: sent.append("attempt")
    )
    with (
        answering(fresh, REPLIES[name]),
        pytest.raises(UnavailableError, match="did not come from DynamoDB"),
    ):
        fresh.storage.fetch_events(StreamId())
    assert len(sent) == fresh.config.max_attempts


def test_lost_in_two_attempts_only_it_is_no_failure(fresh):
    stream = StreamId()
    fresh.storage.insert_events(stream, ExplicitVersioning(0), events(stream, 2))
    left = [REPLIES["a page"], REPLIES["a cut object with its checksum"]]

    def answer(request, **_):
        return left.pop().to(request) if left else None

    fresh.client.meta.events.register("before-send.dynamodb", answer)
    with patch("botocore.endpoint.time.sleep"):
        stored = fresh.storage.fetch_events(stream)
    assert len(stored) == 2
    assert not left


def test_genuine_replies_pass_whatever_is_asked_for(backend, stream):
    sent = requests_of(backend.client)
    backend.storage.delete_stream(stream)
    backend.create_tables()
    backend.client.list_tables()
    backend.client.tag_resource(
        ResourceArn=backend.client.describe_table(TableName="events")["Table"]["TableArn"],
        Tags=[{"Key": "a", "Value": "b"}],
    )
    backend.client.query(
        TableName="events",
        Select="COUNT",
        KeyConditionExpression="stream_key = :key",
        ExpressionAttributeValues={":key": {"S": "x"}},
    )
    assert sent["TagResource"] == 1


@pytest.mark.parametrize(
    ("endpoint", "refused"),
    [
        ("https://dynamodb.eu-central-1.amazonaws.com", True),
        ("https://dynamodb.cn-north-1.amazonaws.com.cn", True),
        ("https://dynamodb.eu-central-1.api.aws", True),
        ("https://streams.dynamodb.eu-central-1.amazonaws.com", False),
        ("http://127.0.0.1:8000", False),
    ],
)
def test_aws_sends_a_checksum_with_every_reply_and_other_engines_may(
    backend, monkeypatch, endpoint, refused
):
    client = backend.client
    monkeypatch.setattr(client._endpoint, "host", endpoint)
    stream = StreamId()
    with answering(backend, Reply(json.dumps({"Items": [], "Count": 0}))):
        if refused:
            with pytest.raises(UnavailableError, match="no x-amz-crc32 header"):
                backend.storage.fetch_events(stream)
        else:
            assert backend.storage.fetch_events(stream) == []


# Replies to other requests


def sound(body):
    return Reply(json.dumps(body), JSON, "right")


def test_items_of_another_stream_are_never_returned(backend, stream):
    other = StreamId(category="Replies")
    backend.storage.insert_events(other, ExplicitVersioning(0), events(other, 2))
    kept = []
    note = backend.client.meta.events
    note.register(
        "response-received.dynamodb", lambda response_dict, **_: kept.append(response_dict["body"])
    )
    backend.storage.fetch_events(other)

    with answering(backend, Reply(kept[0].decode(), JSON, "right")):
        with pytest.raises(UnavailableError, match="the reply is about stream_key") as caught:
            backend.storage.fetch_events(stream)
        with pytest.raises(EventStoreError):
            backend.storage.delete_stream(stream)
        with pytest.raises(EventStoreError):
            backend.storage.insert_events(stream, ANY_VERSION, [an_event(stream)])
    assert str(stream) in str(caught.value)
    assert len(backend.storage.fetch_events(stream)) == 2


def test_what_stands_in_the_way_of_another_write_leaves_the_outcome_unknown(backend, stream):
    refusal = {
        "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
        "message": "The conditional request failed",
        "Item": {**OTHERS, "generation": {"N": "5"}, "event_count": {"N": "1"}},
    }
    reply = Reply(json.dumps(refusal), JSON, "right", status=400)
    with answering(backend, reply), pytest.raises(AppendOutcomeUnknownError):
        backend.storage.insert_events(stream, ExplicitVersioning(2), [an_event(stream)])


KEY = {"stream_key": {"S": "a"}, "version": {"N": "1"}}
BATCH = Request("batch_get_item", {"RequestItems": {"events": {"Keys": [KEY]}}})
SCAN = Request("scan", {"TableName": "events", "ExclusiveStartKey": KEY})
OURS = {"events": ("stream_key", "version")}
PUT = put_commit("events", {**KEY, "generation": {"N": "1"}})


@pytest.mark.parametrize(
    ("request_", "response", "about"),
    [
        (get_item("events", "a", 1), {}, None),
        (get_item("events", "a", 1), {"Item": KEY}, None),
        (get_item("events", "a", 1), {"Item": OTHERS}, "stream_key"),
        (get_item("events", "a", 2), {"Item": KEY}, "version"),
        (query_down("events", "a"), {"Items": [KEY]}, None),
        (query_down("events", "a"), {"Items": [KEY, OTHERS]}, "stream_key"),
        (query_down("events", "a", below=3), {"Items": [{"version": {"N": "1"}}]}, "stream_key"),
        (BATCH, {"Responses": {"events": [KEY]}}, None),
        (BATCH, {"Responses": {"events": [{"stream_key": {"S": "a"}}]}}, None),
        (BATCH, {"Responses": {"events": [OTHERS]}}, "stream_key"),
        (BATCH, {"Responses": {"other": [KEY]}}, "the table other"),
        (BATCH, {"Responses": {}}, None),
        (SCAN, {"Items": [], "LastEvaluatedKey": OTHERS}, None),
        (SCAN, {"Items": [], "LastEvaluatedKey": KEY}, "names itself as the next page"),
    ],
)
def test_what_a_reply_is_about_is_compared_with_what_was_asked_for(request_, response, about):
    found = misdirected(request_, response)
    assert found is None if about is None else about in (found or "")


@pytest.mark.parametrize(
    ("request_", "items", "refused"),
    [
        (PUT, [KEY], False),
        (PUT, [OTHERS], True),
        (PUT, [None], False),
        (Request("transact_write_items", {"TransactItems": [{"Put": PUT.params}]}), [OTHERS], True),
        (
            Request("transact_write_items", {"TransactItems": [{"Put": {"TableName": "theirs"}}]}),
            [OTHERS],
            False,
        ),
    ],
)
def test_what_stands_in_the_way_is_compared_with_where_the_write_goes(request_, items, refused):
    assert (misdirected_refusal(request_, items, OURS) is not None) is refused
