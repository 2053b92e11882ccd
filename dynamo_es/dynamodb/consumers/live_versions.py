"""Reads and moves a projection's live version: an item beside the checkpoints of its versions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.contracts.consumers.live_versions import LiveVersion
from dynamo_es.dynamodb.wire.errors import ConditionRefused
from dynamo_es.dynamodb.wire.steps import Request, number

if TYPE_CHECKING:
    from dynamo_es.dynamodb.log.keys import ConsumerKey
    from dynamo_es.dynamodb.wire.steps import Item, Steps

_LIVE: Final = "live"


def read(table: str, consumer: ConsumerKey) -> Steps[LiveVersion | None]:
    """Return the live version of a projection; None: none was promoted."""
    response = yield Request(
        "get_item", {"TableName": table, "Key": _key(consumer), "ConsistentRead": True}
    )
    item = response.get("Item")
    return None if not item else _read(item)


def move(
    table: str, consumer: ConsumerKey, version: int, expected: int | None, at_ms: int
) -> Steps[bool]:
    """Make a version the live one if the live one is as expected; return whether it was."""
    item: Item = {
        **_key(consumer),
        "live_version": number(version),
        "promoted_at": number(at_ms),
    }
    params: dict[str, Any] = {
        "TableName": table,
        "Item": item,
        "ConditionExpression": "attribute_not_exists(place)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    if expected is not None:
        item["before"] = number(expected)
        params["ConditionExpression"] = "live_version = :expected"
        params["ExpressionAttributeValues"] = {":expected": number(expected)}
    try:
        yield Request("put_item", params)
    except ConditionRefused as refused:
        return refused.maybe_landed and refused.items[0] == item
    return True


def _key(consumer: ConsumerKey) -> Item:
    return {"log_key": {"S": consumer.log_key}, "place": {"S": _LIVE}}


def _read(item: Item) -> LiveVersion:
    return LiveVersion(
        int(item["live_version"]["N"]),
        int(item["before"]["N"]) if "before" in item else None,
        datetime.fromtimestamp(int(item["promoted_at"]["N"]) / 1000, UTC),
    )
