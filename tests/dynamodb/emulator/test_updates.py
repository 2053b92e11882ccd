"""The emulator carries out most updates itself: with the results that moto gives at length."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from dynamo_es import ANY_VERSION, DynamoBackend, StreamId
from dynamo_es.dynamodb.emulator.moto_tables import CheapTable
from dynamo_es.testing.conformance.language import an_event
from dynamo_es.testing.stream_records import stream_records

KEY = {"stream_key": {"S": "a"}, "version": {"N": "1"}}
ITEM: dict[str, Any] = {
    **KEY,
    "n": {"N": "1.50"},
    "map": {"M": {"a": {"S": "x"}}},
    "gone": {"BS": [b"\xff"]},
}
NEW = {":new": {"M": {"b": {"B": b"new"}}}}
BIG = {":new": {"S": "x" * 395_000}}
HUGE = {":new": {"S": "x" * 420_000}}

ITS_OWN: list[dict[str, Any]] = [
    {"UpdateExpression": "SET n = :new", "ExpressionAttributeValues": NEW},
    {"UpdateExpression": "SET fresh=:new,n = :new REMOVE gone", "ExpressionAttributeValues": NEW},
    {"UpdateExpression": "REMOVE gone, nothing"},
    {
        "UpdateExpression": "SET #n = :new",
        "ExpressionAttributeNames": {"#n": "size"},
        "ExpressionAttributeValues": NEW,
        "ConditionExpression": "attribute_exists(n)",
        "ReturnValues": "ALL_NEW",
    },
    *(
        {
            "UpdateExpression": "SET n = :new",
            "ExpressionAttributeValues": NEW,
            "ConditionExpression": "attribute_not_exists(n)",
            "ReturnValuesOnConditionCheckFailure": told,
        }
        for told in ("NONE", "ALL_OLD")
    ),
]
LEFT_TO_MOTO: list[dict[str, Any]] = [
    {"UpdateExpression": "SET size = :new", "ExpressionAttributeValues": NEW},
    {"UpdateExpression": "SET version = :new", "ExpressionAttributeValues": NEW},
    {"UpdateExpression": "SET n = :other", "ExpressionAttributeValues": NEW},
    {"UpdateExpression": "SET n = :new, n = :new", "ExpressionAttributeValues": NEW},
    {"UpdateExpression": "SET map.a = :new", "ExpressionAttributeValues": NEW},
    {"UpdateExpression": "SET n = n + :one", "ExpressionAttributeValues": {":one": {"N": "1"}}},
    {"UpdateExpression": "ADD n :one", "ExpressionAttributeValues": {":one": {"N": "1"}}},
    {"UpdateExpression": "SET n = :new", "ExpressionAttributeValues": BIG},
    {"UpdateExpression": "SET n = :new", "ExpressionAttributeValues": HUGE},
    {"Key": {**KEY, "version": {"N": "2"}}, "UpdateExpression": "REMOVE gone"},
    {"Key": {"stream_key": {"S": "a"}}, "UpdateExpression": "REMOVE gone"},
]


def seen(update: dict[str, Any]) -> list[Any]:
    """Return the reply of an update, the items after it, and what the table's stream tells."""
    with DynamoBackend.local(sequencing="stream") as backend:
        on_table: dict[str, Any] = {"TableName": backend.config.events_table}
        backend.client.put_item(**on_table, Item=ITEM)
        try:
            reply: Any = backend.client.update_item(**on_table, **({"Key": KEY} | update))
        except ClientError as error:
            reply = error.response
        reply.pop("ResponseMetadata")
        told = [
            {name: one.record["dynamodb"].get(name) for name in ("OldImage", "NewImage")}
            for one in stream_records(backend)
        ]
        return [reply, backend.client.scan(**on_table)["Items"], told]


@pytest.fixture
def short(monkeypatch):
    """What the emulator carried out without moto."""
    done = []
    updated = CheapTable.updated

    def watched(*arguments: Any, **update: Any) -> Any:
        if (item := updated(*arguments, **update)) is not None:
            done.append(item)
        return item

    monkeypatch.setattr(CheapTable, "updated", watched)
    return done


def at_length(update: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    with monkeypatch.context() as patch:
        patch.setattr(CheapTable, "updated", lambda *_, **__: None)
        return seen(update)


@pytest.mark.parametrize("update", ITS_OWN)
def test_what_sets_and_removes_attributes_is_what_moto_makes(update, short, monkeypatch):
    refused = "attribute_not_exists" in str(update)

    assert seen(update) == at_length(update, monkeypatch)

    assert len(short) == (0 if refused else 1)


@pytest.mark.parametrize("update", LEFT_TO_MOTO, ids=range(len(LEFT_TO_MOTO)))
def test_the_rest_is_left_to_moto(update, short, monkeypatch):
    assert seen(update) == at_length(update, monkeypatch)
    assert short == []


def test_two_emulators_share_no_table():
    stream = StreamId(name="a")
    with DynamoBackend.local() as one, DynamoBackend.local() as other:
        one.storage.insert_events(stream, ANY_VERSION, [an_event(stream)])
        one.client.update_table(TableName="keys", DeletionProtectionEnabled=False)
        one.client.delete_table(TableName="keys")

        assert other.storage.fetch_events(stream) == []
        assert stream_records(other) == []
        assert set(other.client.list_tables()["TableNames"]) == {"events", "keys", "log"}
        with DynamoBackend.local() as third:
            assert third.storage.fetch_events(stream) == []
            assert set(third.client.list_tables()["TableNames"]) == {"events", "keys", "log"}
