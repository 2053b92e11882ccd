"""Requests for the items of checkpoints, and readers of their replies."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.contracts import Checkpoint
from dynamo_es.contracts.consumers.checkpoints import held_by, in_order
from dynamo_es.contracts.stream_keys import unescape
from dynamo_es.dynamodb.consumers import leases
from dynamo_es.dynamodb.consumers.failures import read_failure, store_failure
from dynamo_es.dynamodb.log.keys import ConsumerKey, prefix_of
from dynamo_es.dynamodb.wire.batches import fetch_all
from dynamo_es.dynamodb.wire.steps import Request, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.contracts.consumers.failures import NewFailure
    from dynamo_es.dynamodb.wire.steps import Item, Steps
    from dynamo_es.values import Position, TenantId

_LIST: Final = "consumers"
"""Partition key of the list of consumers. In a tenant's own log it follows the tenant."""

KIND: Final = "checkpoint"
_PLACE: Final = "checkpoint"
USED: Final = "attribute_exists(checkpoint) OR attribute_exists(failed_place)"
"""The condition that a consumer has saved a position or failed."""
_VERSION: Final = "##"
"""Separates name and version in the list of consumers. A name has no ``#``."""


def key_of(consumer: ConsumerKey) -> Item:
    """Return the key of a checkpoint."""
    place = _PLACE if consumer.version is None else f"{_PLACE}#{consumer.version}"
    return {"log_key": {"S": consumer.log_key}, "place": {"S": place}}


def listed(consumer: ConsumerKey, *, per_tenant: bool) -> Item:
    """Return a consumer's item in the list of its log's consumers."""
    prefix = prefix_of(consumer.tenant_id)
    name = consumer.name
    if consumer.version is not None:
        name += f"{_VERSION}{consumer.version}"
    if per_tenant:
        return {"log_key": {"S": f"{prefix}{_LIST}"}, "place": {"S": name}}
    return {"log_key": {"S": _LIST}, "place": {"S": f"{prefix}{name}"}}


def read_listed(item: Item) -> ConsumerKey:
    """Return the consumer of an item in the list of consumers."""
    owner = item["log_key"]["S"].removesuffix(_LIST)
    named, versioned, version = item["place"]["S"].rpartition(_VERSION)
    whole = f"{owner}{named if versioned else version}"
    tenant, separator, name = whole.rpartition("#")
    tenant_id = unescape(tenant) if separator else None
    return ConsumerKey(KIND, name, tenant_id, int(version) if versioned else None)


def keep_failure(
    table: str, consumer: ConsumerKey, position: Position, failure: NewFailure, *, again: bool
) -> Request:
    """Store a failure if the consumer has not passed the event.

    Args:
        table: name of the log table.
        consumer: the consumer.
        position: the position after which the consumer began.
        failure: the failure to store.
        again: True: add to the attempts of the stored failure, which must be of the same event.
    """
    values: dict[str, Any] = {":after": number(position)}
    update = store_failure(failure, values, again=again)
    condition = "(attribute_not_exists(checkpoint) OR checkpoint < :place)"
    if again:
        condition += " AND (attribute_not_exists(failed_place) OR failed_place = :place)"
    return Request(
        "update_item",
        {
            "TableName": table,
            "Key": key_of(consumer),
            "UpdateExpression": f"SET failed_after = :after, {update}",
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    )


def read(table: str, consumer: ConsumerKey) -> Steps[Position | None]:
    """Read a consumer's position, consistently; None: it has saved none."""
    response = yield Request(
        "get_item", {"TableName": table, "Key": key_of(consumer), "ConsistentRead": True}
    )
    found = response.get("Item", {})
    return int(found["checkpoint"]["N"]) if "checkpoint" in found else None


def all_checkpoints(
    table: str, tenant_id: TenantId | None, *, per_tenant: bool
) -> Steps[list[Checkpoint]]:
    """Read the checkpoints of all consumers, or of one tenant's consumers, in order."""
    prefix = prefix_of(tenant_id)
    partition = f"{prefix}{_LIST}" if per_tenant else _LIST
    params: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "log_key = :consumers",
        "ExpressionAttributeValues": {":consumers": {"S": partition}},
        "ConsistentRead": True,
    }
    if prefix and not per_tenant:
        params["KeyConditionExpression"] += " AND begins_with(place, :tenant)"
        params["ExpressionAttributeValues"] |= {":tenant": {"S": prefix}}
    consumers: list[ConsumerKey] = []
    while True:
        response = yield Request("query", params)
        consumers += map(read_listed, response["Items"])
        if "LastEvaluatedKey" not in response:
            break
        params = {**params, "ExclusiveStartKey": response["LastEvaluatedKey"]}
    keys = [key_of(consumer) for consumer in consumers]
    items = yield from fetch_all(table, keys, lambda left: get(table, left))
    # For the other items, a worker has taken the lease but saved no position yet.
    used = [item for item in items if "checkpoint" in item or "failed_place" in item]
    return sorted(map(read_checkpoint, used), key=in_order)


def set_paused(table: str, consumer: ConsumerKey, *, paused: bool) -> Request:
    """Pause or resume a consumer that has a position or a failure."""
    params: dict[str, Any] = {
        "TableName": table,
        "Key": key_of(consumer),
        "UpdateExpression": "REMOVE paused",
        "ConditionExpression": USED,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    if paused:
        params["UpdateExpression"] = "SET paused = :paused"
        params["ExpressionAttributeValues"] = {":paused": {"BOOL": True}}
    return Request("update_item", params)


def get(table: str, keys: Sequence[Item]) -> Request:
    """Read items by their keys, consistently."""
    return Request(
        "batch_get_item", {"RequestItems": {table: {"Keys": list(keys), "ConsistentRead": True}}}
    )


def read_checkpoint(item: Item) -> Checkpoint:
    """Return the checkpoint of an item that has a position or a failure."""
    consumer = ConsumerKey.read(item["log_key"]["S"])
    failure = read_failure(item)
    version = item["place"]["S"].partition("#")[2]
    more = (*held_by(leases.read_lease(item)), int(version) if version else None, "paused" in item)
    if failure is not None and "checkpoint" not in item:
        after = int(item["failed_after"]["N"])
        moved_at, tenant_id = failure.failed_at, consumer.tenant_id
        return Checkpoint(consumer.name, after, moved_at, tenant_id, failure, *more)
    return Checkpoint(
        consumer.name,
        int(item["checkpoint"]["N"]),
        datetime.fromisoformat(item["moved_at"]["S"]),
        consumer.tenant_id,
        failure,
        *more,
    )
