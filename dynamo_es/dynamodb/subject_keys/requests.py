"""Requests for the keys table and its items, as pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.dynamodb.wire.steps import Request, number
from dynamo_es.exceptions import StoredItemError

if TYPE_CHECKING:
    from dynamo_es.dynamodb.wire.steps import Item

# A request that seemed lost may arrive much later. So the condition of each write compares what its
# caller has read: the key, or the number of the subject's shredded keys, which only grows.
_NO_ITEM: Final = "attribute_not_exists(subject)"
_NO_KEY_SINCE: Final = "attribute_not_exists(key_id) AND shreds = :shreds"
_THIS_KEY: Final = "key_id = :key_id"


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A subject's key as stored.

    Attributes:
        id: the key's id.
        key_bytes: the secret, in clear text or wrapped.
        wrapped_by: id of the KMS key that wraps the secret, as configured; None: it is in clear
            text.
    """

    id: str
    key_bytes: bytes
    wrapped_by: str | None


def key_item(tenant: str, subject: str, key: StoredKey, *, created_at: int) -> Item:
    """Return the item of a key.

    Args:
        tenant: partition key, from `subjects_key`.
        subject: sort key: the subject.
        key: the key to store.
        created_at: seconds since the epoch.
    """
    item: dict[str, Any] = {
        "tenant": {"S": tenant},
        "subject": {"S": subject},
        "key_id": {"S": key.id},
        "key_bytes": {"B": key.key_bytes},
        "created_at": number(created_at),
    }
    if key.wrapped_by is not None:
        item["wrapped_by"] = {"S": key.wrapped_by}
    return item


def read_key(tenant: str, subject: str, item: Item) -> StoredKey:
    """Return the key of an item.

    Raises:
        StoredItemError: the item holds no key.
    """
    try:
        wrapped_by = item["wrapped_by"]["S"] if "wrapped_by" in item else None
        return StoredKey(item["key_id"]["S"], item["key_bytes"]["B"], wrapped_by)
    except KeyError as error:
        raise StoredItemError(tenant, subject, f"it is not a key: {error} is missing.") from error


def is_shredded(item: Item) -> bool:
    """Return whether an item is what a shredded key leaves."""
    return "shreds" in item and "key_id" not in item


def shreds_of(item: Item) -> int:
    """Return how many of the subject's keys were shredded."""
    return int(item["shreds"]["N"]) if "shreds" in item else 0


def get_key(table: str, tenant: str, subject: str) -> Request:
    """Read a subject's key, consistently, so that a deleted key does not come back."""
    return Request(
        "get_item",
        {"TableName": table, "Key": _place(tenant, subject), "ConsistentRead": True},
    )


def put_new_key(table: str, item: Item, shredded: Item | None = None) -> Request:
    """Put a key unless the subject has one. A refusal carries the subject's item.

    Args:
        table: name of the keys table.
        item: the item, from `key_item`.
        shredded: the item that the subject's last key left, as read; None: the subject never had a
            key.
    """
    return _put(table, item, shredded)


def replace_key(table: str, item: Item, there: Item | None) -> Request:
    """Put a key instead of the item that was read: a key, what a shredded key left, or None."""
    return _put(table, item, there)


def _put(table: str, item: Item, there: Item | None) -> Request:
    params: dict[str, Any] = {
        "TableName": table,
        "Item": item,
        "ConditionExpression": _NO_ITEM,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    if there is not None:
        shreds = number(shreds_of(there))
        if "shreds" in there:
            params["Item"] = {**item, "shreds": shreds}
        if is_shredded(there):
            params["ConditionExpression"] = _NO_KEY_SINCE
            params["ExpressionAttributeValues"] = {":shreds": shreds}
        else:
            params["ConditionExpression"] = _THIS_KEY
            params["ExpressionAttributeValues"] = {":key_id": there["key_id"]}
    return Request("put_item", params)


def shred_key(table: str, tenant: str, subject: str, key_id: str) -> Request:
    """Remove a subject's key, and count it. Refused if the subject no longer has that key."""
    return Request(
        "update_item",
        {
            "TableName": table,
            "Key": _place(tenant, subject),
            "UpdateExpression": (
                "SET shreds = if_not_exists(shreds, :none) + :one "
                "REMOVE key_id, key_bytes, wrapped_by, created_at"
            ),
            "ConditionExpression": _THIS_KEY,
            "ExpressionAttributeValues": {
                ":key_id": {"S": key_id},
                ":none": number(0),
                ":one": number(1),
            },
        },
    )


def _place(tenant: str, subject: str) -> dict[str, Any]:
    return {"tenant": {"S": tenant}, "subject": {"S": subject}}
