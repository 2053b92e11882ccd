"""Requests for the events table: pure functions that build what is sent, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dynamo_es.dynamodb.streams.keys import SNAPSHOT_VERSION
from dynamo_es.dynamodb.wire.steps import Request, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.contracts import EnlistedWrite
    from dynamo_es.dynamodb.streams.items import Commit
    from dynamo_es.dynamodb.wire.steps import Item

# A fence of an older life may be overwritten; a commit, and a fence of this life or a
# later one, may not: that one condition is the whole of optimistic locking here.
_FREE_FOR_GENERATION: Final = "attribute_not_exists(version) OR closed < :generation"

_NEWER_THAN_STORED: Final = (
    "attribute_not_exists(version)"
    " OR generation < :generation"
    " OR (generation = :generation AND snapshot_version < :snapshot_version)"
)

# An attribute that nobody reads costs the client 10 µs an item to parse, and its bytes.
# The key of the stream is read: it proves that a reply is about the stream that was asked for.
_OUTLINE: Final = (
    "stream_key, version, generation, closed, event_count, snapshot_version, "
    "expires_at, item_format"
)
_CONTENT: Final = (
    "stream_key, version, generation, closed, event_count, snapshot_version, versionless, "
    "stream_name, events, item_format"
)


def put_commit(table: str, item: Item) -> Request:
    """Put one commit where no commit is and no fence keeps its generation out."""
    return Request("put_item", _commit_put(table, item))


def put_commits(
    table: str, items: Sequence[Item], enlisted: Sequence[EnlistedWrite] = ()
) -> Request:
    """Put the commits of one append and what goes along with them, all or none."""
    puts = [{"Put": _commit_put(table, item)} for item in items]
    return Request("transact_write_items", {"TransactItems": [*puts, *enlisted]})


def _commit_put(table: str, item: Item) -> dict[str, Any]:
    return {
        "TableName": table,
        "Item": item,
        "ConditionExpression": _FREE_FOR_GENERATION,
        "ExpressionAttributeValues": {":generation": item["generation"]},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def get_item(table: str, key: str, version: int) -> Request:
    """Read one item, consistently."""
    return Request(
        "get_item", {"TableName": table, "Key": _key(key, version), "ConsistentRead": True}
    )


def query_down(
    table: str,
    key: str,
    *,
    below: int | None = None,
    limit: int | None = None,
    after: Item | None = None,
    outline: bool = False,
) -> Request:
    """Query a stream from its newest item down, consistently.

    The items come without what only filters read. They are billed whole all the same.

    Args:
        table: the events table.
        key: partition key of the stream.
        below: sort keys below this one only; None: from the top, the snapshot included.
        limit: most items of the page.
        after: ``LastEvaluatedKey`` of the page before.
        outline: without the events themselves.
    """
    params: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "stream_key = :key",
        "ExpressionAttributeValues": {":key": {"S": key}},
        "ProjectionExpression": _OUTLINE if outline else _CONTENT,
        "ScanIndexForward": False,
        "ConsistentRead": True,
    }
    if below is not None:
        params["KeyConditionExpression"] += " AND version < :below"
        params["ExpressionAttributeValues"][":below"] = number(below)
    if limit is not None:
        params["Limit"] = limit
    if after is not None:
        params["ExclusiveStartKey"] = after
    return Request("query", params)


def put_snapshot(table: str, item: Item) -> Request:
    """Put a snapshot unless a newer one of the same life, or one of a later life, is there."""
    return Request(
        "put_item",
        {
            "TableName": table,
            "Item": item,
            "ConditionExpression": _NEWER_THAN_STORED,
            "ExpressionAttributeValues": {
                ":generation": item["generation"],
                ":snapshot_version": item["snapshot_version"],
            },
        },
    )


def put_closing_fence(table: str, fence: Item) -> Request:
    """Put the fence that closes a generation, one version beyond its last event."""
    return Request(
        "put_item",
        {
            "TableName": table,
            "Item": fence,
            "ConditionExpression": _FREE_FOR_GENERATION,
            "ExpressionAttributeValues": {":generation": fence["closed"]},
        },
    )


def put_fence_over(table: str, commit: Commit, fence: Item) -> Request:
    """Overwrite a commit of a closed generation, and nothing else, with a fence."""
    return Request(
        "put_item",
        {
            "TableName": table,
            "Item": fence,
            "ConditionExpression": "generation = :generation",
            "ExpressionAttributeValues": {":generation": number(commit.generation)},
        },
    )


def delete_snapshot(table: str, key: str, generation: int) -> Request:
    """Delete the snapshot of a generation or an earlier one, never a later one's."""
    return Request(
        "delete_item",
        {
            "TableName": table,
            "Key": _key(key, SNAPSHOT_VERSION),
            "ConditionExpression": "generation <= :generation",
            "ExpressionAttributeValues": {":generation": number(generation)},
        },
    )


def expire_fence(table: str, key: str, *, version: int, closed: int, expires_at: int) -> Request:
    """Let DynamoDB remove a closing fence in time: everything below it is fenced now."""
    return Request(
        "update_item",
        {
            "TableName": table,
            "Key": _key(key, version),
            "UpdateExpression": "SET expires_at = :expires_at",
            "ConditionExpression": "closed = :closed",
            "ExpressionAttributeValues": {
                ":closed": number(closed),
                ":expires_at": number(expires_at),
            },
        },
    )


def _key(key: str, version: int) -> dict[str, Any]:
    return {"stream_key": {"S": key}, "version": number(version)}
