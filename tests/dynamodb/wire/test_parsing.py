"""Replies parse to what botocore makes of them; what is not a reply is left to botocore."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import create_parser
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo_es.dynamodb.wire.boto.parsing import parse_reply

MODEL = ServiceModel(Loader().load_service_model("dynamodb", "service-2"), "dynamodb")
REFUSED = "refused"


def by_botocore(operation: str, body: bytes) -> Any:
    """Return what botocore makes of a reply's body, or that it makes nothing of it."""
    shape: Any = MODEL.operation_model(operation).output_shape
    reply = {"status_code": 200, "headers": {}, "body": body}
    try:
        parsed = create_parser("json").parse(reply, shape)
    except Exception:  # noqa: BLE001 - any error of any kind
        return REFUSED
    parsed.pop("ResponseMetadata")
    return parsed


def shown(value: Any) -> Any:
    """Return a value so that only values of the same types are equal; members have no order."""
    if type(value) is dict:
        return {"dict": sorted((name, shown(entry)) for name, entry in value.items())}.__repr__()
    if type(value) is list:
        return repr([shown(entry) for entry in value])
    return repr(value)


def assert_as_botocore(operation: str, body: bytes) -> None:
    assert shown(parse_reply(operation, body)) == shown(by_botocore(operation, body))


BINARY = st.binary(max_size=20).map(lambda value: base64.b64encode(value).decode())
NUMBER = st.decimals(allow_nan=False, allow_infinity=False).map(str)
SCALARS = st.one_of(
    st.text().map(lambda value: {"S": value}),
    NUMBER.map(lambda value: {"N": value}),
    BINARY.map(lambda value: {"B": value}),
    st.booleans().map(lambda value: {"BOOL": value}),
    st.just({"NULL": True}),
    st.lists(st.text(), min_size=1, max_size=3).map(lambda values: {"SS": values}),
    st.lists(NUMBER, min_size=1, max_size=3).map(lambda values: {"NS": values}),
    st.lists(BINARY, min_size=1, max_size=3).map(lambda values: {"BS": values}),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda values: {"L": values}),
        st.dictionaries(st.text(), inner, max_size=3).map(lambda values: {"M": values}),
    ),
    max_leaves=5,
)
ITEM = st.dictionaries(st.text(), VALUES, max_size=4)
ITEMS = st.lists(ITEM, max_size=3)
UNITS = st.fixed_dictionaries(
    {"TableName": st.text(), "CapacityUnits": st.floats(0, 1e6)},
    optional={"ReadCapacityUnits": st.integers(0, 9), "WriteCapacityUnits": st.floats(0, 9)},
)
FAILED = st.fixed_dictionaries({"Code": st.text()}, optional={"Message": st.text(), "Item": ITEM})
MEMBERS: dict[str, dict[str, Any]] = {
    "BatchExecuteStatement": {
        "Responses": st.lists(
            st.fixed_dictionaries(
                {"TableName": st.text()}, optional={"Item": ITEM, "Error": FAILED}
            ),
            max_size=3,
        ),
        "ConsumedCapacity": st.lists(UNITS, max_size=2),
    },
    "BatchGetItem": {
        "Responses": st.dictionaries(st.text(), ITEMS, max_size=2),
        "UnprocessedKeys": st.just({}),
        "ConsumedCapacity": st.lists(UNITS, max_size=2),
    },
    "DeleteItem": {"Attributes": ITEM, "ConsumedCapacity": UNITS},
    "GetItem": {"Item": ITEM, "ConsumedCapacity": UNITS},
    "PutItem": {"Attributes": ITEM, "ConsumedCapacity": UNITS},
    "Query": {
        "Items": ITEMS,
        "Count": st.integers(0),
        "ScannedCount": st.integers(0),
        "LastEvaluatedKey": ITEM,
        "ConsumedCapacity": UNITS,
    },
    "TransactGetItems": {
        "Responses": st.lists(st.fixed_dictionaries({}, optional={"Item": ITEM}), max_size=3),
        "ConsumedCapacity": st.lists(UNITS, max_size=2),
    },
    "TransactWriteItems": {"ConsumedCapacity": st.lists(UNITS, max_size=2)},
    "UpdateItem": {"Attributes": ITEM, "ConsumedCapacity": UNITS},
}
MEMBERS["Scan"] = MEMBERS["Query"]


@pytest.mark.parametrize("operation", MEMBERS)
@settings(max_examples=40)
@given(st.data())
def test_whatever_dynamodb_replies_is_parsed_as_by_botocore(operation, data):
    reply = data.draw(st.fixed_dictionaries({}, optional=MEMBERS[operation]))
    body = json.dumps(reply, ensure_ascii=data.draw(st.booleans())).encode()
    if reply:
        assert parse_reply(operation, body) is not None
        assert_as_botocore(operation, body)


NAMES = sorted(
    {member for members in MEMBERS.values() for member in members}
    | {"S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M", "TableName", "Error", "Keys"}
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), BINARY),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=1), inner, max_size=3),
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("operation", MEMBERS)
@settings(max_examples=40)
@given(st.data())
def test_any_other_json_is_parsed_as_by_botocore_or_left_to_it(operation, data):
    names = sorted(MEMBERS[operation])
    reply = data.draw(st.dictionaries(st.sampled_from(names), JSON, min_size=1) | JSON)
    body = json.dumps(reply).encode()
    if parse_reply(operation, body) is not None:
        assert_as_botocore(operation, body)


ITEM_OF = '{"Item": {"a": %s}}'
ALIKE = {
    "a key twice": '{"Item": {"a": {"S": "1"}}, "Item": {"b": {"S": "2"}}}',
    "an attribute twice": '{"Item": {"a": {"S": "1"}, "b": {"S": "3"}, "a": {"S": "2"}}}',
    "a kind twice": ITEM_OF % '{"B": "YQ==", "B": "Yg=="}',
    "an escaped kind": ITEM_OF % r'{"\u0042": "YQ=="}',
    "a pair of surrogates": ITEM_OF % r'{"S": "\ud83d\ude00"}',
    "an escaped zero": ITEM_OF % r'{"S": "\u0000"}',
    "binary in characters that base64 has not": ITEM_OF % '{"B": "Y-Q_\\n=="}',
    "no binary": ITEM_OF % '{"B": ""}',
    "a number that is infinite": '{"ConsumedCapacity": {"CapacityUnits": 1e400}}',
    "a number that is none": '{"ConsumedCapacity": {"CapacityUnits": NaN}}',
    "a long number": '{"ConsumedCapacity": {"CapacityUnits": 123456789012345678901234567890}}',
    "a long fraction": '{"ConsumedCapacity": {"CapacityUnits": 0.1234567890123456789012345}}',
    "an empty item": '{"Item": {}}',
    "space around": ' \r\n\t{"Item": {}} \n',
}
LEFT = {
    "nothing": "",
    "an empty object": "{}",
    "a page": "<html>",
    "a list": "[]",
    "null": "null",
    "a text": '"Item"',
    "a cut object": '{"Item": {"a": {"S": "1"}',
    "two objects": '{"Item": {}} {"Item": {}}',
    "a byte order mark": '\ufeff{"Item": {}}',
    "a comma too many": '{"Item": {},}',
    "a control character": '{"Item": {"a\x01": {"S": "1"}}}',
    "one half of a pair of surrogates": ITEM_OF % r'{"S": "\ud83d"}',
    "text that is not UTF-8": ITEM_OF.encode() % b'{"S": "\xff"}',
    "a surrogate in UTF-8": ITEM_OF.encode() % b'{"S": "\xed\xa0\x80"}',
    "a number of too many digits": '{"ConsumedCapacity": {"CapacityUnits": 1%s}}' % ("0" * 5000),
    "a new member": '{"Item": {}, "Newer": 1}',
    "a member that is null": '{"Item": null}',
    "a new kind": ITEM_OF % '{"X": "1"}',
    "no kind": ITEM_OF % "{}",
    "two kinds": ITEM_OF % '{"S": "1", "N": "1"}',
    "a kind that is null": ITEM_OF % '{"S": null}',
    "a number that is no text": ITEM_OF % '{"N": 1}',
    "a flag that is a text": ITEM_OF % '{"BOOL": "true"}',
    "binary that is no base64": ITEM_OF % '{"B": "YQ"}',
    "binary that is not ASCII": ITEM_OF % '{"B": "\u00e9"}',
    "a set that is a text": ITEM_OF % '{"SS": "ab"}',
    "a set of numbers": ITEM_OF % '{"NS": [1]}',
    "an empty place in a list": ITEM_OF % '{"L": [null]}',
    "deep in lists": ITEM_OF % ('{"L": [' * 400 + "]}" * 400),
    "units of indexes": '{"ConsumedCapacity": {"Table": {"CapacityUnits": 1.0}}}',
}


@pytest.mark.parametrize("body", ALIKE.values(), ids=ALIKE)
def test_unusual_json_is_parsed_as_by_botocore(body):
    assert parse_reply("GetItem", body.encode()) is not None
    assert_as_botocore("GetItem", body.encode())


@pytest.mark.parametrize("body", LEFT.values(), ids=LEFT)
def test_what_is_not_a_usual_reply_is_left_to_botocore(body):
    assert parse_reply("GetItem", body if isinstance(body, bytes) else body.encode()) is None


@pytest.mark.parametrize("operation", ["DescribeTable", "ListTables", "ExecuteStatement"])
def test_so_is_the_reply_to_an_operation_that_is_not_known(operation):
    assert parse_reply(operation, b'{"Items": []}') is None


def test_keys_that_were_not_read_are_left_to_botocore():
    keys = {"events": {"Keys": [{"stream_key": {"S": "a"}}], "ConsistentRead": True}}
    body = json.dumps({"Responses": {}, "UnprocessedKeys": keys}).encode()
    assert parse_reply("BatchGetItem", body) is None
    assert by_botocore("BatchGetItem", body)["UnprocessedKeys"] == keys
