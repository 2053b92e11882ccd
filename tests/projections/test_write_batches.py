"""Changes of several events to one item become one write with the same effect."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo_es import Writes
from dynamo_es.dynamodb.consumers.write_batch import DynamoWriteBatch
from dynamo_es.exceptions import InvalidEnlistedWriteError

KEY = {"id": "a"}
NAMES = ("x", "y")
AMOUNTS = st.integers(-5, 5)
VALUES = st.dictionaries(st.sampled_from(NAMES), AMOUNTS, min_size=1)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("put"), VALUES),
        st.tuples(st.just("update"), VALUES),
        st.tuples(st.just("add"), VALUES),
        st.tuples(st.just("delete"), st.just({})),
    ),
    min_size=1,
    max_size=6,
)


def batch() -> DynamoWriteBatch:
    return DynamoWriteBatch(("events", "log"))


def one_by_one(item: dict[str, int] | None, changes: Any) -> dict[str, int] | None:
    """Return what the changes make of an item, each by itself."""
    for kind, values in changes:
        if kind == "delete":
            item = None
        elif kind == "put":
            item = dict(values)
        elif kind == "update":
            item = {**(item or {}), **values}
        else:
            item = dict(item or {})
            for name, amount in values.items():
                item[name] = item.get(name, 0) + amount
    return item


def carried_out(item: dict[str, int] | None, write: dict[str, Any]) -> dict[str, int] | None:
    """Return what one write makes of an item."""
    ((kind, params),) = write.items()
    if kind == "Delete":
        return None
    if kind == "Put":
        whole = {name: int(value["N"]) for name, value in params["Item"].items() if name != "id"}
        assert params["Item"]["id"] == {"S": "a"}
        return whole
    item = dict(item or {})
    names, values = params["ExpressionAttributeNames"], params["ExpressionAttributeValues"]
    verb = name = ""
    for word in params["UpdateExpression"].replace(",", " ").replace(" =", "").split():
        if word in {"SET", "ADD"}:
            verb = word
        elif word.startswith("#"):
            name = names[word]
        else:
            amount = int(values[word]["N"])
            item[name] = amount if verb == "SET" else item.get(name, 0) + amount
    return item


@given(CHANGES, st.none() | VALUES)
def test_folded_changes_have_the_effect_of_all(changes, before):
    made = batch()
    for position, (kind, values) in enumerate(changes, 1):
        arguments = ("balances", KEY) if kind == "delete" else ("balances", KEY, values)
        assert made.add(position, getattr(Writes(), kind)(*arguments))

    (write,) = made.writes

    assert carried_out(before, write) == one_by_one(before, changes)
    assert [position for position, _ in made.one_by_one()] == list(range(1, len(changes) + 1))


def test_what_does_not_fit_is_left_for_the_next_transaction():
    made = batch()
    for number in range(99):
        assert made.add(number + 1, Writes().delete("balances", {"id": str(number)}))
    assert not made.add(100, Writes().delete("balances", {"id": "another"}))
    assert made.add(100, Writes().delete("balances", {"id": "7"})), "one of the items again"
    assert (made.events, len(made.writes)) == (100, 99)


def test_bytes_are_counted_too():
    made = batch()
    for number in range(10):
        assert made.add(number + 1, Writes().put("b", {"id": str(number)}, {"x": "x" * 380_000}))
    assert made.add(11, Writes().put("b", {"id": "10"}, {"x": "x" * 300_000}))
    assert not made.add(12, Writes().put("b", {"id": "11"}, {"x": "x" * 380_000}))
    assert made.events == 11


RAW_KEY = {"id": {"S": "a"}}
UPDATE = {"TableName": "b", "Key": RAW_KEY, "UpdateExpression": "REMOVE y"}


def test_boto3s_writes_to_one_item_are_never_in_one_transaction():
    deleted = [{"Delete": {"TableName": "b", "Key": RAW_KEY}}]
    put = [{"Put": {"TableName": "b", "Item": {**RAW_KEY, "x": {"N": "1"}}}}]
    other = [{"Delete": {"TableName": "b", "Key": {"id": {"S": "b"}}}}]
    elsewhere = [{"Put": {"TableName": "c", "Item": RAW_KEY}}]

    made = batch()
    assert made.add(1, deleted)
    assert not made.add(2, [{"Update": UPDATE}])
    assert not made.add(2, put), "its key is not known"
    assert not made.add(2, Writes().delete("b", KEY))
    assert made.add(2, other)
    assert made.add(3, elsewhere)
    made = batch()
    assert made.add(1, put)
    assert not made.add(2, put)
    assert not made.add(2, other)
    assert not made.add(2, Writes().delete("b", KEY))
    made = batch()
    assert made.add(1, Writes().delete("b", KEY))
    assert not made.add(2, deleted)
    assert not made.add(2, put)


def test_numbers_in_keys_are_equal_however_they_are_written():
    made = batch()
    assert made.add(1, Writes().add("b", {"id": 100}, {"x": 1}))
    assert made.add(2, Writes().add("b", {"id": Decimal("1E+2")}, {"x": 1}))
    assert len(made.writes) == 1


def test_numbers_of_38_digits_are_neither_rounded_nor_mixed_up():
    one, two = 10**37 + 1, 10**37 + 2
    made = batch()
    assert made.add(1, Writes().add("b", {"id": one}, {"x": one}))
    assert made.add(2, Writes().add("b", {"id": two}, {"x": one}))
    assert made.add(3, Writes().add("b", {"id": two}, {"x": one}))

    amounts = [write["Update"]["ExpressionAttributeValues"][":0"]["N"] for write in made.writes]

    assert amounts == [str(one), str(2 * one)]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: Writes().put("", KEY, {}), "table must be the name of a table"),
        (lambda: Writes().put("b", {}, {}), "key must be a dict with at least one attribute"),
        (
            lambda: Writes().update("b", KEY, {}),
            "values must be a dict with at least one attribute",
        ),
        (lambda: Writes().put("b", KEY, {"x": 1.5}), "A float must be a Decimal"),
        (lambda: Writes().put("b", KEY, {"id": "b"}), "'id' is in the key and in the values"),
        (lambda: Writes().add("b", KEY, {"x": True}), "add takes an int or a Decimal"),
        (lambda: Writes().add("b", KEY, {"x": cast("Any", "1")}), "add takes an int or a Decimal"),
        (lambda: batch().add(1, Writes().delete("log", KEY)), "a table of the store"),
        (lambda: batch().add(1, "text"), "must be a list of writes"),
        (
            lambda: batch().add(1, [{"Update": UPDATE}] * 2),
            "Two writes of one event go to the same",
        ),
        (
            lambda: batch().add(1, Writes().put("b", KEY, {"x": "a"}).add("b", KEY, {"x": 1})),
            "cannot add to 'x'",
        ),
    ],
)
def test_wrong_writes_are_refused(wrong, says):
    with pytest.raises(InvalidEnlistedWriteError, match=says):
        wrong()


def test_an_error_never_quotes_a_value():
    with pytest.raises(InvalidEnlistedWriteError) as error:
        Writes().put("b", KEY, {"secret": object.__new__(type("Mary", (), {}))})
    assert "Mary" not in str(error.value)
