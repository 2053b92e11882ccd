"""The transaction that moves a cursor with a read model's writes, reply by reply."""

from __future__ import annotations

from typing import Any

import pytest

from dynamo_es.dynamodb.consumers.cursor_writes import Move, move_with
from dynamo_es.dynamodb.wire.errors import OutcomeUnknown
from dynamo_es.exceptions import EnlistedTableNotFoundError, TableNotFoundError, UnavailableError

UNKNOWN = OutcomeUnknown(UnavailableError("TransactWriteItems", "Timeout", "no reply"))
MOVE = Move({"TableName": "log", "Key": {}}, 1, 2, 5, "me")


def stored(version, worker="me"):
    return {"Item": {"version": {"N": str(version)}, "leased_by": {"S": worker}}}


def run(*replies):
    """Answer the requests of a transaction; return their operations and the result."""
    steps: Any = move_with(MOVE, 10, [])
    sent = [next(steps).operation]
    try:
        for reply in replies:
            lost = isinstance(reply, Exception)
            request = steps.throw(reply) if lost else steps.send(reply)
            sent.append(request.operation)
    except StopIteration as end:
        return sent, end.value
    raise AssertionError("it asks for more")


def test_a_lost_reply_is_told_apart_by_the_cursor():
    transaction, read = "transact_write_items", "get_item"

    assert run(UNKNOWN, stored(5)) == ([transaction, read], True)
    assert run(UNKNOWN, stored(2), {}) == ([transaction, read, transaction], True)
    assert run(UNKNOWN, stored(5, "other")) == ([transaction, read], False)
    assert run(UNKNOWN, stored(2, "other")) == ([transaction, read], False)
    with pytest.raises(OutcomeUnknown):
        run(UNKNOWN, stored(2), UNKNOWN)


def test_a_missing_table_of_the_read_model_is_named():
    steps: Any = move_with(MOVE, 10, [{"Delete": {"TableName": "nowhere", "Key": {}}}])
    next(steps)
    missing = TableNotFoundError("TransactWriteItems", "ResourceNotFoundException", "tables")
    assert steps.throw(missing).operation == "get_item"

    with pytest.raises(EnlistedTableNotFoundError, match="nowhere"):
        steps.send({})
