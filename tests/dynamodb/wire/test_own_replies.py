"""The library parses replies to its own requests, on its own clients; all others are botocore's."""

from __future__ import annotations

import logging
from dataclasses import replace

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from dynamo_es import DynamoBackend, DynamoConfig, ExplicitVersioning, StreamId
from dynamo_es.dynamodb.streams.requests import get_item, query_down
from dynamo_es.dynamodb.wire.boto import parsing
from dynamo_es.dynamodb.wire.client import make_client
from dynamo_es.exceptions import ServiceError, TableNotFoundError
from dynamo_es.testing.conformance.language import events
from tests.dynamodb.replies import answer

CONFIG = DynamoConfig(
    events_table="events",
    log_table="log",
    keys_table="keys",
    region="eu-central-1",
    endpoint_url="http://127.0.0.1:1",
)
KEY = "#Parsed#1"
ITEM = {"stream_key": {"S": KEY}, "version": {"N": "1"}, "events": {"B": "YQ=="}, "new": {"L": []}}
REPLY = {"Items": [ITEM], "Count": 1, "ScannedCount": 1}
FOUND = [{**ITEM, "events": {"B": b"a"}}]
QUERY = query_down("events", KEY)
GET = get_item("events", KEY, 1)


@pytest.fixture(autouse=True)
def _credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")


@pytest.fixture
def parsed(monkeypatch):
    """The operations whose replies the library parsed, as they come."""
    operations = []
    original = parsing.parse_reply

    def note(operation, body):
        operations.append(operation)
        return original(operation, body)

    monkeypatch.setattr(parsing, "parse_reply", note)
    return operations


@pytest.fixture
def backend():
    backend = DynamoBackend(CONFIG)
    answer(backend.client, "Query", [REPLY])
    return backend


def page_of(backend, request=QUERY):
    def ask():
        return (yield request)

    return backend.storage._gateway.run("load", "", None, ask())


def without_metadata(response):
    return {name: value for name, value in response.items() if name != "ResponseMetadata"}


def test_the_reply_to_a_request_of_the_store_is_parsed_here(backend, parsed):
    response = page_of(backend)
    assert parsed == ["Query"]
    assert without_metadata(response) == {**REPLY, "Items": FOUND}
    assert response["ResponseMetadata"] == {
        "HTTPStatusCode": 200,
        "HTTPHeaders": {"content-type": "application/x-amz-json-1.0"},
        "RetryAttempts": 0,
    }


def test_botocore_is_left_nothing_to_parse(backend):
    left = []
    backend.client.meta.events.register_last(
        "before-parse", lambda response_dict, **_: left.append(response_dict["body"])
    )
    page_of(backend)
    assert left == [b"{}"]


def test_the_reply_to_a_request_of_the_user_is_botocores(backend, parsed):
    assert backend.client.query(**QUERY.params)["Items"] == FOUND
    page_of(backend)
    assert backend.client.query(**QUERY.params)["Items"] == FOUND
    assert parsed == ["Query"], "the store's"


def test_after_a_failed_request_too(backend, parsed):
    answer(backend.client, "GetItem", "ValidationException")
    with pytest.raises(ServiceError):
        page_of(backend, GET)
    backend.client.query(**QUERY.params)
    assert parsed == []


def test_replies_to_a_client_of_the_user_are_botocores(parsed):
    client = boto3.client("dynamodb", "eu-central-1", endpoint_url=CONFIG.endpoint_url)
    backend = DynamoBackend(CONFIG, client)
    answer(client, "Query", [REPLY])
    assert page_of(backend)["Items"] == FOUND
    assert parsed == []


def test_an_error_is_botocores(backend, parsed):
    answer(backend.client, "GetItem", "ResourceNotFoundException")
    with pytest.raises(TableNotFoundError, match="so"):
        page_of(backend, GET)
    assert parsed == []


def test_hooks_of_the_user_see_the_whole_body(backend, parsed):
    seen = []

    def before(response_dict, **_):
        seen.append(response_dict["body"])

    hooks = backend.client.meta.events
    for event in ("before-parse", "before-parse.dynamodb.Query", "response-received.dynamodb"):
        hooks.register(event, before)
    page_of(backend)
    assert parsed == ["Query"]
    assert len(seen) == 3
    assert {b'"Count": 1' in body for body in seen} == {True}


def test_a_hook_that_changes_the_reply_has_its_way(backend, parsed):
    def change(customized_response_dict, **_):
        customized_response_dict["Count"] = 7

    backend.client.meta.events.register("before-parse.dynamodb", change)
    assert without_metadata(page_of(backend)) == {**REPLY, "Items": FOUND, "Count": 7}
    assert parsed == []


def test_a_log_of_botocore_has_the_whole_body(backend, parsed, caplog):
    with caplog.at_level(logging.DEBUG, "botocore.parsers"):
        assert page_of(backend)["Items"] == FOUND
    assert '"Count": 1' in caplog.text
    assert parsed == []


def test_stubbed_replies_are_untouched(parsed):
    backend = DynamoBackend(CONFIG)
    with Stubber(backend.client) as stubber:
        stubber.add_response("query", {"Items": FOUND}, QUERY.params)
        assert page_of(backend)["Items"] == FOUND
    assert parsed == []


def test_under_mock_aws_replies_are_parsed_as_well(parsed):
    with mock_aws():
        backend = DynamoBackend(replace(CONFIG, endpoint_url=None))
        backend.create_tables()
        assert parsed == []
        stream = StreamId()
        stored = events(stream, 2)
        backend.storage.insert_events(stream, ExplicitVersioning(0), stored)
        loaded = backend.storage.fetch_events(stream)
        assert [event.data for event in loaded] == [event.data for event in stored]
    assert "Query" in parsed


def test_the_emulator_is_read_the_same_way(parsed):
    with DynamoBackend.local() as backend:
        backend.storage.fetch_events(StreamId())
        backend.client.query(**query_down("events", KEY).params)
    assert parsed.count("Query") == 1


def test_a_client_has_one_parser_however_often_it_is_prepared(parsed):
    client = make_client(CONFIG)
    parsing.parse_own_replies(client)
    backend = DynamoBackend(CONFIG, client)
    answer(client, "Query", [REPLY])
    page_of(backend)
    assert parsed == ["Query"]
