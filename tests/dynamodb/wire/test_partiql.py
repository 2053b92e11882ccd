"""What the emulator makes of a PartiQL statement; the engine tests compare it with others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dynamo_es import DynamoBackend, DynamoConfig
from dynamo_es.dynamodb.emulator.emulator import Emulator
from dynamo_es.dynamodb.emulator.server import serving
from dynamo_es.dynamodb.wire.partiql.reading import (
    Insert,
    InvalidStatementError,
    UnknownStatementError,
    Update,
    read_statement,
)
from dynamo_es.dynamodb.wire.partiql.statements import insert, update

CONFIG = DynamoConfig(events_table="events", log_table="log", keys_table="keys")
ONE, TWO, TEXT = {"N": "1"}, {"N": "2"}, {"S": "t"}


def test_an_insert_is_read():
    built = insert("a-b.c", {"log_key": TEXT, "place": TEXT, "n": ONE})
    read = read_statement(built["Statement"], built["Parameters"])
    assert read == Insert("a-b.c", {"log_key": TEXT, "place": TEXT, "n": ONE})


def test_an_update_is_read():
    key = {"log_key": TEXT, "place": TEXT}
    conditions = [("n", "<", TWO), ("g", "<>", ONE)]
    built = update("log", key, {"n": TWO, "m": ONE}, conditions, remove=["x", "y"])
    read = read_statement(built["Statement"], built["Parameters"])
    compared = [("log_key", "=", TEXT), ("place", "=", TEXT), ("n", "<", TWO), ("g", "<>", ONE)]
    assert read == Update("log", {"n": TWO, "m": ONE}, ["x", "y"], compared)


def test_names_need_no_quotes_and_changes_may_be_one_list():
    text = 'update "t" set a = ?, b = ? where k = ? and c is missing and attribute_not_exists(d)'
    read = read_statement(text, [ONE, TWO, TEXT])
    assert read == Update("t", {"a": ONE, "b": TWO}, [], [("k", "=", TEXT)], ["c", "d"])


@pytest.mark.parametrize(
    "text",
    [
        'DELETE FROM "t" WHERE k = ?',
        'SELECT * FROM "t" WHERE k = ?',
        "INSERT INTO \"t\" VALUE {'k': 'text'}",
        'UPDATE "t" SET a = a + ? WHERE k = ?',
        'UPDATE "t" SET a = ? WHERE k = ? OR k = ?',
        'UPDATE "t" SET a = ? WHERE contains(k, ?)',
        'UPDATE "t" SET a = ?',
        "",
    ],
)
def test_a_statement_of_another_form_is_refused_by_name(text):
    with pytest.raises(UnknownStatementError, match="does not understand the statement"):
        read_statement(text, [ONE] * 3)


def test_a_parameter_that_is_missing_is_an_error():
    with pytest.raises(InvalidStatementError, match="Number of parameters"):
        read_statement('UPDATE "t" SET a = ? WHERE k = ?', [ONE])


def test_the_emulator_refuses_the_whole_batch_for_one_that_it_does_not_understand():
    with Emulator() as emulator:
        client = emulator.client(CONFIG)
        with pytest.raises(ClientError, match="does not understand") as caught:
            client.batch_execute_statement(
                Statements=[{"Statement": 'DELETE FROM "t" WHERE k = ?', "Parameters": [TEXT]}]
            )
    assert caught.value.response["Error"]["Code"] == "ValidationException"


@pytest.mark.ci
def test_a_server_of_the_emulator_carries_statements_out_too():
    with serving() as address:
        config = replace(CONFIG, endpoint_url=f"http://{address}")
        with DynamoBackend(config) as backend:
            backend.create_tables()
            key = {"log_key": {"S": "a"}, "place": {"S": "b"}, "data": {"B": b"bytes"}}
            client: Any = backend.client
            reply = client.batch_execute_statement(Statements=[insert("log", key)])
            assert "Error" not in reply["Responses"][0]
            again = client.batch_execute_statement(
                Statements=[
                    update("log", {**key, "data": TEXT}, {"n": ONE}, [], all_old=True),
                ]
            )
    assert again["Responses"][0]["Error"]["Item"] == key
