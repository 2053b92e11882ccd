"""Requests for parked streams and their items in the log table, as pure functions.

A consumer's parked streams are a partition, ``parked#{consumer}`` or
``{tenant}#parked#{consumer}``, with an item for each stream. The events that it skipped are another
partition, with the word ``skipped``. A list names the consumers that ever parked or skipped
anything.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.contracts.consumers.parked import ParkedKey, ParkedStream, Place, SkippedEvent
from dynamo_es.contracts.stream_keys import MAX_SORT_KEY_BYTES, SEPARATOR, stream_key, tenant_prefix
from dynamo_es.dynamodb.log.keys import ConsumerKey, prefix_of
from dynamo_es.dynamodb.log.pages import place_of
from dynamo_es.dynamodb.streams.keys import parse_stream_key
from dynamo_es.dynamodb.wire.steps import Request, number
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from dynamo_es.contracts.consumers.leases import Lease
    from dynamo_es.contracts.consumers.parked import Order, ParkedFailure
    from dynamo_es.dynamodb.wire.steps import Item
    from dynamo_es.values import TenantId

PARKED: Final = "parked"
SKIPPED: Final = "skipped"

_HASHED: Final = "sha256"
_LONGEST_PLACE: Final = 2 * 20 + 2
"""The most bytes of a place at the end of a sort key, with its separators."""


def sort_key(key: ParkedKey) -> str:
    """Return the sort key of a stream's item: ``{order}#{stream's key}``.

    For a version of a projection, the order includes the version: ``log.3``. If the stream's key is
    too long for a sort key, a hash replaces it.
    """
    stream = stream_key(tenant_prefix(key.tenant_id), key.stream_id)
    order = key.order if key.version is None else f"{key.order}.{key.version}"
    text = f"{order}{SEPARATOR}{stream}"
    if len(text.encode()) <= MAX_SORT_KEY_BYTES - _LONGEST_PLACE:
        return text
    return f"{order}{SEPARATOR}{_HASHED}{SEPARATOR}{sha256(stream.encode()).hexdigest()}"


def item_key(owner: ConsumerKey, key: ParkedKey) -> Item:
    """Return the key of a parked stream's item."""
    return {"log_key": {"S": owner.log_key}, "place": {"S": sort_key(key)}}


def skipped_key(owner: ConsumerKey, key: ParkedKey, at: Place) -> Item:
    """Return the key of the item of a skipped event."""
    place = SEPARATOR.join([sort_key(key), place_of(at.generation), place_of(at.number)])
    return {"log_key": {"S": owner.log_key}, "place": {"S": place}}


def list_key(tenant_id: TenantId | None, name: str, *, per_tenant: bool) -> Item:
    """Return the key of a consumer's item in the list of those that parked or skipped anything."""
    prefix = prefix_of(tenant_id)
    if per_tenant:
        return {"log_key": {"S": f"{prefix}{PARKED}"}, "place": {"S": name}}
    return {"log_key": {"S": PARKED}, "place": {"S": f"{prefix}{name}"}}


def put_listed(table: str, tenant_id: TenantId | None, name: str, *, per_tenant: bool) -> Request:
    """Put a consumer's item into the list of those that parked or skipped anything."""
    item = list_key(tenant_id, name, per_tenant=per_tenant)
    return Request("put_item", {"TableName": table, "Item": item})


def _described(key: ParkedKey, failure: ParkedFailure) -> Item:
    version: Item = {} if key.version is None else {"projection_version": number(key.version)}
    return {
        **version,
        "consumer": {"S": key.name},
        "order": {"S": key.order},
        "stream_key": {"S": stream_key(tenant_prefix(key.tenant_id), key.stream_id)},
        "attempts": number(failure.attempts),
        "reason": {"S": failure.reason},
        "failed_at": number(failure.at_ms),
    }


def put_parked(table: str, owner: ConsumerKey, key: ParkedKey, failure: ParkedFailure) -> Request:
    """Put a parked stream's item, unless it exists already."""
    at = failure.place
    return Request(
        "put_item",
        {
            "TableName": table,
            "Item": {
                **item_key(owner, key),
                **_described(key, failure),
                "first_generation": number(at.generation),
                "first": number(at.number),
                "seen_generation": number(at.generation),
                "seen": number(at.number),
            },
            "ConditionExpression": "attribute_not_exists(place)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    )


def put_skipped(table: str, owner: ConsumerKey, key: ParkedKey, failure: ParkedFailure) -> Request:
    """Put the item of a skipped event."""
    at = failure.place
    item = {
        **skipped_key(owner, key, at),
        **_described(key, failure),
        "generation": number(at.generation),
        "number": number(at.number),
    }
    return Request("put_item", {"TableName": table, "Item": item})


def note_seen(table: str, item: Item, last: Place) -> Request:
    """Store the last event that a consumer passed over, unless a later one is stored."""
    return _update(
        table,
        item,
        "SET seen_generation = :generation, seen = :number",
        "seen_generation < :generation OR (seen_generation = :generation AND seen < :number)",
        _values(last),
    )


def note_first(table: str, item: Item, first: Place) -> Request:
    """Set the first unapplied event to an earlier one, unless an even earlier one is stored.

    A worker that retries the stream loses its lease, because it began after this event.
    """
    return _update(
        table,
        item,
        "SET first_generation = :generation, #first = :number "
        "REMOVE leased_by, leased_until, leased_for",
        "first_generation > :generation OR (first_generation = :generation AND #first > :number)",
        _values(first),
        first=True,
    )


def take_lease(table: str, item: Item, lease: Lease, held: Lease | None) -> Request:
    """Take the lease on an item if it is free, the worker's own, or unchanged since it was read."""
    values: dict[str, Any] = {
        ":worker": {"S": lease.holder},
        ":until": number(lease.until),
        ":length": number(lease.length),
    }
    condition = "attribute_not_exists(leased_by) OR leased_by = :worker"
    if held is not None:
        values |= {":holder": {"S": held.holder}, ":beat": number(held.until)}
        condition = "leased_by = :holder AND leased_until = :beat"
    request = _update(
        table,
        item,
        "SET leased_by = :worker, leased_until = :until, leased_for = :length",
        f"attribute_exists(place) AND ({condition})",
        values,
    )
    request.params["ReturnValues"] = "ALL_NEW"
    return request


def move_first(table: str, item: Item, worker: str, first: Place, until_ms: int | None) -> Request:
    """Move the first unapplied event, and renew the lease, or (without a time) give it back."""
    values = {**_values(first), ":worker": {"S": worker}}
    update = "SET first_generation = :generation, #first = :number"
    if until_ms is None:
        update += " REMOVE leased_by, leased_until, leased_for"
    else:
        update += ", leased_until = :until"
        values[":until"] = number(until_ms)
    return _update(table, item, update, "leased_by = :worker", values, first=True)


def store_failure(
    table: str, item: Item, worker: str, failure: ParkedFailure, *, again: bool
) -> Request:
    """Store that an event failed again, and give the lease back.

    Args:
        table: name of the log table.
        item: key of the item.
        worker: the worker that holds the lease.
        failure: the failure to store.
        again: True: add to the stored attempts, which must be of the same event.
    """
    values = {
        **_values(failure.place),
        ":worker": {"S": worker},
        ":attempts": number(failure.attempts),
        ":reason": {"S": failure.reason},
        ":at": number(failure.at_ms),
    }
    attempts, condition = ":attempts", "leased_by = :worker"
    if again:
        attempts = "attempts + :attempts"
        condition += " AND first_generation = :generation AND #first = :number"
    return _update(
        table,
        item,
        f"SET first_generation = :generation, #first = :number, attempts = {attempts}, "
        "reason = :reason, failed_at = :at REMOVE leased_by, leased_until, leased_for",
        condition,
        values,
        first=True,
    )


def delete_parked(table: str, item: Item, worker: str, seen: Place) -> Request:
    """Delete an item if all its events are applied, up to the last one that was passed over."""
    return Request(
        "delete_item",
        {
            "TableName": table,
            "Key": item,
            "ConditionExpression": (
                "leased_by = :worker AND seen_generation = :generation AND seen = :number"
            ),
            "ExpressionAttributeValues": {**_values(seen), ":worker": {"S": worker}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    )


def delete_any(table: str, item: Item) -> Request:
    """Delete an item without a condition, and return it."""
    return Request("delete_item", {"TableName": table, "Key": item, "ReturnValues": "ALL_OLD"})


def query(table: str, partition: str, beginning: str = "", after: Item | None = None) -> Request:
    """Query a partition, or the items whose sort keys begin with a text, consistently."""
    params: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "log_key = :partition",
        "ExpressionAttributeValues": {":partition": {"S": partition}},
        "ConsistentRead": True,
    }
    if beginning:
        params["KeyConditionExpression"] += " AND begins_with(place, :beginning)"
        params["ExpressionAttributeValues"] |= {":beginning": {"S": beginning}}
    if after is not None:
        params["ExclusiveStartKey"] = after
    return Request("query", params)


def read_parked(item: Item) -> ParkedStream:
    """Return the parked stream that an item holds."""
    return ParkedStream(
        _key_in(item),
        first_in(item),
        Place(int(item["seen_generation"]["N"]), int(item["seen"]["N"])),
        int(item["attempts"]["N"]),
        item["reason"]["S"],
        _time_in(item),
    )


def read_skipped(item: Item) -> SkippedEvent:
    """Return the skipped event that an item holds."""
    place = Place(int(item["generation"]["N"]), int(item["number"]["N"]))
    return SkippedEvent(_key_in(item), place, item["reason"]["S"], _time_in(item))


def first_in(item: Item) -> Place:
    """Return the place of the first unapplied event in an item."""
    return Place(int(item["first_generation"]["N"]), int(item["first"]["N"]))


def _key_in(item: Item) -> ParkedKey:
    tenant_id, category, uuid = parse_stream_key(item["stream_key"]["S"])
    order: Order = "log" if item["order"]["S"] == "log" else "stream"
    version = int(item["projection_version"]["N"]) if "projection_version" in item else None
    stream_id = StreamId(uuid, category=category)
    return ParkedKey(item["consumer"]["S"], order, stream_id, tenant_id, version)


def _time_in(item: Item) -> datetime:
    return datetime.fromtimestamp(int(item["failed_at"]["N"]) / 1000, UTC)


def _values(at: Place) -> dict[str, Any]:
    return {":generation": number(at.generation), ":number": number(at.number)}


def _update(
    table: str,
    item: Item,
    update: str,
    condition: str,
    values: dict[str, Any],
    *,
    first: bool = False,
) -> Request:
    params: dict[str, Any] = {
        "TableName": table,
        "Key": item,
        "UpdateExpression": update,
        "ConditionExpression": condition,
        "ExpressionAttributeValues": values,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    if first:
        params["ExpressionAttributeNames"] = {"#first": "first"}
    return Request("update_item", params)
