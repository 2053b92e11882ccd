"""The lean transport sends what botocore sends, and returns and raises what botocore does."""

from __future__ import annotations

import base64
import gzip
import json
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    ReadTimeoutError,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo_es.dynamodb.wire.encoding.bodies import OPERATIONS
from dynamo_es.dynamodb.wire.lean.retries import RETRIED_BY_MODEL, WRITES
from tests.dynamodb.wire.both_transports import (
    CONFIG,
    ENDPOINT,
    Scripted,
    answer,
    failure,
    of_botocore,
    of_lean,
    outcome,
)

PARAMS: dict[str, dict[str, Any]] = {
    "put_item": {"TableName": "events", "Item": {"stream_key": {"S": "a"}}},
    "query": {"TableName": "events"},
    "get_item": {"TableName": "events", "Key": {}},
    "update_item": {"TableName": "events", "Key": {}},
    "batch_get_item": {"RequestItems": {"events": {"Keys": []}}},
    "transact_get_items": {"TransactItems": []},
    "transact_write_items": {"ClientRequestToken": "token", "TransactItems": []},
    "batch_execute_statement": {"Statements": []},
}
PUT = PARAMS["put_item"]
OK = answer(b"{}")
_SCALARS = (
    st.fixed_dictionaries({"S": st.text(max_size=20)})
    | st.fixed_dictionaries({"N": st.integers().map(str)})
    | st.fixed_dictionaries({"B": st.binary(max_size=20)})
    | st.fixed_dictionaries({"BOOL": st.booleans()})
    | st.just({"NULL": True})
    | st.fixed_dictionaries({"SS": st.lists(st.text(max_size=5), min_size=1, max_size=3)})
    | st.fixed_dictionaries({"BS": st.lists(st.binary(max_size=5), min_size=1, max_size=3)})
)
_NAMES = st.text(min_size=1, max_size=6) | st.sampled_from(["B", "BS", "S", "L", "M", "Item"])
_VALUES = st.recursive(
    _SCALARS,
    lambda values: (
        st.fixed_dictionaries({"L": st.lists(values, max_size=3)})
        | st.fixed_dictionaries({"M": st.dictionaries(_NAMES, values, max_size=3)})
    ),
    max_leaves=6,
)
ITEMS = st.dictionaries(_NAMES, _VALUES, min_size=1, max_size=4)


@pytest.fixture(scope="module")
def shared() -> Any:
    """Connections and clients of both transports, which hypothesis may use again and again."""
    connections = Scripted(OK)
    return connections, of_botocore(connections), of_lean(connections)


def as_text(headers: Any) -> dict[str, str]:
    return {
        name.lower(): value.decode() if isinstance(value, bytes) else str(value)
        for name, value in headers.items()
    }


# --- requests


@given(ITEMS, st.text(max_size=12))
@settings(max_examples=60, deadline=None)
def test_a_request_is_signed_as_botocore_signs_it(shared, item, condition):
    connections, ordinary, lean = shared
    connections.replies = [OK]
    params = {"TableName": "events", "Item": item, "ConditionExpression": condition}
    theirs = ours = None
    expected: dict[str, str] = {}
    sent: dict[str, str] = {}
    for _ in range(3):  # the signature has the second in it
        connections.sent.clear()
        ordinary.put_item(**params)
        lean.put_item(**params)
        theirs, ours = connections.sent
        expected, sent = as_text(theirs.headers), as_text(ours.headers)
        if expected["x-amz-date"] == sent["x-amz-date"]:
            break
    assert theirs is not None
    assert ours is not None
    assert (ours.url, ours.body) == (theirs.url, theirs.body)
    # Older releases of botocore do not say the most attempts in the first one.
    assert sent["amz-sdk-request"].startswith(expected["amz-sdk-request"])
    of_each = {"user-agent", "amz-sdk-invocation-id", "amz-sdk-request"}
    without = {"content-length"}  # which the connection adds
    assert sent.keys() == expected.keys() - without
    assert {name: sent[name] for name in sent.keys() - of_each} == {
        name: expected[name] for name in expected.keys() - of_each - without
    }


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_every_operation_has_its_target(operation):
    connections = Scripted(OK)
    with suppress(ClientError):  # an empty reply is no reply to a read
        getattr(of_lean(connections), operation)()
    target = connections.sent[0].headers["X-Amz-Target"]
    assert target == f"DynamoDB_20120810.{OPERATIONS[operation]}"


def test_other_operations_are_not_sent():
    with pytest.raises(AttributeError, match="does not send create_table"):
        _ = of_lean(Scripted(OK)).create_table


def test_a_transaction_has_a_token_which_all_its_attempts_share():
    connections = Scripted(failure("InternalServerError", 500), OK)
    outcome(of_lean(connections), "transact_write_items", {"TransactItems": []})
    first, second = (json.loads(request.body) for request in connections.sent)
    assert len(first["ClientRequestToken"]) == 36
    assert first == second
    outcome(of_lean(connections), "transact_write_items", {"ClientRequestToken": "mine"})
    assert json.loads(connections.sent[-1].body)["ClientRequestToken"] == "mine"


def test_each_attempt_says_which_it_is():
    connections = Scripted(failure("InternalServerError", 500), OK)
    outcome(of_lean(connections), "put_item", PUT)
    said = [request.headers["amz-sdk-request"] for request in connections.sent]
    assert said == ["attempt=1; max=4", "attempt=2; max=4"]
    assert len({request.headers["amz-sdk-invocation-id"] for request in connections.sent}) == 1


@pytest.mark.parametrize("value", [{1, 2.5, object()}, object(), 1j])
def test_a_value_that_is_none_of_the_wire_is_refused(value):
    connections = Scripted(OK)
    with pytest.raises(TypeError):
        of_lean(connections).put_item(TableName="events", Item={"a": {"S": value}})
    assert not connections.sent


def test_the_trace_of_a_function_goes_along(monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1é")
    connections = Scripted(OK)
    of_botocore(connections).put_item(**PUT)
    of_lean(connections).put_item(**PUT)
    theirs, ours = (as_text(request.headers)["x-amzn-trace-id"] for request in connections.sent)
    assert ours == theirs


# --- replies


def wire(item: Any) -> Any:
    """Return an item as DynamoDB sends it."""
    if isinstance(item, dict):
        return {name: wire(value) for name, value in item.items()}
    if isinstance(item, list):
        return [wire(value) for value in item]
    return base64.b64encode(item).decode() if isinstance(item, bytes) else item


@given(st.lists(ITEMS, max_size=3), ITEMS)
@settings(max_examples=60, deadline=None)
def test_a_reply_is_parsed_as_botocore_parses_it(shared, items, key):
    connections, ordinary, lean = shared
    replies = {
        "query": {"Items": items, "Count": len(items), "LastEvaluatedKey": key},
        "get_item": {"Item": key, "ConsumedCapacity": {"TableName": "B", "CapacityUnits": 0.5}},
        "batch_get_item": {
            "Responses": {"B": items},
            "UnprocessedKeys": {"B": {"Keys": [key], "ConsistentRead": True}},
        },
        "transact_get_items": {"Responses": [{"Item": item} for item in items]},
        "batch_execute_statement": {
            "Responses": [{"Error": {"Code": "DuplicateItem", "Item": item}} for item in items]
        },
        "update_item": {"Attributes": key},
    }
    for operation, reply in replies.items():
        connections.replies = [answer(wire(reply))]
        expected = outcome(ordinary, operation, PARAMS[operation])
        assert outcome(lean, operation, PARAMS[operation]) == expected
        assert expected["returned"].items() >= reply.items()


REASONS = [{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Item": {"a": {"B": "YQ=="}}}]
CLOSED = ConnectionClosedError(endpoint_url=ENDPOINT)
SCRIPTS: dict[str, list[Any]] = {
    "success": [OK],
    "refused condition": [failure("ConditionalCheckFailedException", Item={"a": {"B": "YWJj"}})],
    "refused condition without the item": [failure("ConditionalCheckFailedException")],
    "cancelled transaction": [failure("TransactionCanceledException", CancellationReasons=REASONS)],
    "validation": [failure("ValidationException")],
    "no table": [failure("ResourceNotFoundException")],
    "expired token": [failure("ExpiredTokenException")],
    "wrong signature": [failure("InvalidSignatureException", 403)],
    "throttled once": [failure("ProvisionedThroughputExceededException"), OK],
    "throttled for ever": [failure("ThrottlingException")],
    "too many requests": [answer(b"", 429), OK],
    "conflict of regions": [failure("ReplicatedWriteConflictException"), OK],
    "transaction in progress": [failure("TransactionInProgressException"), OK],
    "internal error once": [failure("InternalServerError", 500), OK],
    "internal error, then refused": [
        failure("InternalServerError", 500),
        failure("ConditionalCheckFailedException"),
    ],
    "page of a load balancer": [answer(b"<html>Bad</html>", 503, Content_Type="text/html")],
    "empty 500": [answer(b"", 500), OK],
    "not implemented": [answer(b"{}", 501)],
    "moved": [answer(b"", 302)],
    "forbidden by a proxy": [answer(b"<html/>", 403, x_amz_crc32=None, Content_Type="text/html")],
    "no checksum": [answer(b"{}", x_amz_crc32=None)],
    "wrong checksum once": [answer(b"{}", x_amz_crc32="1"), OK],
    "wrong content type": [answer(b"{}", Content_Type="text/html")],
    "not JSON": [answer(b"{")],
    "retry after": [
        answer(
            {"__type": "x#ProvisionedThroughputExceededException"}, 400, x_amz_retry_after="1500"
        ),
        OK,
    ],
    "time-out once": [ReadTimeoutError(endpoint_url=ENDPOINT), OK],
    "no connection": [ConnectTimeoutError(endpoint_url=ENDPOINT)],
    "closed for ever": [CLOSED],
    "closed, then refused": [CLOSED, failure("ConditionalCheckFailedException")],
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.parametrize("operation", ["put_item", "transact_write_items", "query"])
def test_an_outcome_is_that_of_botocore(operation, script):
    ordinary, lean = Scripted(*script), Scripted(*script)
    if script is SCRIPTS["conflict of regions"] and not retried_by_model():
        pytest.skip("this release of botocore knows no such error yet")
    expected = outcome(of_botocore(ordinary), operation, PARAMS[operation])
    found = outcome(of_lean(lean), operation, PARAMS[operation])
    modelled = {"message", "Message"}  # beside "Error", which has the text, too
    if "response" in expected:
        expected["response"] = {
            name: value for name, value in expected["response"].items() if name not in modelled
        }
    assert found == expected
    assert len(lean.sent) == len(ordinary.sent)


@pytest.mark.parametrize("body", [b"[1]", b"null", b'"text"', b"7"])
def test_a_reply_that_is_no_object_is_a_bad_reply(body):
    connections = Scripted(answer(body), OK)
    told = outcome(of_lean(connections), "put_item", PUT)
    assert told["attempts"] == (2, True), "botocore fails here, and tries no second time"


def test_the_quota_of_retries_is_that_of_botocore():
    script = [failure("InternalServerError", 500)]
    ordinary, lean = Scripted(*script), Scripted(*script)
    clients = of_botocore(ordinary), of_lean(lean)
    ours: dict[str, Any] = {}
    for _ in range(40):
        theirs, ours = (outcome(client, "put_item", PUT) for client in clients)
        assert ours["attempts"] == theirs["attempts"]
    assert ours["attempts"][0] == 1, "the quota is used up"
    for connections in (ordinary, lean):
        connections.replies = [OK]
    for _ in range(14):
        theirs, ours = (outcome(client, "put_item", PUT) for client in clients)
    for connections in (ordinary, lean):
        connections.replies = [*script]
    theirs, ours = (outcome(client, "put_item", PUT) for client in clients)
    assert ours["attempts"] == theirs["attempts"]
    assert ours["attempts"][0] > 1, "successes give some of it back"


def test_attempts_are_as_many_as_configured():
    connections = Scripted(failure("InternalServerError", 500))
    outcome(of_lean(connections, replace(CONFIG, max_attempts=2)), "put_item", PUT)
    assert len(connections.sent) == 2


@cache
def model() -> dict[str, Any]:
    """Return botocore's model of DynamoDB."""
    path = Path(botocore.__file__).parent / "data/dynamodb/2012-08-10/service-2.json.gz"
    described: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    return described


def retried_by_model() -> dict[str, Any]:
    """Return the errors that the model says to retry."""
    shapes = model()["shapes"]
    return {name: shape["retryable"] for name, shape in shapes.items() if "retryable" in shape}


def test_it_knows_each_error_that_botocore_retries_because_of_its_models():
    retried = retried_by_model()
    if not retried:
        pytest.skip("this release of botocore knows no such error yet")
    assert retried == {RETRIED_BY_MODEL.name: RETRIED_BY_MODEL.metadata["retryable"]}
    of = {
        name
        for name in OPERATIONS.values()
        if {"shape": RETRIED_BY_MODEL.name} in model()["operations"][name]["errors"]
    }
    assert of == WRITES


def test_it_makes_each_token_that_botocore_makes():
    shapes, operations = model()["shapes"], model()["operations"]
    made = {
        name: [
            member
            for member, shape in shapes[operations[name]["input"]["shape"]]["members"].items()
            if shape.get("idempotencyToken")
        ]
        for name in OPERATIONS.values()
    }
    assert {name: tokens for name, tokens in made.items() if tokens} == {
        "TransactWriteItems": ["ClientRequestToken"]
    }
