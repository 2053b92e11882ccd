"""Requests for the log's table: pure functions that build what is sent, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dynamo_es.dynamodb.log.items import MAX_POINTERS, PAGES_KEY, place_of
from dynamo_es.dynamodb.requests import Request, number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamo_es.dynamodb.items import Item
    from dynamo_es.dynamodb.log.items import Marker, Pointer
    from dynamo_es.values import Position

# What a pointer is made of.
_OUTLINE: Final = "version, generation, event_count, event_names, stream_name, versionless, outbox"


def newest_page(table: str) -> Request:
    """Query the newest page, consistently."""
    return Request(
        "query",
        {
            "TableName": table,
            "KeyConditionExpression": "log_key = :log",
            "ExpressionAttributeValues": {":log": {"S": PAGES_KEY}},
            "ScanIndexForward": False,
            "ConsistentRead": True,
            "Limit": 1,
        },
    )


def get_page(table: str, first: Position) -> Request:
    """Read the page that begins at a position, consistently."""
    key = {"log_key": {"S": PAGES_KEY}, "place": {"S": place_of(first)}}
    return Request("get_item", {"TableName": table, "Key": key, "ConsistentRead": True})


def put_page(table: str, item: Item) -> Request:
    """Put a page where none is."""
    return Request(
        "put_item",
        {
            "TableName": table,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(place)",
        },
    )


def get_markers(table: str, keys: Iterable[Item]) -> Request:
    """Read markers, consistently: at most 100, each once."""
    return Request(
        "batch_get_item",
        {"RequestItems": {table: {"Keys": list(keys), "ConsistentRead": True}}},
    )


def raise_marker(table: str, marker: Marker, upto: int) -> Request:
    """Say that a stream's generation is in the log up to a version, unless it is further."""
    return Request(
        "update_item",
        {
            "TableName": table,
            "Key": marker.key,
            "UpdateExpression": "SET upto = :upto",
            "ConditionExpression": "attribute_not_exists(upto) OR upto < :upto",
            "ExpressionAttributeValues": {":upto": number(upto)},
        },
    )


def commits_before(table: str, pointer: Pointer, start: int, after: Item | None = None) -> Request:
    """Query the commits below one, of its generation, in the order of their versions.

    Args:
        table: the events table.
        pointer: the commit they come before.
        start: version to begin with, inclusive; below the commit's.
        after: ``LastEvaluatedKey`` of the page before.
    """
    params: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "stream_key = :key AND version BETWEEN :start AND :end",
        # Neither fences nor commits of other lives.
        "FilterExpression": "generation = :generation",
        "ProjectionExpression": _OUTLINE,
        "ExpressionAttributeValues": {
            ":key": {"S": pointer.stream_key},
            ":start": number(start),
            ":end": number(pointer.first_version - 1),
            ":generation": number(pointer.generation),
        },
        "ConsistentRead": True,
        "Limit": MAX_POINTERS,
    }
    if after is not None:
        params["ExclusiveStartKey"] = after
    return Request("query", params)
