"""Sizes are those that DynamoDB counts, compared with its bill where an engine reports one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dynamo_es.dynamodb.wire.sizes import (
    MAX_ITEM_BYTES,
    MAX_TRANSACTION_BYTES,
    MAX_TRANSACTION_ITEMS,
    item_size,
    read_units,
    text_size,
    value_size,
    write_units,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

ENDPOINT = os.environ.get("DYNAMO_ES_TEST_ENDPOINT")

# By the developer guide, "DynamoDB item sizes and formats": about a byte for two significant digits
# and one more, without zeros at the ends. What "about" means was measured by others: the digits
# before and after the point count apart, and a sign takes a byte.
NUMBERS = {
    "0": 1,
    "1": 2,
    "9": 2,
    "10": 2,
    "12": 2,
    "99": 2,
    "100": 2,
    "120": 2,
    "123": 3,
    "1000": 2,
    "1010": 3,
    "1200": 2,
    "12000": 2,
    "1234": 3,
    "12345": 4,
    "-12": 3,
    "-120.5": 5,
    "0.05": 2,
    "0.15": 2,
    "0.0000001": 2,
    "0.000001001": 3,
    "1.5": 3,
    "12.345": 4,
    "100.5": 4,
    "100.01": 4,
    "120.50": 4,
    "1e5": 2,
    str(10**18): 2,
}


@pytest.mark.parametrize(("number", "size"), NUMBERS.items())
def test_a_number_takes_a_byte_for_two_digits_but_none_for_zeros_at_its_ends(number, size):
    assert value_size({"N": number}) == size
    assert item_size({"n": {"N": number}}) == 1 + size


@pytest.mark.parametrize(("number", "size"), [("-" + "9" * 37, 21), ("-0", 1), ("007", 2)])
def test_a_number_has_the_size_of_its_value(number, size):
    assert value_size({"N": number}) == size


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": ""}, 0),
        ({"S": "abc"}, 3),
        ({"S": "żółw"}, 7),
        ({"S": "🐢"}, 4),
        ({"B": b""}, 0),
        ({"B": b"\x00\xff"}, 2),
        ({"BOOL": False}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["a", "bc", "ż"]}, 5),
        ({"NS": ["0", "1.5", "-12"]}, 7),
        ({"BS": [b"a", b"bc"]}, 3),
        ({"L": []}, 3),
        ({"L": [{"S": "ab"}, {"BOOL": True}]}, 3 + (1 + 2) + (1 + 1)),
        ({"M": {}}, 3),
        ({"M": {"key": {"S": "ab"}}}, 3 + (1 + 3 + 2)),
        ({"M": {"ż": {"L": [{"N": "1.5"}]}}}, 3 + (1 + 2 + (3 + (1 + 3)))),
    ],
)
def test_a_value_has_the_size_of_its_kind(value, size):
    assert value_size(value) == size
    assert item_size({"name": value}) == 4 + size


def test_names_count_as_utf8_too():
    assert item_size({"żółw": {"S": "a"}, "b": {"N": "12"}}) == (7 + 1) + (1 + 2)
    assert item_size({}) == 0


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_has_the_bytes_of_its_utf8(text):
    assert text_size(text) == len(text.encode())


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="'X' is not a DynamoDB type"):
        value_size({"X": "1"})


@pytest.mark.parametrize(
    ("size", "write", "read"),
    [
        (0, 1, 1),
        (1, 1, 1),
        (1024, 1, 1),
        (1025, 2, 1),
        (4096, 4, 1),
        (4097, 5, 2),
        (400 * 1024, 400, 100),
    ],
)
def test_a_unit_is_begun_or_not(size, write, read):
    assert write_units(size) == write
    assert write_units(size, transactional=True) == 2 * write
    assert read_units(size) == read


def test_the_limits_are_dynamodbs():
    assert (MAX_ITEM_BYTES, MAX_TRANSACTION_BYTES, MAX_TRANSACTION_ITEMS) == (
        409_600,
        4_194_304,
        100,
    )


# Against what is billed


@pytest.fixture(scope="module")
def table() -> Iterator[tuple[DynamoDBClient, str]]:
    """A table of the local engine."""
    if not ENDPOINT:
        pytest.skip("no local engine: its address goes into DYNAMO_ES_TEST_ENDPOINT")
    client = boto3.client(
        "dynamodb",
        endpoint_url=ENDPOINT,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - it takes any
    )
    name = f"sizes-{uuid4().hex}"
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
    )
    yield client, name
    client.delete_table(TableName=name)
    client.close()


def billed(table: tuple[DynamoDBClient, str], item: dict[str, Any]) -> float:
    client, name = table
    # Replacing an item is billed by the larger of the two.
    client.delete_item(TableName=name, Key={"k": item["k"]})
    reply = client.put_item(TableName=name, Item=item, ReturnConsumedCapacity="TOTAL")
    return reply["ConsumedCapacity"]["CapacityUnits"]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = texts.filter(bool)
numerals = st.integers(-(10**28), 10**37).map(str) | st.decimals(
    -(10**18), 10**18, places=9, allow_nan=False
).map(lambda number: format(number or 0, "f"))
scalars = st.one_of(
    st.builds(lambda text: {"S": text}, texts),
    st.builds(lambda content: {"B": content}, st.binary(max_size=20)),
    st.builds(lambda number: {"N": number}, numerals),
    st.builds(lambda flag: {"BOOL": flag}, st.booleans()),
    st.just({"NULL": True}),
    st.builds(
        lambda entries: {"SS": entries}, st.lists(texts, min_size=1, max_size=4, unique=True)
    ),
    st.builds(
        lambda entries: {"NS": [str(entry) for entry in entries]},
        st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=4, unique=True),
    ),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.builds(lambda entries: {"L": entries}, st.lists(inner, max_size=4))
        | st.builds(lambda entries: {"M": entries}, st.dictionaries(names, inner, max_size=4))
    ),
    max_leaves=6,
)
attributes = st.dictionaries(
    names.filter(lambda name: name not in {"k", "pad"}), values, max_size=5
)


@pytest.mark.endpoint
@settings(max_examples=100)
@given(attributes)
def test_an_item_of_1024_bytes_costs_one_unit_and_one_byte_more_another(table, attributes):
    item = {"k": {"S": "a"}, **attributes, "pad": {"S": ""}}
    missing = 1024 - item_size(item)
    assume(missing >= 0)
    item["pad"] = {"S": "x" * missing}
    assert billed(table, item) == 1
    item["pad"] = {"S": "x" * (missing + 1)}
    assert billed(table, item) == 2


@pytest.mark.endpoint
@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_is_billed_by_the_size_it_is_said_to_have(table, number):
    item = {"k": {"S": "a"}, "n": {"N": number}, "pad": {"S": ""}}
    item["pad"] = {"S": "x" * (1024 - item_size(item))}
    assert billed(table, item) == 1
    item["pad"]["S"] += "x"
    assert billed(table, item) == 2
