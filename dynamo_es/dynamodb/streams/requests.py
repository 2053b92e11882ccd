"""Requests to the events table: pure functions that build them and send nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dynamo_es.dynamodb.streams.items import OF_COMMITS
from dynamo_es.dynamodb.streams.keys import SNAPSHOT_VERSION
from dynamo_es.dynamodb.wire.partiql.statements import update
from dynamo_es.dynamodb.wire.steps import Request, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.contracts import EnlistedWrite
    from dynamo_es.dynamodb.streams.items import Commit, Head
    from dynamo_es.dynamodb.wire.steps import Item

# All optimistic locking is in this one condition: a commit may overwrite a fence of an earlier
# generation, but no commit, and no fence of its own or a later generation.
_FREE_FOR_GENERATION: Final = "attribute_not_exists(version) OR closed < :generation"

# A stream begins at version 1. It does not exist if there is no item, or only a leftover of a
# deletion: a fence, or a commit of a closed generation.
_NO_STREAM: Final = (
    "attribute_not_exists(version) OR attribute_exists(closed) OR generation = :generation"
)

_NEWER_THAN_STORED: Final = (
    "attribute_not_exists(version)"
    " OR generation < :generation"
    " OR (generation = :generation AND snapshot_version < :snapshot_version)"
)

# Each further attribute costs the client its bytes and 10 µs of parsing for each item. The stream's
# key is included to check that a reply is about the requested stream.
_OUTLINE: Final = (
    "stream_key, version, generation, closed, event_count, snapshot_version, "
    "expires_at, item_format"
)
_CONTENT: Final = (
    "stream_key, version, generation, closed, event_count, snapshot_version, versionless, "
    "stream_name, events, item_format"
)


def put_commit(table: str, item: Item) -> Request:
    """Put one commit, unless there is a commit, or a fence of its or a later generation."""
    return Request("put_item", _commit_put(table, item))


def is_commit_put(request: Request) -> bool:
    """Return whether a request was built by `put_commit`."""
    params = request.params
    return (
        request.operation == "put_item"
        and params.get("ConditionExpression") is _FREE_FOR_GENERATION
        and "events" in params["Item"]
    )


def put_commits(
    table: str, items: Sequence[Item], enlisted: Sequence[EnlistedWrite] = ()
) -> Request:
    """Put the commits of one append and its enlisted writes, all or none."""
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


def check_unchanged(table: str, key: str, head: Head) -> EnlistedWrite:
    """Check, in a transaction, that a stream still ends at a head.

    If the head is at version 0, the stream must not exist. Its generation is then one that is known
    to be closed, or 0.
    """
    return {
        "ConditionCheck": {
            "TableName": table,
            "Key": _key(key, head.version + 1),
            "ConditionExpression": _NO_STREAM if head.version == 0 else _FREE_FOR_GENERATION,
            "ExpressionAttributeValues": {":generation": number(head.generation)},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def get_item(table: str, key: str, version: int) -> Request:
    """Read one item, consistently."""
    return Request(
        "get_item", {"TableName": table, "Key": _key(key, version), "ConsistentRead": True}
    )


def query_down(  # noqa: PLR0913 - the parts of a query, each by its name
    table: str,
    key: str,
    *,
    below: int | None = None,
    lowest: int = 1,
    limit: int | None = None,
    after: Item | None = None,
    outline: bool = False,
    consistent: bool = True,
) -> Request:
    """Query a stream from its newest item down.

    The items come without the attributes for filters, but DynamoDB bills whole items.

    Args:
        table: name of the events table.
        key: partition key of the stream.
        below: only sort keys below this one (exclusive); None: begin with the snapshot.
        lowest: only sort keys from this one up (inclusive), below ``below``; 1: all.
        limit: the most items of the page; None: as many as fit into 1 MB.
        after: ``LastEvaluatedKey`` of the previous page.
        outline: whether to leave out the events.
        consistent: whether the page shows every write that finished before; False costs half.
    """
    params: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "stream_key = :key",
        "ExpressionAttributeValues": {":key": {"S": key}},
        "ProjectionExpression": _OUTLINE if outline else _CONTENT,
        "ScanIndexForward": False,
        "ConsistentRead": consistent,
    }
    # DynamoDB takes one condition on the sort key. So two bounds need BETWEEN, which includes both.
    values = params["ExpressionAttributeValues"]
    if lowest > 1 and below is not None:
        params["KeyConditionExpression"] += " AND version BETWEEN :lowest AND :highest"
        values |= {":lowest": number(lowest), ":highest": number(below - 1)}
    elif lowest > 1:
        params["KeyConditionExpression"] += " AND version >= :lowest"
        values[":lowest"] = number(lowest)
    elif below is not None:
        params["KeyConditionExpression"] += " AND version < :below"
        values[":below"] = number(below)
    if limit is not None:
        params["Limit"] = limit
    if after is not None:
        params["ExclusiveStartKey"] = after
    return Request("query", params)


def query_up(
    table: str, key: str, *, lowest: int, highest: int, limit: int, consistent: bool = True
) -> Request:
    """Query a stream from a sort key up to another, both inclusive; see `query_down`."""
    return Request(
        "query",
        {
            "TableName": table,
            "KeyConditionExpression": "stream_key = :key AND version BETWEEN :lowest AND :highest",
            "ExpressionAttributeValues": {
                ":key": {"S": key},
                ":lowest": number(lowest),
                ":highest": number(highest),
            },
            "ProjectionExpression": _CONTENT,
            "ScanIndexForward": True,
            "ConsistentRead": consistent,
            "Limit": limit,
        },
    )


def put_snapshot(table: str, item: Item) -> Request:
    """Put a snapshot, unless there is one that is as new or newer, or of a later generation."""
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
    """Put the fence that closes a generation, one version after its last event."""
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
    """Overwrite a commit of a closed generation with a fence, and no other item."""
    return Request(
        "put_item",
        {
            "TableName": table,
            "Item": fence,
            "ConditionExpression": "generation = :generation",
            "ExpressionAttributeValues": {":generation": number(commit.generation)},
        },
    )


def turn_into_fence(table: str, key: str, commit: Commit, expires_at: int) -> dict[str, Any]:
    """Return the statement that does the same as `put_fence_over`, for a batch."""
    generation = number(commit.generation)
    return update(
        table,
        _key(key, commit.version),
        {"closed": generation, "expires_at": number(expires_at)},
        [("generation", "=", generation)],
        remove=OF_COMMITS,
    )


def delete_snapshot(table: str, key: str, generation: int) -> Request:
    """Delete the snapshot of a generation or an earlier one, never of a later one."""
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
    """Let DynamoDB remove a closing fence later, because every version below it has a fence."""
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
