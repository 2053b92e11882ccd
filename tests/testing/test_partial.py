"""A batch that is throttled in part: half of it is done, the rest is told, and a retry does it."""

from __future__ import annotations

import pytest

from dynamo_es import StreamId
from dynamo_es.dynamodb.log import requests as log_requests
from dynamo_es.dynamodb.wire.batches import execute_all, fetch_all
from dynamo_es.dynamodb.wire.partiql.statements import insert
from dynamo_es.dynamodb.wire.steps import Request
from dynamo_es.testing import Fault, faulty
from dynamo_es.testing.faults import Network

KEYS = [{"log_key": {"S": "a"}, "place": {"S": str(number)}} for number in range(7)]


def run(backend, steps):
    return backend.storage._gateway.run("test", "", StreamId(name="a"), steps)


@pytest.mark.parametrize("number", [1, 7])
def test_statements_that_were_throttled_are_sent_again(dynamo_backend, number):
    table = dynamo_backend.config.log_table
    statements = [insert(table, key) for key in KEYS[:number]]
    network = faulty(dynamo_backend, partly_throttled=0.5, seed=1)
    with network as unreliable:
        assert run(unreliable, execute_all(statements, "")) == [None] * number
    assert network.injected[Fault.PARTLY_THROTTLED]
    assert network.sent > 1
    read = fetch_all(table, KEYS, lambda left: log_requests.get_markers(table, left))
    assert len(run(dynamo_backend, read)) == number


def test_every_second_statement_is_done_and_the_others_say_why_not(dynamo_backend):
    table = dynamo_backend.config.log_table
    network = Network(dynamo_backend.client)
    network.plan(lambda _: Fault.PARTLY_THROTTLED)
    with network.between():
        reply = dynamo_backend.client.batch_execute_statement(
            Statements=[insert(table, key) for key in KEYS]
        )
    codes = [answer.get("Error", {}).get("Code") for answer in reply["Responses"]]
    assert codes == ["ThrottlingError", None] * 3 + ["ThrottlingError"]


def test_keys_that_were_left_out_are_read_again(dynamo_backend):
    table = dynamo_backend.config.log_table
    for key in KEYS:
        dynamo_backend.client.put_item(TableName=table, Item=key)
    read = fetch_all(table, KEYS, lambda left: log_requests.get_markers(table, left))
    with faulty(dynamo_backend, partly_throttled=0.5, seed=1) as unreliable:
        found = run(unreliable, read)
    assert sorted(item["place"]["S"] for item in found) == list("0123456")


def test_a_request_that_is_no_batch_has_no_fault(dynamo_backend):
    table = dynamo_backend.config.log_table
    network = faulty(dynamo_backend, partly_throttled=1.0)
    with network as unreliable:

        def put():
            return (yield Request("put_item", {"TableName": table, "Item": KEYS[0]}))

        run(unreliable, put())
    assert network.sent == 1
