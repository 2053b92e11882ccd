"""Writes to the caller's own tables are carried out with an append, or not at all."""

from uuid import uuid4

import pytest

from dynamo_es import ANY_VERSION, NO_VERSIONING, DynamoBackend, ExplicitVersioning, StreamId
from dynamo_es.exceptions import (
    ConcurrentStreamWriteError,
    EnlistedTableNotFoundError,
    EnlistedWriteRefusedError,
    InvalidEnlistedWriteError,
    TableNotFoundError,
)
from dynamo_es.testing.conformance.language import assert_same, events, numbered
from tests.engine import Capability, needs
from tests.recording import recording

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


def item(table, value):
    return {"Put": {"TableName": table, "Item": {"id": {"S": "a"}, "v": value}}}


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
    "no list": (lambda *_: {"Put": {}}, "must be a list of writes, not dict"),
    "a generator": (lambda *_: iter([]), "must be a list of writes"),
    "nothing": (lambda *_: None, "must be a list of writes, not NoneType"),
    "no parameters": (lambda *_: [{"Put": None}], "must be a dict of its parameters"),
    "no item": (lambda own, _: [{"Put": {"TableName": own}}], "a Put, lacks its Item"),
    "an empty item": (lambda own, _: [{"Put": {"TableName": own, "Item": {}}}], "or is empty"),
    "no key": (lambda own, _: [{"Delete": {"TableName": own}}], "lacks its Key"),
    "no update": (
        lambda own, _: [{"Update": {"TableName": own, "Key": {"id": {"S": "a"}}}}],
        "lacks its UpdateExpression",
    ),
    "no condition": (
        lambda own, _: [{"ConditionCheck": {"TableName": own, "Key": {"id": {"S": "a"}}}}],
        "lacks its ConditionExpression",
    ),
    "a condition that is no text": (
        lambda own, _: [put(own, "a", 1, ConditionExpression=None)],
        "has a ConditionExpression that is not text",
    ),
    "a parameter of something else": (
        lambda own, _: [put(own, "a", 1, ReturnValues="NONE")],
        "does not take 'ReturnValues'",
    ),
    "names as placeholders": (
        lambda own, _: [put(own, "a", 1, ExpressionAttributeNames={"total": "t"})],
        "has wrong ExpressionAttributeNames: write",
    ),
    "another return value": (
        lambda own, _: [put(own, "a", 1, ReturnValuesOnConditionCheckFailure="OLD")],
        "use ALL_OLD or NONE",
    ),
    "a plain value": (
        lambda own, _: [item(own, "secret")],
        r"Item\['v'\] that is not an attribute value",
    ),
    "two kinds": (lambda own, _: [item(own, {"S": "a", "N": "1"})], "is not an attribute value"),
    "an unknown kind of value": (lambda own, _: [item(own, {"X": "a"})], "of the kind 'X'"),
    "a number that is no text": (lambda own, _: [item(own, {"N": 1})], "write the number as text"),
    "a number that is none": (lambda own, _: [item(own, {"N": "one"})], "not of the kind N"),
    "a number that is not finite": (lambda own, _: [item(own, {"N": "NaN"})], "of the kind N"),
    "a number of 39 digits": (lambda own, _: [item(own, {"N": "1" * 39})], "of the kind N"),
    "a text that is bytes": (lambda own, _: [item(own, {"S": b"a"})], "of the kind S"),
    "a lone surrogate": (lambda own, _: [item(own, {"S": "\ud800"})], "of the kind S"),
    "bytes that are text": (lambda own, _: [item(own, {"B": "a"})], "of the kind B"),
    "a false null": (lambda own, _: [item(own, {"NULL": False})], "of the kind NULL"),
    "a truth of 1": (lambda own, _: [item(own, {"BOOL": 1})], "of the kind BOOL"),
    "an empty set": (lambda own, _: [item(own, {"SS": []})], "or is empty"),
    "a set with a repeated entry": (
        lambda own, _: [item(own, {"SS": ["a", "a"]})],
        "repeated entry",
    ),
    "a wrong value in a list": (
        lambda own, _: [item(own, {"L": [{"S": "a"}, 7]})],
        r"Item\['v'\]\[1\] that is not an attribute value",
    ),
    "a wrong value in a map": (
        lambda own, _: [item(own, {"M": {"w": {"N": 7}}})],
        r"Item\['v'\]\['w'\] whose value",
    ),
    "a key that is empty": (lambda own, _: [item(own, {"M": {"": {"S": "a"}}})], "or is empty"),
    "a list that is none": (lambda own, _: [item(own, {"L": "ab"})], "not a list"),
    "a map that is none": (lambda own, _: [item(own, {"M": ["ab"]})], "not a map"),
    "a name that is no text": (
        lambda own, _: [{"Put": {"TableName": own, "Item": {7: {"S": "a"}}}}],
        "whose name is not text",
    ),
    "a wrong value of a condition": (
        lambda own, _: [put(own, "a", 1, **IF_NEW, ExpressionAttributeValues={":x": 7})],
        "ExpressionAttributeValues",
    ),
    "no table": (lambda *_: [{"Put": {"Item": {}}}], "names no table"),
    "our events": (lambda _, config: [put(config.events_table, "a", 1)], "of the store"),
    "our log, by its ARN": (
        lambda _, config: [put(f"arn:aws:dynamodb:x:1:table/{config.log_table}", "a", 1)],
        "of the store",
    ),
}


@pytest.mark.parametrize(("writes", "message"), BAD.values(), ids=BAD)
def test_bad_input(engine, storage, table, rows, stream, writes, message):
    bad = writes(table, engine.config_with())

    with (
        recording(engine.client) as sent,
        pytest.raises(InvalidEnlistedWriteError, match=message) as caught,
    ):
        storage.insert_events(stream, ExplicitVersioning(0), events(stream, 1), transact_with=bad)

    assert "secret" not in str(caught.value), "a message quotes no value"
    assert not sent.calls
    assert storage.fetch_events(stream) == []
    assert rows() == {}


GOOD_VALUES = [
    {"S": ""},
    {"N": "-1.5e3"},
    {"B": b"a"},
    {"BOOL": False},
    {"NULL": True},
    {"SS": ["a", "b"]},
    {"NS": ["1", "2"]},
    {"BS": [b"a", b"b"]},
    {"L": []},
    {"L": [{"M": {"w": {"S": "x"}}}]},
    {"M": {}},
]


@pytest.mark.parametrize("value", GOOD_VALUES, ids=str)
def test_every_kind_of_value_goes_along(engine, storage, table, stream, value):
    storage.insert_events(
        stream, ExplicitVersioning(0), events(stream, 1), transact_with=[item(table, value)]
    )

    key = {"id": {"S": "a"}}
    assert engine.client.get_item(TableName=table, Key=key)["Item"]["v"].keys() == value.keys()


def test_missing_table_of_theirs_is_named_as_theirs(storage, table, rows, stream):
    missing = f"{table}-missing"
    with pytest.raises(EnlistedTableNotFoundError, match=f"your table '{missing}' does not exist"):
        storage.insert_events(
            stream, ExplicitVersioning(0), events(stream, 1), transact_with=[put(missing, "a", 1)]
        )
    with pytest.raises(EnlistedTableNotFoundError, match="one of your tables") as caught:
        storage.insert_events(
            stream,
            ExplicitVersioning(0),
            events(stream, 1),
            transact_with=[put(table, "a", 1), put(missing, "a", 1)],
        )

    assert caught.value.tables == (table, missing)
    assert issubclass(EnlistedTableNotFoundError, TableNotFoundError)
    assert "event-store.yaml" not in str(caught.value)
    assert storage.fetch_events(stream) == []
    assert rows() == {}


def test_missing_table_of_the_store_is_not_theirs(engine, table, stream):
    config = engine.config_with(events_table="nowhere")
    storage = DynamoBackend(config, engine.client).storage

    with pytest.raises(TableNotFoundError, match=r"event-store\.yaml") as caught:
        storage.insert_events(
            stream, ExplicitVersioning(0), events(stream, 1), transact_with=[put(table, "a", 1)]
        )
    assert type(caught.value) is TableNotFoundError


def test_without_events_nothing_goes_along(storage, table, rows, stream):
    with pytest.raises(InvalidEnlistedWriteError, match="needs events to append"):
        storage.insert_events(stream, ExplicitVersioning(0), [], transact_with=[put(table, "a", 1)])
    assert rows() == {}
