"""Parses DynamoDB's replies into the same values as botocore, in a fraction of the time.

Botocore parses the JSON, and then rebuilds it value by value from the model of the operation. A
reply with items needs that only for binary values, which are base64 text in JSON. So `parse_reply`
parses the JSON, checks its form, and decodes the binary values in place.

It leaves everything that it does not know to botocore: errors, other operations, new members, new
kinds of values, and anything that DynamoDB cannot have sent.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from dynamo_es.dynamodb.wire.attempts.watching import attempts
from dynamo_es.dynamodb.wire.encoding.binary import decode

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_Member: TypeAlias = Callable[[Any], None]

_OK: Final = 200
_EMPTY: Final = b"{}"
_parser_log = logging.getLogger("botocore.parsers")


def parse_reply(operation: str, body: bytes) -> dict[str, Any] | None:
    """Return the members of a reply with status 200; None if only botocore can parse it.

    The members are equal to those that botocore returns, of the same types.

    Args:
        operation: name of the API operation, such as ``Query``.
        body: the body, uncompressed.
    """
    members = _REPLIES.get(operation)
    if members is None or body == _EMPTY:
        return None
    from pydantic_core import from_json

    try:
        # Repeated strings are mostly keys. Looking up other strings costs more than it saves.
        reply: dict[str, Any] = from_json(body, cache_strings="keys")
        for name, value in reply.items():
            members[name](value)
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return None
    return reply


def parse_own_replies(client: DynamoDBClient) -> None:
    """Make a client of the library parse the replies to the library's requests with this module.

    botocore still parses the replies to requests of users.
    """
    client.meta.events.register_last("before-parse", _parse, unique_id="dynamo-es-parsing")


def _parse(
    operation_model: Any,
    response_dict: dict[str, Any],
    customized_response_dict: dict[str, Any],
    **_: Any,
) -> None:
    """Handle ``before-parse``: give botocore the members of a reply, and an empty text to parse."""
    if (
        not attempts.sending
        or response_dict["status_code"] != _OK
        or customized_response_dict  # a hook of a user has set it
        or _parser_log.isEnabledFor(logging.DEBUG)  # botocore logs the body that it parses
    ):
        return
    reply = parse_reply(operation_model.name, response_dict["body"])
    if reply is not None:
        customized_response_dict.update(reply)
        response_dict["body"] = _EMPTY


def _is(*kinds: type) -> _Member:
    def check(value: Any) -> None:
        if type(value) not in kinds:
            raise TypeError

    return check


_is_text: Final = _is(str)
_is_list: Final = _is(list)


def _item(item: Any) -> None:
    for attribute in item.values():
        ((kind, content),) = attribute.items()
        if type(content) is not str:
            _OTHER_KINDS[kind](content)
        elif kind == "B":
            attribute[kind] = decode(content)
        elif kind not in {"S", "N"}:
            raise TypeError


def _attribute(attribute: Any) -> None:
    _item({"": attribute})


def _binary_set(values: Any) -> None:
    _each(_is_text)(values)
    values[:] = map(decode, values)


def _nothing(value: Any) -> None:
    if value != {}:
        raise TypeError


def _each(member: _Member) -> _Member:
    def check(values: Any) -> None:
        _is_list(values)
        for value in values:
            member(value)

    return check


def _each_of_map(member: _Member) -> _Member:
    def check(values: Any) -> None:
        for value in values.values():
            member(value)

    return check


def _structure(**members: _Member) -> _Member:
    def check(values: Any) -> None:
        for name, value in values.items():
            members[name](value)

    return check


_OTHER_KINDS: Final[Mapping[str, _Member]] = {
    "BOOL": _is(bool),
    "NULL": _is(bool),
    "SS": _each(_is_text),
    "NS": _each(_is_text),
    "BS": _binary_set,
    "L": _each(_attribute),
    "M": _item,
}
"""Kinds of attribute values that are not text in JSON."""

_units: Final = _is(int, float)
_capacity: Final = _structure(
    TableName=_is_text,
    CapacityUnits=_units,
    ReadCapacityUnits=_units,
    WriteCapacityUnits=_units,
)
_WRITTEN: Final[Mapping[str, _Member]] = {"Attributes": _item, "ConsumedCapacity": _capacity}
_FOUND: Final[Mapping[str, _Member]] = {
    "Items": _each(_item),
    "Count": _is(int),
    "ScannedCount": _is(int),
    "LastEvaluatedKey": _item,
    "ConsumedCapacity": _capacity,
}
_REPLIES: Final[Mapping[str, Mapping[str, _Member]]] = {
    "BatchExecuteStatement": {
        "Responses": _each(
            _structure(
                TableName=_is_text,
                Item=_item,
                Error=_structure(Code=_is_text, Message=_is_text, Item=_item),
            )
        ),
        "ConsumedCapacity": _each(_capacity),
    },
    "BatchGetItem": {
        "Responses": _each_of_map(_each(_item)),
        "UnprocessedKeys": _nothing,
        "ConsumedCapacity": _each(_capacity),
    },
    "DeleteItem": _WRITTEN,
    "GetItem": {"Item": _item, "ConsumedCapacity": _capacity},
    "PutItem": _WRITTEN,
    "Query": _FOUND,
    "Scan": _FOUND,
    "TransactGetItems": {
        "Responses": _each(_structure(Item=_item)),
        "ConsumedCapacity": _each(_capacity),
    },
    "TransactWriteItems": {"ConsumedCapacity": _each(_capacity)},
    "UpdateItem": _WRITTEN,
}
"""The members of each reply. Each function checks a member, and decodes binary values in place."""
