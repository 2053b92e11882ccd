"""Writes to the caller's own tables that go along with an append: all of it or nothing."""

from uuid import uuid4

import pytest

from dynamo_es import ANY_VERSION, NO_VERSIONING, ExplicitVersioning, StreamId
from dynamo_es.exceptions import (
    ConcurrentStreamWriteError,
    EnlistedWriteRefusedError,
    InvalidEnlistedWriteError,
)
from tests.bdd import assert_same, events, numbered
from tests.engine import Capability, needs

pytestmark = needs(Capability.REQUESTS)


@pytest.fixture
def table(engine):
    """A table of the caller's own."""
    name = f"read-model-{uuid4().hex}"
    engine.client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield name
    engine.client.delete_table(TableName=name)


@pytest.fixture
def rows(engine, table):
    """Returns what is in it, by id."""

    def read():
        items = engine.client.scan(TableName=table, ConsistentRead=True)["Items"]
        return {item["id"]["S"]: item["total"]["N"] for item in items}

    return read


@pytest.fixture
def storage(engine):
    return engine.fresh_process().storage


@pytest.fixture
def stream():
    return StreamId(category="Enlisted")


def put(table, key, total, **more):
    return {
        "Put": {"TableName": table, "Item": {"id": {"S": key}, "total": {"N": str(total)}}, **more}
    }


IF_NEW = {"ConditionExpression": "attribute_not_exists(id)"}


@pytest.mark.parametrize("versioning", [ExplicitVersioning(0), ANY_VERSION, NO_VERSIONING])
def test_they_are_carried_out_with_the_events(storage, table, rows, stream, versioning):
    appended = events(stream, 2)
    writes = [put(table, "a", 1), put(table, "b", 2)]

    version = storage.insert_events(stream, versioning, appended, transact_with=writes)

    assert version == (None if versioning is NO_VERSIONING else 2)
    assert rows() == {"a": "1", "b": "2"}
    stored = storage.fetch_events(stream)
    assert [event.uuid for event in stored] == [event.uuid for event in appended]


def test_a_conflict_carries_nothing_out(storage, table, rows, stream):
    first = events(stream, 1)
    storage.insert_events(stream, ExplicitVersioning(0), first)

    with pytest.raises(ConcurrentStreamWriteError):
        storage.insert_events(
            stream, ExplicitVersioning(0), events(stream, 1), transact_with=[put(table, "a", 1)]
        )

    assert rows() == {}
    assert_same(storage.fetch_events(stream), numbered(first))


def test_a_refused_write_carries_nothing_out_and_is_named(storage, table, rows, stream):
    taken = put(table, "b", 2)
    storage.insert_events(stream, ExplicitVersioning(0), events(stream, 1), transact_with=[taken])
    look = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}

    with pytest.raises(EnlistedWriteRefusedError, match="enlisted write 1 was not met") as caught:
        storage.insert_events(
            stream,
            ExplicitVersioning(1),
            events(stream, 1),
            transact_with=[put(table, "a", 1), put(table, "b", 3, **IF_NEW, **look)],
        )

    assert caught.value.index == 1
    assert caught.value.stream_id == str(stream)
    assert caught.value.item == {"id": {"S": "b"}, "total": {"N": "2"}}
    assert rows() == {"b": "2"}
    assert len(storage.fetch_events(stream)) == 1


def test_a_conflict_counts_before_a_refused_write(storage, table, stream):
    storage.insert_events(
        stream, ExplicitVersioning(0), events(stream, 1), transact_with=[put(table, "a", 1)]
    )

    with pytest.raises(ConcurrentStreamWriteError):
        storage.insert_events(
            stream,
            ExplicitVersioning(0),
            events(stream, 1),
            transact_with=[put(table, "a", 1, **IF_NEW)],
        )


def test_the_same_append_again_is_a_success_and_writes_nothing(engine, table, rows, stream):
    appended = events(stream, 2)
    writes = [put(table, "a", 1, **IF_NEW)]
    for _ in range(2):
        version = engine.fresh_process().storage.insert_events(
            stream, ExplicitVersioning(0), appended, transact_with=writes
        )
        assert version == 2

    assert rows() == {"a": "1"}
    assert_same(engine.fresh_process().storage.fetch_events(stream), numbered(appended))


def test_any_version_takes_them_along_to_the_head(engine, table, rows, stream):
    stale = engine.fresh_process().storage
    stale.insert_events(stream, ANY_VERSION, events(stream, 1))
    engine.fresh_process().storage.insert_events(stream, ANY_VERSION, events(stream, 2))

    version = stale.insert_events(
        stream, ANY_VERSION, events(stream, 1), transact_with=[put(table, "a", 1)]
    )

    assert version == 4
    assert rows() == {"a": "1"}


def test_ninety_nine_may_go_along(storage, table, rows, stream):
    writes = [put(table, f"{number}", number) for number in range(99)]

    storage.insert_events(stream, ExplicitVersioning(0), events(stream, 1), transact_with=writes)

    assert len(rows()) == 99


def test_typed_events_take_them_along(engine, table, rows, stream):
    from tests.event_store.accounts import Deposited

    store = engine.fresh_process().event_store
    store.append(Deposited(amount=5), stream_id=stream, transact_with=[put(table, "a", 5)])

    assert rows() == {"a": "5"}


BAD = {
    "a hundred": (lambda own, _: [put(own, f"{n}", n) for n in range(100)], "at most 99"),
    "no dict": (lambda *_: ["Put"], "enlisted write 0 must be one of Put"),
    "two in one": (lambda own, _: [{**put(own, "a", 1), "Delete": {}}], "must be one of"),
    "an unknown kind": (lambda own, _: [{"Get": {"TableName": own}}], "must be one of"),
    "no table": (lambda *_: [{"Put": {"Item": {}}}], "names no table"),
    "our events": (lambda _, config: [put(config.events_table, "a", 1)], "of the store itself"),
    "our log, by its ARN": (
        lambda _, config: [put(f"arn:aws:dynamodb:x:1:table/{config.log_table}", "a", 1)],
        "of the store itself",
    ),
}


@pytest.mark.parametrize(("writes", "message"), BAD.values(), ids=BAD)
def test_bad_input(engine, storage, table, rows, stream, writes, message):
    bad = writes(table, engine.config_with())

    with pytest.raises(InvalidEnlistedWriteError, match=message):
        storage.insert_events(stream, ExplicitVersioning(0), events(stream, 1), transact_with=bad)

    assert storage.fetch_events(stream) == []
    assert rows() == {}


def test_without_events_nothing_goes_along(storage, table, rows, stream):
    with pytest.raises(InvalidEnlistedWriteError, match="there are none"):
        storage.insert_events(stream, ExplicitVersioning(0), [], transact_with=[put(table, "a", 1)])
    assert rows() == {}
