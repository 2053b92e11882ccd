"""The log table: pages of pointers to commits, in the total order of all streams.

A page's place is the position of its first entry, zero-padded so that text order is
number order; its count says how many positions it holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dynamo_es.dynamodb.requests import Request

if TYPE_CHECKING:
    from dynamo_es.dynamodb.requests import Steps
    from dynamo_es.values import Position

PAGES_KEY: Final = "log"
"""Partition key of the pages."""

PLACE_DIGITS: Final = 20


def place_of(position: Position) -> str:
    """Return the sort key of the page that begins at a position."""
    return f"{position:0{PLACE_DIGITS}d}"


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


def last_position(table: str) -> Steps[Position | None]:
    """Return the last position that a page holds; None before the first page."""
    response = yield newest_page(table)
    for page in response["Items"]:
        return int(page["place"]["S"]) + int(page["count"]["N"]) - 1
    return None
