"""Requests for the table of encryption keys, and its items: pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.dynamodb.keys import MAX_KEY_BYTES, tenant_prefix
from dynamo_es.dynamodb.requests import Request, number
from dynamo_es.exceptions import InvalidStreamIdError, StoredItemError

if TYPE_CHECKING:
    from dynamo_es.dynamodb.items import Item
    from dynamo_es.values import TenantId

# A put that was thought lost may arrive after its key was shredded: that key stays out for good.
_NO_KEY_YET: Final = (
    "attribute_not_exists(subject) OR (attribute_exists(shredded) AND shredded <> :key_id)"
)


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A subject's key as it is stored.

    Attributes:
        id: of the key.
        key_bytes: the secret, or what wraps it.
        wrapped_by: id of the KMS key that wraps it, as it was configured; None: it is not.
    """

    id: str
    key_bytes: bytes
    wrapped_by: str | None


def partition_of(tenant_id: TenantId) -> str:
    """Return the partition key of a tenant's keys: what its streams' keys begin with, too.

    ``#`` behind the tenant's id, escaped as there, so that it is never empty (DynamoDB takes no
    empty key, and the default tenant's id is) and no two tenants share one. The default tenant
    has ``#``, ``acme`` has ``acme#``.

    Raises:
        InvalidStreamIdError: longer than DynamoDB takes (2,048 bytes).
    """
    partition = tenant_prefix(tenant_id)
    if len(partition) * 4 > MAX_KEY_BYTES and (size := len(partition.encode())) > MAX_KEY_BYTES:
        raise InvalidStreamIdError(
            f"The tenant id {tenant_id[:40]!r}… makes a key of {size} bytes; "
            f"DynamoDB takes {MAX_KEY_BYTES}: use a shorter one."
        )
    return partition


def key_item(tenant: str, subject: str, key: StoredKey, *, created_at: int) -> Item:
    """Return the item of a key.

    Args:
        tenant: partition key, from `partition_of`.
        subject: sort key.
        key: what to store.
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
        StoredItemError: the item is not one of `key_item`.
    """
    try:
        wrapped_by = item["wrapped_by"]["S"] if "wrapped_by" in item else None
        return StoredKey(item["key_id"]["S"], item["key_bytes"]["B"], wrapped_by)
    except KeyError as error:
        raise StoredItemError(tenant, subject, f"it is no key: {error} is missing.") from error


def is_shredded(item: Item) -> bool:
    """Whether an item is what `shred_key` leaves of a key."""
    return "shredded" in item


def get_key(table: str, tenant: str, subject: str) -> Request:
    """Read a subject's key, consistently: one that was deleted must not come back."""
    return Request(
        "get_item",
        {"TableName": table, "Key": _place(tenant, subject), "ConsistentRead": True},
    )


def put_new_key(table: str, item: Item) -> Request:
    """Put a key where there is none; a refusal brings the one that is there."""
    return Request(
        "put_item",
        {
            "TableName": table,
            "Item": item,
            "ConditionExpression": _NO_KEY_YET,
            "ExpressionAttributeValues": {":key_id": item["key_id"]},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    )


def put_key(table: str, item: Item) -> Request:
    """Put a key, whether there is one or not; a refusal: this very key was shredded since."""
    return Request(
        "put_item",
        {
            "TableName": table,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(shredded) OR shredded <> :key_id",
            "ExpressionAttributeValues": {":key_id": item["key_id"]},
        },
    )


def shred_key(table: str, tenant: str, subject: str) -> Request:
    """Remove a subject's key, and leave its id: that key must not come back."""
    return Request(
        "update_item",
        {
            "TableName": table,
            "Key": _place(tenant, subject),
            "UpdateExpression": (
                "SET shredded = key_id REMOVE key_id, key_bytes, wrapped_by, created_at"
            ),
            "ConditionExpression": "attribute_exists(key_id)",
        },
    )


def _place(tenant: str, subject: str) -> dict[str, Any]:
    return {"tenant": {"S": tenant}, "subject": {"S": subject}}
