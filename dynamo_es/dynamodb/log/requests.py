"""Requests of the log, as pure functions: for pages, markers, and commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dynamo_es.dynamodb.log.keys import MARKERS
from dynamo_es.dynamodb.log.pages import MAX_POINTERS, place_of
from dynamo_es.dynamodb.wire.partiql.statements import insert, update
from dynamo_es.dynamodb.wire.steps import Request, number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamo_es.dynamodb.log.keys import LogKeys
    from dynamo_es.dynamodb.log.markers import Marker
    from dynamo_es.dynamodb.log.pointers import Pointer
    from dynamo_es.dynamodb.wire.steps import Item
    from dynamo_es.values import Position

# The attributes of a commit that its pointer needs.
_OUTLINE: Final = (
    "stream_key, version, generation, event_count, event_names, stream_name, versionless, outbox, "
    "item_format"
)
# The attributes of a commit that its events need, given the pointer; and that of a fence.
_COMMIT: Final = "stream_key, version, generation, events, outbox, item_format, closed"
# The attributes of a commit that its pointer needs, and those that only fences and snapshots have.
ANY_ITEM_OUTLINE: Final = (
    "stream_key, version, generation, event_count, event_names, stream_name, versionless, outbox, "
    "closed, snapshot_version, item_format"
)


def newest_page(log: LogKeys) -> Request:
    """Query the newest page, consistently."""
    return newest_pages(log, 1)


def newest_pages(log: LogKeys, limit: int, after: Item | None = None) -> Request:
    """Query pages from the newest one down, consistently.

    Args:
        log: the log.
        limit: the most pages.
        after: ``LastEvaluatedKey`` of the previous reply.
    """
    params: dict[str, Any] = {
        "TableName": log.table,
        "KeyConditionExpression": "log_key = :log",
        "ExpressionAttributeValues": {":log": {"S": log.pages}},
        "ScanIndexForward": False,
        "ConsistentRead": True,
        "Limit": limit,
    }
    if after is not None:
        params["ExclusiveStartKey"] = after
    return Request("query", params)


def page_at(log: LogKeys, position: Position) -> Request:
    """Query the last page that begins at or before a position, consistently."""
    return Request(
        "query",
        {
            "TableName": log.table,
            "KeyConditionExpression": "log_key = :log AND place <= :place",
            "ExpressionAttributeValues": {
                ":log": {"S": log.pages},
                ":place": {"S": place_of(position)},
            },
            "ScanIndexForward": False,
            "ConsistentRead": True,
            "Limit": 1,
        },
    )


def pages_from(
    log: LogKeys, position: Position, *, limit: int | None, consistent: bool = False
) -> Request:
    """Query the pages that begin at or after a position, in order.

    Args:
        log: the log.
        position: first position of the first page (inclusive).
        limit: the most pages; None: as many as one reply holds (1 MB).
        consistent: whether to read consistently, at twice the price. Otherwise the newest pages
            may be missing.
    """
    params: dict[str, Any] = {
        "TableName": log.table,
        "KeyConditionExpression": "log_key = :log AND place >= :place",
        "ExpressionAttributeValues": {
            ":log": {"S": log.pages},
            ":place": {"S": place_of(position)},
        },
        "ConsistentRead": consistent,
    }
    if limit is not None:
        params["Limit"] = limit
    return Request("query", params)


def get_commits(table: str, keys: Iterable[Item], *, consistent: bool) -> Request:
    """Read up to 100 different commits, without the attributes that their pointers have."""
    return Request(
        "batch_get_item",
        {
            "RequestItems": {
                table: {
                    "Keys": list(keys),
                    "ProjectionExpression": _COMMIT,
                    "ConsistentRead": consistent,
                }
            }
        },
    )


def get_beginnings(table: str, keys: Iterable[Item]) -> Request:
    """Read generation and name of up to 100 different streams, from their first commits."""
    return Request(
        "batch_get_item",
        {
            "RequestItems": {
                table: {
                    "Keys": list(keys),
                    "ProjectionExpression": "stream_key, generation, stream_name",
                    "ConsistentRead": True,
                }
            }
        },
    )


def markers_of(
    table: str,
    log_key: str,
    after: Item | None = None,
    *,
    span: tuple[str, str] | None = None,
    limit: int | None = None,
) -> Request:
    """Query the markers of one partition, in the order of the streams' UUIDs.

    Args:
        table: name of the log table.
        log_key: key of the partition.
        after: ``LastEvaluatedKey`` of the previous reply.
        span: first and last ``place``, both inclusive; None: the whole partition.
        limit: the most markers; None: as many as one reply holds (1 MB).
    """
    params: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "log_key = :markers",
        "ExpressionAttributeValues": {":markers": {"S": log_key}},
    }
    if span is not None:
        params["KeyConditionExpression"] += " AND place BETWEEN :low AND :high"
        # DynamoDB refuses a range whose end comes before its beginning.
        params["ExpressionAttributeValues"] |= {":low": {"S": span[0]}, ":high": {"S": max(span)}}
    if limit is not None:
        params["Limit"] = limit
    if after is not None:
        params["ExclusiveStartKey"] = after
    return Request("query", params)


def scan_marker_keys(table: str, after: Item | None = None) -> Request:
    """Scan the log table for the partition keys of its markers."""
    params: dict[str, Any] = {
        "TableName": table,
        # Other keys may match too; `is_markers_key` excludes them.
        "FilterExpression": "contains(log_key, :streams)",
        "ProjectionExpression": "log_key",
        "ExpressionAttributeValues": {":streams": {"S": f"#{MARKERS}#"}},
    }
    if after is not None:
        params["ExclusiveStartKey"] = after
    return Request("scan", params)


def get_page(log: LogKeys, first: Position) -> Request:
    """Read the page that begins at a position, consistently."""
    key = {"log_key": {"S": log.pages}, "place": {"S": place_of(first)}}
    return Request("get_item", {"TableName": log.table, "Key": key, "ConsistentRead": True})


def put_page(log: LogKeys, item: Item) -> Request:
    """Put a page, on the condition that there is none at its position."""
    return Request(
        "put_item",
        {
            "TableName": log.table,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(place)",
        },
    )


def replace_page(log: LogKeys, item: Item, writer: str) -> Request:
    """Replace a page, on the condition that a given writer has put it."""
    return Request(
        "put_item",
        {
            "TableName": log.table,
            "Item": item,
            "ConditionExpression": "writer = :writer",
            "ExpressionAttributeValues": {":writer": {"S": writer}},
        },
    )


def delete_page(log: LogKeys, first: Position, writer: str) -> Request:
    """Delete the page at a position, on the condition that a given writer has put it."""
    return Request(
        "delete_item",
        {
            "TableName": log.table,
            "Key": {"log_key": {"S": log.pages}, "place": {"S": place_of(first)}},
            "ConditionExpression": "writer = :writer",
            "ExpressionAttributeValues": {":writer": {"S": writer}},
        },
    )


def get_markers(table: str, keys: Iterable[Item]) -> Request:
    """Read up to 100 different markers, consistently."""
    return Request(
        "batch_get_item",
        {"RequestItems": {table: {"Keys": list(keys), "ConsistentRead": True}}},
    )


def get_marker(table: str, marker: Marker) -> Request:
    """Read one marker, consistently."""
    return Request("get_item", {"TableName": table, "Key": marker.key, "ConsistentRead": True})


def raise_marker(table: str, marker: Marker, version: int) -> dict[str, Any]:
    """Return the statement that raises an existing marker, if it is at an earlier version."""
    high = number(version)
    conditions = [("last_version", "<", high)]
    return update(table, marker.key, {"last_version": high}, conditions, all_old=True)


def insert_marker(table: str, marker: Marker, version: int) -> dict[str, Any]:
    """Return the statement that creates a marker, if there is none."""
    return insert(table, {**marker.key, "last_version": number(version)})


def commit_at(table: str, stream_key: str, version: int) -> Request:
    """Query the commit that holds a version of a stream, without its events."""
    return Request(
        "query",
        {
            "TableName": table,
            "KeyConditionExpression": "stream_key = :key AND version <= :version",
            "ProjectionExpression": f"{_OUTLINE}, closed",
            "ExpressionAttributeValues": {":key": {"S": stream_key}, ":version": number(version)},
            "ScanIndexForward": False,
            "ConsistentRead": True,
            "Limit": 1,
        },
    )


def commits_before(table: str, pointer: Pointer, start: int, after: Item | None = None) -> Request:
    """Query the commits before a commit, of the same generation, in the order of versions.

    Args:
        table: name of the events table.
        pointer: the pointer to the commit.
        start: version to begin with (inclusive); less than the commit's.
        after: ``LastEvaluatedKey`` of the previous reply.
    """
    params: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "stream_key = :key AND version BETWEEN :start AND :end",
        # Leave out fences and commits of other generations. Return a damaged item without a
        # generation, because later commits must wait for it.
        "FilterExpression": (
            "generation = :generation"
            " OR (attribute_not_exists(closed) AND NOT attribute_type(generation, :number))"
        ),
        "ProjectionExpression": _OUTLINE,
        "ExpressionAttributeValues": {
            ":key": {"S": pointer.stream_key},
            ":start": number(start),
            ":end": number(pointer.first_version - 1),
            ":generation": number(pointer.generation),
            ":number": {"S": "N"},
        },
        "ConsistentRead": True,
        "Limit": MAX_POINTERS,
    }
    if after is not None:
        params["ExclusiveStartKey"] = after
    return Request("query", params)


def scan_events(table: str, after: Item | None = None, *, with_events: bool = False) -> Request:
    """Scan the events table, consistently, with or without the events themselves."""
    params: dict[str, Any] = {
        "TableName": table,
        "ProjectionExpression": f"{ANY_ITEM_OUTLINE}, events" if with_events else ANY_ITEM_OUTLINE,
        "ConsistentRead": True,
    }
    if after is not None:
        params["ExclusiveStartKey"] = after
    return Request("scan", params)
