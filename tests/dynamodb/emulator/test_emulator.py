"""The emulator answers only its own clients, keeps its own tables, and is safe for threads."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core.botocore_stubber import MockRawResponse
from moto.core.model_instances import model_data
from moto.dynamodb.models import DynamoDBBackend

from dynamo_es.dynamodb.emulator import moto_engine, moto_tables
from dynamo_es.dynamodb.emulator.emulator import Emulator, emulated_client
from tests.dynamodb.small_table import CONFIG, keys_of, make_table, put, tables_of, transact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

THREADS = 8


@pytest.fixture
def emulator():
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def client(emulator):
    client = emulator.client(CONFIG)
    make_table(client)
    return client


# Its tables


def test_clients_of_one_emulator_see_the_same_tables(emulator, client):
    assert tables_of(emulator.client(CONFIG)) == tables_of(client) == ["events"]


def test_two_emulators_share_nothing(client, monkeypatch):
    # Which moto would take as the account of every request.
    monkeypatch.setenv("MOTO_ACCOUNT_ID", "111111111111")
    other = emulated_client(CONFIG)
    assert tables_of(other) == []
    make_table(other)
    put(client, "a")
    put(other, "b")
    assert (keys_of(client), keys_of(other)) == (["a"], ["b"])


def test_a_closed_one_has_no_tables_left(emulator):
    with emulator:
        client = emulator.client(CONFIG)
        make_table(client)
    assert tables_of(client) == []


def test_nothing_is_kept_of_what_was_deleted(client):
    for number in range(20):
        transact(client, f"a-{number}")
    gc.collect()
    assert not [
        model
        for models in (model_data["dynamodb"], model_data["dynamodbstreams"])
        for model in models.values()
        if model.instances_tracked  # type: ignore[attr-defined]
    ]


def test_a_refused_transaction_leaves_an_item_that_it_updated_as_it_was(client):
    put(client, "a")
    put(client, "b")
    update = {
        "TableName": "events",
        "Key": {"id": {"S": "a"}},
        "UpdateExpression": "SET seen = :true",
        "ExpressionAttributeValues": {":true": {"BOOL": True}},
    }
    refused = {
        "TableName": "events",
        "Item": {"id": {"S": "b"}},
        "ConditionExpression": "attribute_not_exists(id)",
    }
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        client.transact_write_items(TransactItems=[{"Update": update}, {"Put": refused}])
    found = client.get_item(TableName="events", Key={"id": {"S": "a"}})
    assert found["Item"] == {"id": {"S": "a"}}

    client.transact_write_items(TransactItems=[{"Update": update}])
    found = client.get_item(TableName="events", Key={"id": {"S": "a"}})
    assert found["Item"] == {"id": {"S": "a"}, "seen": {"BOOL": True}}


def test_every_kind_of_attribute_comes_back_as_it_was_stored(client):
    item = {
        "id": {"S": "a"},
        "kinds": {
            "M": {
                "binary": {"B": b"\x00\xff"},
                "set": {"BS": [b"\xfe"]},
                "list": {"L": [{"N": "1.50"}, {"NULL": True}, {"BOOL": False}, {"B": b""}]},
                "empty": {"M": {}},
            }
        },
    }
    client.put_item(TableName="events", Item=item)
    found = client.get_item(TableName="events", Key={"id": {"S": "a"}})
    assert found["Item"] == item
    assert client.scan(TableName="events")["Items"] == [item]


# Its replies


def of_replies(request: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return a reply or a refusal, without what differs between two of them."""
    try:
        reply = request()
    except ClientError as error:
        reply = dict(error.response)
    headers = reply.pop("ResponseMetadata")["HTTPHeaders"]
    assert {"content-type", "x-amz-crc32", "x-amzn-requestid"} <= headers.keys()
    return reply


def requests_on_items(client) -> Iterator[Callable[[], dict[str, Any]]]:
    """Yield requests of each operation on items, some of which are refused."""
    on_table: dict[str, Any] = {"TableName": "events"}
    item = {"id": {"S": "a"}, "n": {"N": "1.50"}, "b": {"B": b"\x00\xff"}, "s": {"BS": [b"\xfe"]}}
    item["map"] = {"M": {"list": {"L": [{"S": '"B"'}, {"BOOL": True}, {"NULL": True}]}}}
    unless_there = {"ConditionExpression": "attribute_not_exists(id)"}
    old = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    key = {"id": {"S": "a"}}
    put = {**on_table, "Item": item, **unless_there, **old}
    update = {**on_table, "Key": key, "UpdateExpression": "SET m = :m"}
    values = {"ExpressionAttributeValues": {":m": {"B": b"new"}}}
    of_key = {
        "KeyConditionExpression": "id = :a",
        "ExpressionAttributeValues": {":a": {"S": "a"}},
    }
    yield partial(client.put_item, **put)
    yield partial(client.put_item, **put)
    yield partial(client.put_item, TableName="missing", Item=item)
    yield partial(client.get_item, **on_table, Key=key, ProjectionExpression="n, b")
    yield partial(client.get_item, **on_table, Key={"other": {"S": "a"}})
    yield partial(client.update_item, **update, **values, ReturnValues="ALL_NEW")
    yield partial(client.update_item, **update)
    yield partial(client.query, **on_table, **of_key)
    yield partial(client.query, **on_table, **of_key, ReturnConsumedCapacity="TOTAL")
    yield partial(client.query, **on_table, **of_key, ProjectionExpression="b, n, nothing")
    yield partial(client.query, **on_table, **of_key, ProjectionExpression="map.list[1], n")
    yield partial(client.query, **on_table, **of_key, Select="COUNT")
    yield partial(client.query, **on_table, KeyConditionExpression="wrong")
    yield partial(client.scan, **on_table, Limit=1)
    yield partial(client.batch_get_item, RequestItems={"events": {"Keys": [key]}})
    yield partial(
        client.batch_write_item, RequestItems={"events": [{"PutRequest": {"Item": item}}]}
    )
    yield partial(client.transact_get_items, TransactItems=[{"Get": {**on_table, "Key": key}}])
    yield partial(client.transact_write_items, TransactItems=[{"Put": put}])
    yield partial(client.delete_item, **on_table, Key=key, ReturnValues="ALL_OLD")
    yield partial(client.delete_item, **on_table, Key=key)
    yield partial(client.transact_write_items, TransactItems=[{"Put": put}])


def test_requests_on_items_get_the_replies_that_moto_gives_at_length(client, monkeypatch):
    short = [of_replies(request) for request in requests_on_items(client)]

    monkeypatch.setattr(moto_engine, "_ON_ITEMS", frozenset())
    monkeypatch.setattr(moto_tables, "_without_names", lambda args: (None, args))
    other = emulated_client(CONFIG)
    make_table(other)
    long = [of_replies(request) for request in requests_on_items(other)]

    assert short == long
    assert sum("Error" in reply for reply in short) == 6


def test_a_query_for_some_attributes_has_numbers_as_they_were_stored(client):
    client.put_item(TableName="events", Item={"id": {"S": "a"}, "n": {"N": "100"}})
    (found,) = client.query(
        TableName="events",
        KeyConditionExpression="id = :a",
        ExpressionAttributeValues={":a": {"S": "a"}},
        ProjectionExpression="n",
    )["Items"]
    assert found == {"n": {"N": "100"}}


# As a connection


def test_a_request_that_a_test_answers_itself_is_not_carried_out(client):
    def refuse(request, **_):
        body = b'{"__type": "com.amazonaws#AccessDeniedException"}'
        return AWSResponse(request.url, 400, HTTPHeaders(), MockRawResponse(body))

    client.meta.events.register("before-send.dynamodb.PutItem", refuse)
    with pytest.raises(ClientError, match="AccessDeniedException"):
        put(client, "a")
    assert keys_of(client) == []


def test_a_reply_is_followed_by_the_events_of_a_reply(client):
    seen = []
    client.meta.events.register(
        "needs-retry.dynamodb", lambda response, **_: seen.append(response[0].status_code)
    )
    put(client, "a")
    with pytest.raises(ClientError, match="ConditionalCheckFailedException"):
        put(client, "a")
    assert seen == [200, 400]


def test_a_client_can_be_closed(client):
    client.close()


def test_it_is_silent(client, caplog):
    with caplog.at_level(logging.INFO):
        put(client, "a")
    assert not caplog.records


# Threads


def winners(client, write):
    """Let threads write the same keys at the same time; return who was first at each."""
    barrier = Barrier(THREADS)
    errors = client.exceptions

    def race(number):
        won = []
        for key in range(10):
            barrier.wait()
            with suppress(
                errors.ConditionalCheckFailedException, errors.TransactionCanceledException
            ):
                write(client, f"key-{key}")
                won.append(key)
        return won

    # Switched as often as possible, so that a missing lock shows.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(THREADS) as threads:
            results = list(threads.map(race, range(THREADS)))
    finally:
        sys.setswitchinterval(interval)
    return sorted(key for won in results for key in won)


def test_moto_gets_one_request_at_a_time(client, monkeypatch):
    inside, most = 0, 0

    def write(self, transact_items):
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.002)
        inside -= 1

    monkeypatch.setattr(DynamoDBBackend, "transact_write_items", write)
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda number: transact(client, str(number)), range(20)))
    assert most == 1


def test_of_concurrent_transactions_exactly_one_wins(client):
    assert winners(client, transact) == list(range(10))


def test_of_concurrent_writes_exactly_one_wins(client):
    assert winners(client, put) == list(range(10))


def test_threads_write_while_a_mock_aws_begins_and_ends(client):
    def mock(_):
        for _ in range(20):
            with mock_aws():
                pass

    with ThreadPoolExecutor(4) as threads:
        mocks = threads.submit(mock, 0)
        list(threads.map(lambda number: put(client, str(number)), range(200)))
        mocks.result()
    assert len(keys_of(client)) == 200


# Streams


def read(streams, arn, kind):
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    return streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType=kind)[
        "ShardIterator"
    ]


def test_a_stream_has_what_was_written(emulator, client):
    streams = emulator.streams_client(CONFIG)
    (stream,) = streams.list_streams(TableName="events")["Streams"]
    put(client, "a")
    records = streams.get_records(ShardIterator=read(streams, stream["StreamArn"], "TRIM_HORIZON"))[
        "Records"
    ]
    assert [record["dynamodb"]["NewImage"] for record in records] == [{"id": {"S": "a"}}]


def test_a_reader_goes_on_after_a_refused_transaction(emulator, client):
    streams = emulator.streams_client(CONFIG)
    (stream,) = streams.list_streams(TableName="events")["Streams"]
    iterator = read(streams, stream["StreamArn"], "LATEST")
    put(client, "a")
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        transact(client, "a")
    put(client, "b")
    records = streams.get_records(ShardIterator=iterator)["Records"]
    assert [record["dynamodb"]["Keys"]["id"]["S"] for record in records] == ["a", "b"]


@pytest.mark.ci
def test_a_reader_that_never_ends_is_not_remembered_for_ever(emulator, client):
    streams = emulator.streams_client(CONFIG)
    (stream,) = streams.list_streams(TableName="events")["Streams"]
    iterator = read(streams, stream["StreamArn"], "LATEST")
    for _ in range(1100):
        iterator = streams.get_records(ShardIterator=iterator)["NextShardIterator"]
    put(client, "a")
    assert len(streams.get_records(ShardIterator=iterator)["Records"]) == 1
    assert len(emulator._engine._streams.shard_iterators) <= 1001


# Without moto


def test_without_moto_the_extra_is_named():
    code = """
import sys
import time
sys.modules["moto"] = None
from dynamo_es.dynamodb.emulator.emulator import Emulator
assert "boto3" not in sys.modules, "loaded before it is needed"
from dynamo_es.exceptions import MissingExtraError
try:
    Emulator()
except MissingExtraError as error:
    assert error.extra == "local"
    print(error)
"""
    run = subprocess.run(  # noqa: S603 - this very interpreter
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert run.stdout == ("DynamoBackend.local() needs the extra: pip install 'dynamo_es[local]'\n")
