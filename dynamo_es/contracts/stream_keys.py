"""Keys of streams and of tenants, and limits of DynamoDB that hold for every backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dynamo_es.contracts.checks.arguments import check_consumer
from dynamo_es.exceptions import (
    CommitTooLargeError,
    InvalidConsumerError,
    InvalidStreamIdError,
    describe_stream,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamo_es.values import RawEvent, StreamId, TenantId

MAX_KEY_BYTES: Final = 2048
"""DynamoDB's limit for a partition key."""

MAX_SORT_KEY_BYTES: Final = 1024
"""DynamoDB's limit for a sort key."""

MAX_NAMES_BYTES: Final = 32 * 1024
"""Most bytes of a commit's stream name and event names, which a page of the log repeats."""

SEPARATOR: Final = "#"
EMPTY_CATEGORY: Final = "%"
"""Stands for the category ``""``, which differs from None. `escape` never returns a bare ``%``."""


def escape(text: str) -> str:
    """Percent-encode ``#`` and ``%``, so that different parts never make the same key."""
    if "%" in text or SEPARATOR in text:
        return text.replace("%", "%25").replace(SEPARATOR, "%23")
    return text


def unescape(text: str) -> str:
    """Undo `escape`."""
    return text.replace("%23", SEPARATOR).replace("%25", "%")


def tenant_prefix(tenant_id: TenantId) -> str:
    """Return the prefix of a tenant's partition keys, which IAM policies can match."""
    return escape(tenant_id) + SEPARATOR


def category_prefix(prefix: str, category: str | None) -> str:
    """Return the part of a stream's key before the last ``#``, the same for a whole category.

    Args:
        prefix: prefix of the tenant, from `tenant_prefix`.
        category: any text; None: the streams without a category.
    """
    if category is None:
        return prefix
    return prefix + (escape(category) or EMPTY_CATEGORY)


def stream_key(prefix: str, stream_id: StreamId) -> str:
    """Return the partition key of a stream: ``{tenant}#{category}#{uuid}``.

    Args:
        prefix: prefix of the tenant, from `tenant_prefix`.
        stream_id: the stream.

    Raises:
        InvalidStreamIdError: the key is longer than 2,048 bytes, the limit of DynamoDB.
    """
    key = f"{category_prefix(prefix, stream_id.category)}{SEPARATOR}{stream_id!s}"
    if len(key) * 4 > MAX_KEY_BYTES and (size := len(key.encode())) > MAX_KEY_BYTES:
        raise InvalidStreamIdError(
            f"The tenant and the category of stream {describe_stream(stream_id)} make a key of "
            f"{size:,} bytes. DynamoDB takes {MAX_KEY_BYTES:,}: use shorter ones."
        )
    return key


def subjects_key(tenant_id: TenantId) -> str:
    """Return the partition key under which the encryption keys of a tenant's subjects are stored.

    It is the tenant's prefix: ``acme#`` for the tenant ``acme``, ``#`` for the default tenant. The
    keys of the tenant's streams begin with the same text. Because of the ``#``, the key is never
    empty, which DynamoDB would refuse. Because of the escaping, two tenants never share a key.

    Raises:
        InvalidStreamIdError: the key is longer than 2,048 bytes, the limit of DynamoDB.
    """
    partition = tenant_prefix(tenant_id)
    if len(partition) * 4 > MAX_KEY_BYTES and (size := len(partition.encode())) > MAX_KEY_BYTES:
        raise InvalidStreamIdError(
            f"The tenant id {tenant_id[:40]!r}… makes a key of {size:,} bytes. "
            f"DynamoDB takes {MAX_KEY_BYTES:,}: use a shorter one."
        )
    return partition


def consumer_key(name: str, tenant_id: TenantId | None) -> str:
    """Return the key of a consumer in a list of consumers: the tenant's prefix and the name.

    Args:
        name: name of the consumer.
        tenant_id: tenant whose events the consumer handles; None: all tenants. Then the key has no
            prefix.

    Raises:
        InvalidConsumerError: the name cannot be part of a key, or the key is longer than 1,024
            bytes, the limit of DynamoDB.
    """
    check_consumer(name)
    key = name if tenant_id is None else f"{tenant_prefix(tenant_id)}{name}"
    size = len(key.encode())
    if size > MAX_SORT_KEY_BYTES:
        raise InvalidConsumerError(
            f"The tenant {str(tenant_id)[:40]!r}… and the name {name[:40]!r} make a key "
            f"of {size:,} bytes. DynamoDB takes {MAX_SORT_KEY_BYTES:,}: use shorter ones."
        )
    return key


def check_names(stream_id: StreamId, events: Iterable[RawEvent]) -> None:
    """Raise `CommitTooLargeError` unless a commit can carry the names of the stream and each event.

    Args:
        stream_id: the stream, with its name.
        events: the events of an append; each may get a commit of its own.
    """
    stream_size = len((stream_id.name or "").encode())
    for event in events:
        size = stream_size + len(event.name.encode())
        if size > MAX_NAMES_BYTES:
            raise CommitTooLargeError(
                stream_id,
                size,
                MAX_NAMES_BYTES,
                f"the names of event {event.uuid} and of the stream take {size:,} bytes; "
                f"a commit carries {MAX_NAMES_BYTES:,} of names: use shorter ones.",
            )
