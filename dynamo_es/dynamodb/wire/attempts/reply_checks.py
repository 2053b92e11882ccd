"""Checks that DynamoDB sent a reply, that it is complete, and that it answers the request.

Botocore would treat a proxy's page, a truncated body or the reply to another request as an empty
success.
"""

from __future__ import annotations

from binascii import crc32
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from dynamo_es.dynamodb.wire.partiql.statements import table_of, target_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dynamo_es.dynamodb.wire.steps import Request

_CONTENT_TYPE: Final = "application/x-amz-json-1."
_CHECKSUM: Final = "x-amz-crc32"
_EMPTY: Final = b"{}"
_FIRST_ERROR: Final = 300
_SERVER_ERROR: Final = 500

_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "BatchExecuteStatement": ("Responses",),
    "BatchGetItem": ("Responses", "UnprocessedKeys"),
    "CreateTable": ("TableDescription",),
    "DeleteTable": ("TableDescription",),
    "DescribeContinuousBackups": ("ContinuousBackupsDescription",),
    "DescribeStream": ("StreamDescription",),
    "DescribeTable": ("Table",),
    "DescribeTimeToLive": ("TimeToLiveDescription",),
    "GetRecords": ("Records",),
    "GetShardIterator": ("ShardIterator",),
    "ListStreams": ("Streams",),
    "ListTables": ("TableNames",),
    "Query": ("Items", "Count"),
    "Scan": ("Items", "Count"),
    "TransactGetItems": ("Responses",),
    "UpdateContinuousBackups": ("ContinuousBackupsDescription",),
    "UpdateTable": ("TableDescription",),
    "UpdateTimeToLive": ("TimeToLiveSpecification",),
}
"""Every successful reply has one of these members. Writes and GetItem may also reply ``{}``."""


def flaw_of(
    operation: Any, status: int, body: bytes, parsed: Mapping[str, Any], endpoint: str
) -> str | None:
    """Return why DynamoDB cannot have sent a reply; None if it can.

    A checksum proves that DynamoDB sent the reply, and that it is complete. DynamoDB on AWS sends a
    checksum with every reply, so one is required there. DynamoDB Streams and other endpoints may
    omit it; then the content type and the members must be right.

    Args:
        operation: botocore's model of the operation.
        status: HTTP status.
        body: the body as received.
        parsed: the reply as botocore parsed it.
        endpoint: URL that the request went to.
    """
    headers = parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    checksum = headers.get(_CHECKSUM)
    flaw = _no_checksum(endpoint) if checksum is None else _wrong_checksum(checksum, body)
    if flaw is not None:
        return flaw
    if status >= _FIRST_ERROR:
        return _flaw_of_error(status, parsed)
    if operation.output_shape is None:
        return None
    if not headers.get("content-type", "").startswith(_CONTENT_TYPE):
        return f"its content type is {headers.get('content-type')!r:.80}, not DynamoDB's"
    return _flaw_of_members(operation.name, body, parsed)


def _no_checksum(endpoint: str) -> str | None:
    if _is_table_endpoint_of_aws(endpoint):
        return f"it has no {_CHECKSUM} header, which DynamoDB always sends"
    return None


def _wrong_checksum(checksum: str, body: bytes) -> str | None:
    if checksum.isdecimal() and int(checksum) == crc32(body):
        return None
    return "its checksum does not match, so the reply was truncated or changed on its way"


def _flaw_of_members(operation: str, body: bytes, parsed: Mapping[str, Any]) -> str | None:
    if len(parsed) == 1 and body != _EMPTY and body.strip() != _EMPTY:
        # There is only metadata, and no member of this operation's reply.
        return f"it is not the JSON of a reply to {operation}"
    expected = _MEMBERS.get(operation)
    if expected is not None and not any(member in parsed for member in expected):
        return f"it lacks {' or '.join(expected)}, which every reply to {operation} has"
    return None


def _flaw_of_error(status: int, parsed: Mapping[str, Any]) -> str | None:
    if status >= _SERVER_ERROR:
        return None  # it is an error in any case, and leaves the outcome open
    code = parsed.get("Error", {}).get("Code")
    # Without a code in the body, botocore uses the status as the code.
    if not code or code == str(status):
        return "it has no error code"
    return None


@lru_cache(maxsize=64)
def _is_table_endpoint_of_aws(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    # AWS promises no checksum for DynamoDB Streams.
    return "streams" not in host and ("amazonaws" in host or host.endswith(".api.aws"))


def misdirected(request: Request, response: Mapping[str, Any]) -> str | None:
    """Return the subject of a reply that answers another read; None if it answers this one.

    A page that names itself as the next one is refused too, because reading would never end.
    """
    operation, params = request
    if operation == "get_item":
        item = response.get("Item")
        return None if item is None else _first_other(params.get("Key", {}), (item,))
    if operation == "batch_get_item":
        return _unasked(params["RequestItems"], response.get("Responses", {}))
    after = response.get("LastEvaluatedKey")
    if after is not None and after == params.get("ExclusiveStartKey"):
        return f"the page after {_text(after)}, and names itself as the next page"
    if operation == "query" and "KeyConditionExpression" in params:
        name, value = _partition(params)
        return _first_other({name: value}, response.get("Items", ()))
    return None


def misdirected_refusal(
    request: Request, items: Iterable[Mapping[str, Any] | None], keys: Mapping[str, Sequence[str]]
) -> str | None:
    """Return the subject of a refusal that answers another write; None if it answers this one.

    Args:
        request: the write that was refused.
        items: for each item of the write, in order, the stored item; None if there is none.
        keys: names of the key attributes, by table; other tables are not checked.
    """
    for write, item in zip(_writes(request), items, strict=False):
        if item and write.get("TableName") in keys:
            target = write.get("Item") or write.get("Key") or {}
            key = {name: target[name] for name in keys[write["TableName"]] if name in target}
            if other := _first_other(key, (item,)):
                return other
    return None


def misdirected_batch(
    request: Request, response: Mapping[str, Any], keys: Mapping[str, Sequence[str]]
) -> str | None:
    """Return the subject of a reply that answers another batch; None if it answers this one.

    Args:
        request: the batch.
        response: the reply.
        keys: names of the key attributes, by table; items of other tables are not checked.
    """
    statements = request.params["Statements"]
    answers = response.get("Responses", ())
    if len(answers) != len(statements):
        return f"{len(answers)} statements instead of {len(statements)}"
    for statement, answer in zip(statements, answers, strict=True):
        item = answer.get("Error", {}).get("Item")
        if item:
            key = target_of(statement, keys.get(table_of(statement), ()))
            if other := _first_other(key, (item,)):
                return other
    return None


def _writes(request: Request) -> Iterator[Mapping[str, Any]]:
    if "TransactItems" not in request.params:
        yield request.params
        return
    for write in request.params["TransactItems"]:
        yield from write.values()


def _partition(params: Mapping[str, Any]) -> tuple[str, Any]:
    name, _, placeholder = params["KeyConditionExpression"].split(maxsplit=3)[:3]
    return name, params["ExpressionAttributeValues"][placeholder]


def _first_other(key: Mapping[str, Any], items: Iterable[Mapping[str, Any]]) -> str | None:
    for name, value in key.items():
        for item in items:
            if item.get(name) != value:
                return f"{name} {_text(item.get(name))} instead of {_text(value)}"
    return None


def _unasked(asked: Mapping[str, Any], found: Mapping[str, Any]) -> str | None:
    for table, items in found.items():
        if table not in asked:
            return f"the table {table}"
        keys = asked[table]["Keys"]
        if not items or not keys:
            continue
        names = list(keys[0])
        wanted = {_identity(key, names) for key in keys}
        for item in items:
            # If the projection lacks a part of the key, compare the other part.
            there = [name for name in names if name in item]
            those = wanted if there == names else {_identity(key, there) for key in keys}
            if _identity(item, there) not in those:
                return ", ".join(f"{name} {_text(item[name])}" for name in there)
    return None


def _identity(item: Mapping[str, Any], names: list[str]) -> tuple[Any, ...]:
    # A list, because a generator takes twice as long.
    return tuple([pair for name in names for pair in item[name].items()])


def _text(value: object) -> str:
    return f"{value!r:.200}"
