"""Requests match golden copies, DynamoDB's service model, and what a running store sends."""

from __future__ import annotations

import re
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from botocore.session import Session
from botocore.validate import ParamValidator
from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from dynamo_es import ANY_VERSION, NO_VERSIONING, DynamoBackend, ExplicitVersioning, StreamId
from dynamo_es.contracts import StreamAppend
from dynamo_es.dynamodb.log.keys import LogKeys
from dynamo_es.dynamodb.log.requests import newest_page
from dynamo_es.dynamodb.streams import requests
from dynamo_es.dynamodb.streams.items import read_commit
from dynamo_es.exceptions import ConcurrentStreamWriteError
from dynamo_es.testing.conformance.language import a_snapshot, an_event, events
from tests.dynamodb.machine import (
    GENERATION,
    KEY,
    STREAM,
    TABLE,
    a_commit,
    a_fence,
    a_snapshot_item,
)

if TYPE_CHECKING:
    from dynamo_es.dynamodb.wire import steps

COMMIT = a_commit([an_event(STREAM)], 3)
SNAPSHOT = a_snapshot_item(a_snapshot(STREAM, 5))
FENCE = a_fence(4)
PLACE = {"stream_key": {"S": KEY}, "version": {"N": "3"}}
FREE = "attribute_not_exists(version) OR closed < :generation"

PUT_COMMIT = {
    "TableName": "events",
    "Item": COMMIT,
    "ConditionExpression": FREE,
    "ExpressionAttributeValues": {":generation": {"N": str(GENERATION)}},
    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
}
QUERY_DOWN = {
    "TableName": "events",
    "KeyConditionExpression": "stream_key = :key",
    "ExpressionAttributeValues": {":key": {"S": KEY}},
    "ProjectionExpression": (
        "stream_key, version, generation, closed, event_count, snapshot_version, "
        "versionless, stream_name, events, item_format"
    ),
    "ScanIndexForward": False,
    "ConsistentRead": True,
}
GOLDEN: dict[str, tuple[steps.Request, str, dict[str, Any]]] = {
    "put a commit": (requests.put_commit(TABLE, COMMIT), "put_item", PUT_COMMIT),
    "put commits": (
        requests.put_commits(TABLE, [COMMIT, COMMIT]),
        "transact_write_items",
        {"TransactItems": [{"Put": PUT_COMMIT}, {"Put": PUT_COMMIT}]},
    ),
    "get an item": (
        requests.get_item(TABLE, KEY, 3),
        "get_item",
        {"TableName": "events", "Key": PLACE, "ConsistentRead": True},
    ),
    "query down": (requests.query_down(TABLE, KEY), "query", QUERY_DOWN),
    "query down from below": (
        requests.query_down(TABLE, KEY, below=9, limit=1),
        "query",
        QUERY_DOWN
        | {
            "KeyConditionExpression": "stream_key = :key AND version < :below",
            "ExpressionAttributeValues": {":key": {"S": KEY}, ":below": {"N": "9"}},
            "Limit": 1,
        },
    ),
    "query down to a version, the snapshot included": (
        requests.query_down(TABLE, KEY, lowest=5, limit=32),
        "query",
        QUERY_DOWN
        | {
            "KeyConditionExpression": "stream_key = :key AND version >= :lowest",
            "ExpressionAttributeValues": {":key": {"S": KEY}, ":lowest": {"N": "5"}},
            "Limit": 32,
        },
    ),
    "query down between two versions": (
        requests.query_down(TABLE, KEY, below=9, lowest=5),
        "query",
        QUERY_DOWN
        | {
            "KeyConditionExpression": "stream_key = :key AND version BETWEEN :lowest AND :highest",
            "ExpressionAttributeValues": {
                ":key": {"S": KEY},
                ":lowest": {"N": "5"},
                ":highest": {"N": "8"},
            },
        },
    ),
    "query the next page of outlines": (
        requests.query_down(TABLE, KEY, after=PLACE, outline=True),
        "query",
        QUERY_DOWN
        | {
            "ExclusiveStartKey": PLACE,
            "ProjectionExpression": (
                "stream_key, version, generation, closed, event_count, snapshot_version, "
                "expires_at, item_format"
            ),
        },
    ),
    "put a snapshot": (
        requests.put_snapshot(TABLE, SNAPSHOT),
        "put_item",
        {
            "TableName": "events",
            "Item": SNAPSHOT,
            "ConditionExpression": (
                "attribute_not_exists(version) OR generation < :generation"
                " OR (generation = :generation AND snapshot_version < :snapshot_version)"
            ),
            "ExpressionAttributeValues": {
                ":generation": {"N": str(GENERATION)},
                ":snapshot_version": {"N": "5"},
            },
        },
    ),
    "put a closing fence": (
        requests.put_closing_fence(TABLE, FENCE),
        "put_item",
        {
            "TableName": "events",
            "Item": FENCE,
            "ConditionExpression": FREE,
            "ExpressionAttributeValues": {":generation": {"N": str(GENERATION)}},
        },
    ),
    "put a fence over a commit": (
        requests.put_fence_over(TABLE, read_commit(COMMIT), FENCE),
        "put_item",
        {
            "TableName": "events",
            "Item": FENCE,
            "ConditionExpression": "generation = :generation",
            "ExpressionAttributeValues": {":generation": {"N": str(GENERATION)}},
        },
    ),
    "delete a snapshot": (
        requests.delete_snapshot(TABLE, KEY, GENERATION),
        "delete_item",
        {
            "TableName": "events",
            "Key": {"stream_key": {"S": KEY}, "version": {"N": "1000000000000000000"}},
            "ConditionExpression": "generation <= :generation",
            "ExpressionAttributeValues": {":generation": {"N": str(GENERATION)}},
        },
    ),
    "expire a fence": (
        requests.expire_fence(TABLE, KEY, version=3, closed=GENERATION, expires_at=1_700_604_800),
        "update_item",
        {
            "TableName": "events",
            "Key": PLACE,
            "UpdateExpression": "SET expires_at = :expires_at",
            "ConditionExpression": "closed = :closed",
            "ExpressionAttributeValues": {
                ":closed": {"N": str(GENERATION)},
                ":expires_at": {"N": "1700604800"},
            },
        },
    ),
    "query a stream up": (
        requests.query_up(TABLE, KEY, lowest=3, highest=9, limit=5, consistent=False),
        "query",
        {
            "TableName": "events",
            "KeyConditionExpression": "stream_key = :key AND version BETWEEN :lowest AND :highest",
            "ExpressionAttributeValues": {
                ":key": {"S": KEY},
                ":lowest": {"N": "3"},
                ":highest": {"N": "9"},
            },
            "ProjectionExpression": QUERY_DOWN["ProjectionExpression"],
            "ScanIndexForward": True,
            "ConsistentRead": False,
            "Limit": 5,
        },
    ),
    "query the newest page of the log": (
        newest_page(LogKeys("log")),
        "query",
        {
            "TableName": "log",
            "KeyConditionExpression": "log_key = :log",
            "ExpressionAttributeValues": {":log": {"S": "log"}},
            "ScanIndexForward": False,
            "ConsistentRead": True,
            "Limit": 1,
        },
    ),
}


@pytest.mark.parametrize(("built", "operation", "params"), GOLDEN.values(), ids=GOLDEN)
def test_a_request_is_exactly_this(built, operation, params):
    assert built == (operation, params)


def test_every_builder_has_its_request_here():
    builders = {
        name
        for name, member in vars(requests).items()
        if getattr(member, "__annotations__", {}).get("return") == "Request"
        and not name.startswith("_")
    }
    assert len(builders) == 10
    assert len(GOLDEN) == len(builders) + 4 + 1  # five ways to query, and the log's own


# As the service's model has them: the store's own client does not validate what it sends

MODEL = Session().get_service_model("dynamodb")


def problems(operation: str, params: dict[str, Any]) -> str:
    name = "".join(word.capitalize() for word in operation.split("_"))
    shape = MODEL.operation_model(name).input_shape
    assert shape is not None
    return ParamValidator().validate(params, shape).generate_report()


@pytest.mark.parametrize(("built", "operation", "params"), GOLDEN.values(), ids=GOLDEN)
def test_a_request_is_valid(built, operation, params):
    assert not problems(*built)


def test_an_invalid_one_would_be_noticed():
    assert problems("put_item", PUT_COMMIT | {"Item": {"version": {"N": 1}}})
    assert problems("put_item", PUT_COMMIT | {"Condition": "x"})
    assert problems("put_item", {"TableName": "events"})


# What stands bare in an expression

FUNCTIONS = {"attribute_not_exists", "AND", "BETWEEN", "OR", "SET"}


def expressions(params: Any) -> list[str]:
    if isinstance(params, list):
        return [found for entry in params for found in expressions(entry)]
    if not isinstance(params, dict):
        return []
    own = [value for name, value in params.items() if name.endswith("Expression")]
    return own + expressions(list(params.values()))


def bare_names(params: Any) -> set[str]:
    words = {word for text in expressions(params) for word in re.findall(r"[:#\w]+", text)}
    return {word for word in words if word[0] not in ":#"} - FUNCTIONS


@pytest.mark.parametrize(("built", "operation", "params"), GOLDEN.values(), ids=GOLDEN)
def test_no_name_in_an_expression_is_reserved(built, operation, params):
    reserved = {word.upper() for word in ReservedKeywords.get_reserved_keywords()}
    assert {"DATA", "TTL", "NAMES", "POSITION"} <= reserved, "the list is complete"
    assert not {name for name in bare_names(params) if name.upper() in reserved}


@pytest.mark.parametrize(("built", "operation", "params"), GOLDEN.values(), ids=GOLDEN)
def test_every_value_in_an_expression_is_given_and_none_besides(built, operation, params):
    for single in [entry["Put"] for entry in params.get("TransactItems", ())] or [params]:
        used = {word for text in expressions(single) for word in re.findall(r":\w+", text)}
        assert used == set(single.get("ExpressionAttributeValues", {}))


# As a run of all operations sends them


@pytest.fixture
def sent():
    """What a local backend sends, and the backend."""
    with DynamoBackend.local(sequencing="stream") as backend:
        seen: list[tuple[str, dict[str, Any]]] = []

        def keep(params, model, **_):
            words = re.findall("[A-Z][a-z]+", model.name)
            seen.append(("_".join(words).lower(), dict(params)))

        backend.client.meta.events.register("before-parameter-build.dynamodb", keep)
        yield seen, backend


def test_every_request_of_a_run_is_valid(sent):
    seen, backend = sent
    storage = backend.in_tenant("acme #1").storage
    stream, other = StreamId(name="order 1", category="order"), StreamId()
    storage.insert_events(stream, ExplicitVersioning(0), events(stream, 3))
    storage.insert_events(stream, ANY_VERSION, events(stream, 1))
    # Together more than an item takes, even compressed.
    large = [an_event(stream, data={"text": Random(n).randbytes(100_000).hex()}) for n in range(5)]
    storage.insert_events(stream, ExplicitVersioning(4), large)
    storage.save_snapshot(a_snapshot(stream, 5))
    storage.insert_events(other, NO_VERSIONING, events(other, 1))
    with pytest.raises(ConcurrentStreamWriteError):
        storage.insert_events(stream, ExplicitVersioning(1), events(stream, 1))
    assert len(storage.fetch_events(stream)) == 1 + len(large) - 1
    assert len(storage.fetch_events(stream, 2, 4)) == 2
    assert storage.current_position is None
    news = [StreamId(name=f"order {number}", category="order") for number in (2, 3)]
    storage.insert_many([StreamAppend(n, ExplicitVersioning(0), events(n, 2)) for n in news])
    for stream_id in (stream, other):
        storage.delete_stream(stream_id)
    storage.insert_events(stream, ExplicitVersioning(0), events(stream, 1))
    assert {operation for operation, _ in seen} == {
        "put_item",
        "transact_write_items",
        "query",
        "update_item",
        "delete_item",
        "batch_execute_statement",
    }
    for operation, params in seen:
        assert not problems(operation, params)
