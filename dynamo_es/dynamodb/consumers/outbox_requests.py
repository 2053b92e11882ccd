"""Requests for outboxes and their items in the log table, as pure functions.

An outbox is a partition. Its item ``cursor`` holds the lease and the position up to which every
event was tried (``checkpoint``). Each event that failed has an item at its position. A dead entry
has a sort key after the cursor's, so that polling does not read (and pay for) dead entries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dynamo_es.contracts.checks.arguments import check_consumer
from dynamo_es.contracts.consumers.leases import Lease
from dynamo_es.contracts.consumers.outbox import OutboxEntry
from dynamo_es.contracts.stream_keys import stream_key, tenant_prefix
from dynamo_es.dynamodb.log.keys import ConsumerKey
from dynamo_es.dynamodb.log.pages import place_of
from dynamo_es.dynamodb.streams.keys import parse_stream_key
from dynamo_es.dynamodb.wire.steps import Request, number
from dynamo_es.exceptions import StoredItemError
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from dynamo_es.contracts.consumers.outbox import OutboxWorker
    from dynamo_es.dynamodb.wire.steps import Item
    from dynamo_es.values import Position, TenantId

OUTBOX: Final = "outbox"
"""The word in the key of an outbox."""

CURSOR: Final = "cursor"
"""Sort key of the item with an outbox's position. As text it sorts after every number."""

_DEAD: Final = "dead#"

# A worker may write until another one takes over the lease. And if one of its own requests arrives
# late, it must not set the position back.
_STILL_MINE: Final = "leased_by = :worker AND checkpoint <= :checkpoint"


def waiting(table: str, outbox: str, now: int, after: Item | None = None) -> Request:
    """Query the entries that are due, and the cursor, consistently.

    Args:
        table: name of the log table.
        outbox: partition key of the outbox.
        now: milliseconds since the epoch.
        after: ``LastEvaluatedKey`` of the page before.
    """
    request = all_entries(table, outbox, after)
    params = request.params
    params["KeyConditionExpression"] += " AND place <= :cursor"
    params["FilterExpression"] = "attribute_not_exists(due_at) OR due_at <= :now"
    params["ExpressionAttributeValues"] |= {":cursor": {"S": CURSOR}, ":now": number(now)}
    return request


def all_entries(table: str, outbox: str, after: Item | None = None) -> Request:
    """Query a whole outbox, consistently: waiting entries, the cursor, dead entries."""
    params: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "log_key = :outbox",
        "ExpressionAttributeValues": {":outbox": {"S": outbox}},
        "ConsistentRead": True,
    }
    if after is not None:
        params["ExclusiveStartKey"] = after
    return Request("query", params)


def take_lease(
    table: str, worker: OutboxWorker, now: int, until: int, instead_of: Lease | None = None
) -> Request:
    """Take the lease unless another worker has it. The reply has the outbox's position."""
    values: dict[str, Any] = {
        ":worker": {"S": worker.id},
        ":until": number(until),
        ":length": number(until - now),
        ":none": number(0),
    }
    # If the reply to an earlier attempt was lost, the worker already has the lease.
    condition = "attribute_not_exists(leased_by) OR leased_by = :worker"
    if instead_of is not None:
        condition += " OR (leased_by = :holder AND leased_until = :beat)"
        values |= {":holder": {"S": instead_of.holder}, ":beat": number(instead_of.until)}
    return Request(
        "update_item",
        {
            "TableName": table,
            "Key": _key(worker.outbox, CURSOR),
            "UpdateExpression": (
                "SET leased_by = :worker, leased_until = :until, leased_for = :length, "
                "checkpoint = if_not_exists(checkpoint, :none)"
            ),
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ReturnValues": "ALL_NEW",
        },
    )


def read_lease(item: Item) -> Lease | None:
    """Return the lease in the item of a cursor; None if no worker has it."""
    if "leased_by" not in item:
        return None
    return Lease(
        item["leased_by"]["S"], int(item["leased_until"]["N"]), int(item["leased_for"]["N"])
    )


def move_cursor(table: str, worker: OutboxWorker, checkpoint: Position, until: int) -> Request:
    """Move the cursor and renew the lease."""
    return Request("update_item", _move(table, worker, checkpoint, until))


def keep_entry(
    table: str, worker: OutboxWorker, checkpoint: Position, until: int, entry: OutboxEntry
) -> Request:
    """Put an entry that failed, and move the cursor, in one transaction."""
    item = entry_item(worker.outbox, entry)
    writes: list[dict[str, Any]] = [
        {"Update": _move(table, worker, checkpoint, until)},
        {"Put": {"TableName": table, "Item": item}},
    ]
    if entry.dead:
        writes.append({"Delete": _at(table, worker.outbox, place_of(entry.position))})
    return _transaction(writes)


def drop_entry(
    table: str, worker: OutboxWorker, checkpoint: Position, until: int, position: Position
) -> Request:
    """Delete a waiting entry, and move the cursor, in one transaction."""
    return _transaction(
        [
            {"Update": _move(table, worker, checkpoint, until)},
            {"Delete": _at(table, worker.outbox, place_of(position))},
        ]
    )


def set_cursor(table: str, worker: OutboxWorker, checkpoint: Position) -> Request:
    """Set the cursor back or forward, if the worker has the lease."""
    return Request(
        "update_item",
        {
            **_at(table, worker.outbox, CURSOR),
            "UpdateExpression": "SET checkpoint = :checkpoint",
            "ConditionExpression": "leased_by = :worker",
            "ExpressionAttributeValues": {
                ":worker": {"S": worker.id},
                ":checkpoint": number(checkpoint),
            },
        },
    )


def release_lease(table: str, worker: OutboxWorker, checkpoint: Position | None) -> Request:
    """Release the lease; move the cursor in the same write unless the checkpoint is None."""
    update, condition = "REMOVE leased_by, leased_until, leased_for", "leased_by = :worker"
    values: Item = {":worker": {"S": worker.id}}
    if checkpoint is not None:
        update, condition = f"SET checkpoint = :checkpoint {update}", _STILL_MINE
        values[":checkpoint"] = number(checkpoint)
    return Request(
        "update_item",
        {
            **_at(table, worker.outbox, CURSOR),
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
        },
    )


def get_dead(table: str, outbox: str, position: Position) -> Request:
    """Read a dead entry, consistently."""
    return Request(
        "get_item",
        {**_at(table, outbox, _DEAD + place_of(position)), "ConsistentRead": True},
    )


def revive(table: str, outbox: str, dead: OutboxEntry, again: OutboxEntry) -> Request:
    """Turn a dead entry into a waiting one, if it still exists, in one transaction."""
    place = _DEAD + place_of(dead.position)
    there = {"ConditionExpression": "attribute_exists(place)"}
    return _transaction(
        [
            {"Delete": {**_at(table, outbox, place), **there}},
            {"Put": {"TableName": table, "Item": entry_item(outbox, again)}},
        ]
    )


def hurry(table: str, outbox: str, position: Position, now: int) -> Request:
    """Make a waiting entry due now, and reset its attempts."""
    return Request(
        "update_item",
        {
            **_at(table, outbox, place_of(position)),
            "UpdateExpression": "SET attempts = :none, due_at = :now, failing_since = :now",
            "ConditionExpression": "attribute_exists(place)",
            "ExpressionAttributeValues": {":none": number(0), ":now": number(now)},
        },
    )


def entry_item(outbox: str, entry: OutboxEntry) -> Item:
    """Return the item of an entry."""
    place = place_of(entry.position)
    item: Item = {
        **_key(outbox, _DEAD + place if entry.dead else place),
        "stream_key": {"S": stream_key(tenant_prefix(entry.tenant_id), entry.stream_id)},
        "event_name": {"S": entry.event_name},
        "attempts": number(entry.attempts),
        "last_error": {"S": entry.last_error},
        "due_at": number(entry.due_at),
        "failing_since": number(entry.failing_since),
    }
    if entry.stream_id.name is not None:
        item["stream_name"] = {"S": entry.stream_id.name}
    return item


def read_entry(item: Item) -> OutboxEntry:
    """Return the entry of an item.

    Raises:
        StoredItemError: this release cannot read the item.
    """
    try:
        place = item["place"]["S"]
        tenant_id, category, uuid = parse_stream_key(item["stream_key"]["S"])
        name = item["stream_name"]["S"] if "stream_name" in item else None
        return OutboxEntry(
            position=int(place.removeprefix(_DEAD)),
            tenant_id=tenant_id,
            stream_id=StreamId(uuid, name, category=category),
            event_name=item["event_name"]["S"],
            attempts=int(item["attempts"]["N"]),
            last_error=item["last_error"]["S"],
            dead=place.startswith(_DEAD),
            due_at=int(item["due_at"]["N"]),
            failing_since=int(item["failing_since"]["N"]),
        )
    except (KeyError, TypeError, ValueError):
        raise StoredItemError(
            str(item.get("log_key", {}).get("S")),
            item.get("place", {}).get("S"),
            "it is not an outbox entry.",
        ) from None


def partition_of(outbox: str, tenant_id: TenantId | None = None) -> str:
    """Return the partition of an outbox: ``outbox#{name}``, or ``{tenant}#outbox#{name}``.

    Pass it as the outbox to the functions of this module. `OutboxWorker.outbox` holds it too.
    """
    check_consumer(outbox)
    return ConsumerKey(OUTBOX, outbox, tenant_id).log_key


def _key(outbox: str, place: str) -> Item:
    return {"log_key": {"S": outbox}, "place": {"S": place}}


def _at(table: str, outbox: str, place: str) -> dict[str, Any]:
    return {"TableName": table, "Key": _key(outbox, place)}


def _move(table: str, worker: OutboxWorker, checkpoint: Position, until: int) -> dict[str, Any]:
    return {
        **_at(table, worker.outbox, CURSOR),
        "UpdateExpression": "SET checkpoint = :checkpoint, leased_until = :until",
        "ConditionExpression": _STILL_MINE,
        "ExpressionAttributeValues": {
            ":worker": {"S": worker.id},
            ":checkpoint": number(checkpoint),
            ":until": number(until),
        },
    }


def _transaction(writes: list[dict[str, Any]]) -> Request:
    return Request("transact_write_items", {"TransactItems": writes})
