"""The library makes the bodies of its own requests as botocore does; users' are botocore's."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import botocore.serialize
import pytest
from hypothesis import given, settings

from dynamo_es import DynamoConfig
from dynamo_es.dynamodb.wire.attempts.watching import attempts
from dynamo_es.dynamodb.wire.boto import serializing
from dynamo_es.dynamodb.wire.boto.serializing import Serializer
from dynamo_es.dynamodb.wire.client import checking_parameters, make_client
from dynamo_es.dynamodb.wire.encoding.bodies import OPERATIONS, body_of
from tests.dynamodb.wire.test_lean import ITEMS

CONFIG = DynamoConfig(
    events_table="events",
    log_table="log",
    keys_table="keys",
    region="eu-central-1",
    endpoint_url="http://127.0.0.1:1",
)


@pytest.fixture(scope="module")
def client() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "local")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "local")
        return make_client(CONFIG)


@pytest.fixture(autouse=True)
def _as_the_library():
    attempts.reset()
    yield
    attempts.sending = False


@pytest.fixture
def bodies(monkeypatch):
    """The parameters that the library makes a body of."""
    made = []
    original = body_of

    def note(params):
        made.append(params)
        return original(params)

    monkeypatch.setattr(serializing, "body_of", note)
    return made


def both(client: Any, operation: str, params: dict[str, Any]) -> tuple[Any, Any]:
    """Return a request by the library and by botocore; the library learns from botocore first."""
    model = client.meta.service_model.operation_model(operation)
    theirs = botocore.serialize.create_serializer("json", include_validation=False)
    expected = theirs.serialize_to_request(params, model)
    serializer = client._serializer
    serializer.serialize_to_request({}, model)
    return serializer.serialize_to_request(params, model), expected


@given(ITEMS)
@settings(max_examples=50, deadline=None)
def test_a_request_is_what_botocore_makes(client, item):
    put = {"TableName": "events", "Item": item}
    for operation, params in (
        ("PutItem", put),
        ("TransactWriteItems", {"TransactItems": [{"Put": put}], "ClientRequestToken": "1"}),
        ("BatchExecuteStatement", {"Statements": [{"Parameters": [*item.values()]}]}),
    ):
        ours, theirs = both(client, operation, params)
        assert ours == theirs


@pytest.mark.parametrize("operation", OPERATIONS.values())
def test_each_operation_of_the_library_takes_this_way(client, bodies, operation):
    ours, theirs = both(client, operation, {})

    assert ours == theirs
    assert bodies


def test_what_botocore_adds_to_a_request_is_not_in_the_next(client):
    first, _ = both(client, "PutItem", {})
    expected = copy.deepcopy(first)
    first["headers"]["User-Agent"] = "Boto3"
    first["url"] = "http://127.0.0.1:1/"

    assert both(client, "PutItem", {})[0] == expected


def test_other_operations_are_botocores(client, bodies):
    both(client, "ListTables", {"Limit": 1})

    assert bodies == []


def test_requests_of_users_are_botocores(client, bodies):
    both(client, "PutItem", {})
    bodies.clear()
    attempts.sending = False

    both(client, "PutItem", {"Item": {"a": {"B": "text"}}})

    assert bodies == []


def test_the_client_for_users_checks_their_parameters(client, bodies):
    attempts.sending = False
    with pytest.raises(botocore.exceptions.ParamValidationError):
        checking_parameters(client).put_item(TableName="events")


def test_a_value_that_no_request_holds_is_refused(client):
    both(client, "PutItem", {})
    model = client.meta.service_model.operation_model("PutItem")

    with pytest.raises(TypeError, match="cannot hold a value of object"):
        client._serializer.serialize_to_request({"Item": {"a": {"S": object()}}}, model)


def test_a_serializer_that_a_tool_has_patched_is_called(client, bodies, monkeypatch):
    both(client, "PutItem", {})
    bodies.clear()
    original = botocore.serialize.JSONSerializer.serialize_to_request

    def patched(self, parameters, model):
        return original(self, parameters, model)

    monkeypatch.setattr(botocore.serialize.JSONSerializer, "serialize_to_request", patched)

    both(client, "PutItem", {})

    assert bodies == []


def test_the_setting_leaves_it_to_botocore(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    client: Any = make_client(replace(CONFIG, transport="botocore"))

    assert not isinstance(client._serializer, Serializer)
