"""The requests that take, move and release a cursor in the log table."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.contracts.stream_keys import MAX_KEY_BYTES, SEPARATOR, stream_key, tenant_prefix
from dynamo_es.dynamodb.consumers.failures import FORGET, store_failure
from dynamo_es.dynamodb.consumers.finder import CURSOR
from dynamo_es.dynamodb.wire.steps import Request, number

if TYPE_CHECKING:
    from dynamo_es.contracts.consumers.cursors import Followed
    from dynamo_es.contracts.consumers.failures import NewFailure
    from dynamo_es.contracts.consumers.leases import Lease
    from dynamo_es.dynamodb.wire.steps import Item

LEASE: Final = "leased_by, leased_until, leased_for"
"""The attributes of a lease, for a ``REMOVE``."""


def cursor_key(followed: Followed) -> Item:
    """Return the key of a cursor: ``{tenant}#cursor#{consumer}#{category}#{uuid}``.

    If that is too long, the partition key is ``{tenant}#cursor``, and the sort key is the consumer
    with a hash of the stream's key.
    """
    stream = stream_key(tenant_prefix(followed.tenant_id), followed.stream_id)
    tenant, _, rest = stream.partition(SEPARATOR)
    key = f"{tenant}#{CURSOR}#{followed.name}#{rest}"
    if len(key.encode()) <= MAX_KEY_BYTES:
        return {"log_key": {"S": key}, "place": {"S": CURSOR}}
    place = f"{followed.name}#{sha256(stream.encode()).hexdigest()}"
    return {"log_key": {"S": f"{tenant}#{CURSOR}"}, "place": {"S": place}}


def _free(held: Lease | None, values: dict[str, Any]) -> str:
    """Return the condition that a lease is free, or was not renewed since it was read.

    Args:
        held: the lease as it was read; None: it was free.
        values: a dict to which the values of the condition are added.
    """
    if held is None:
        return "attribute_not_exists(leased_by)"
    values |= {":holder": {"S": held.holder}, ":beat": number(held.until)}
    return "leased_by = :holder AND leased_until = :beat"


def take_lease(
    table: str, followed: Followed, version: int, lease: Lease, held: Lease | None
) -> Request:
    """Take the lease of a cursor that is before a version, in this or an unknown generation."""
    values: dict[str, Any] = {
        ":worker": {"S": lease.holder},
        ":until": number(lease.until),
        ":length": number(lease.length),
        ":version": number(version),
    }
    update = "SET leased_by = :worker, leased_until = :until, leased_for = :length"
    condition = f"version < :version AND {_free(held, values)}"
    if followed.generation:
        values |= {":generation": number(followed.generation), ":unknown": number(0)}
        update += ", generation = :generation"
        condition += " AND generation IN (:generation, :unknown)"
    return Request(
        "update_item",
        {
            "TableName": table,
            "Key": cursor_key(followed),
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    )


def set_generation(table: str, followed: Followed) -> Request:
    """Set the generation of a cursor whose generation is unknown."""
    return Request(
        "update_item",
        {
            "TableName": table,
            "Key": cursor_key(followed),
            "UpdateExpression": "SET generation = :generation",
            "ConditionExpression": "generation = :unknown",
            "ExpressionAttributeValues": {
                ":generation": number(followed.generation),
                ":unknown": number(0),
            },
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    )


def begin(table: str, followed: Followed, lease: Lease, held: Lease | None) -> Request:
    """Put a cursor at version 0, with its lease, if there is none or the generation is new."""
    values: dict[str, Any] = {":generation": number(followed.generation), ":unknown": number(0)}
    return Request(
        "put_item",
        {
            "TableName": table,
            "Item": {
                **cursor_key(followed),
                "generation": number(followed.generation),
                "version": number(0),
                "leased_by": {"S": lease.holder},
                "leased_until": number(lease.until),
                "leased_for": number(lease.length),
            },
            "ConditionExpression": (
                "attribute_not_exists(place) OR (generation > :unknown AND "
                f"generation < :generation AND {_free(held, values)})"
            ),
            "ExpressionAttributeValues": values,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    )


def move(
    table: str, followed: Followed, version: int | None, worker: str, until_ms: int | None
) -> Request:
    """Move a cursor (or not, if the version is None), and renew or release its lease."""
    values: dict[str, Any] = {":worker": {"S": worker}}
    sets, removed = [], [FORGET]
    if version is not None:
        sets.append("version = :version")
        values[":version"] = number(version)
    if until_ms is None:
        removed.append(LEASE)
    else:
        sets.append("leased_until = :until")
        values[":until"] = number(until_ms)
    update = f"{'SET ' * bool(sets)}{', '.join(sets)} REMOVE {', '.join(removed)}"
    return Request(
        "update_item",
        {
            "TableName": table,
            "Key": cursor_key(followed),
            "UpdateExpression": update,
            "ConditionExpression": "leased_by = :worker",
            "ExpressionAttributeValues": values,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    )


def fail(release: Request, failure: NewFailure, *, again: bool) -> Request:
    """Return a release that also stores a failure.

    Args:
        release: the request that moves the cursor and releases the lease.
        failure: the failure to store.
        again: True: add to the attempts of the stored failure, which must be of the same event.
    """
    values = dict(release.params["ExpressionAttributeValues"])
    update = store_failure(failure, values, again=again)
    if ":version" in values:
        update = f"version = :version, {update}"
    condition = release.params["ConditionExpression"]
    if again:
        condition += " AND (attribute_not_exists(failed_place) OR failed_place = :place)"
    changed = {
        "UpdateExpression": f"SET {update} REMOVE {LEASE}",
        "ConditionExpression": condition,
        "ExpressionAttributeValues": values,
    }
    return Request(release.operation, {**release.params, **changed})
