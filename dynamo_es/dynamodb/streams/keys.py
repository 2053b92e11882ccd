"""Keys of the events table: pure functions that convert identities to text and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from dynamo_es.exceptions import InvalidStreamIdError, describe_stream

if TYPE_CHECKING:
    from dynamo_es.values import StreamId, TenantId

SNAPSHOT_VERSION: Final = 10**18
"""Sort key of a stream's snapshot, above that of every commit."""

MAX_KEY_BYTES: Final = 2048
"""DynamoDB's limit for a partition key."""

_SEPARATOR: Final = "#"
_EMPTY_CATEGORY: Final = "%"
"""The empty category, as opposed to no category; no escaped text is a bare ``%``."""


def escape(text: str) -> str:
    """Percent-encode ``#`` and ``%``, so that no two texts share a key."""
    if "%" in text or _SEPARATOR in text:
        return text.replace("%", "%25").replace(_SEPARATOR, "%23")
    return text


def unescape(text: str) -> str:
    """Undo `escape`."""
    return text.replace("%23", _SEPARATOR).replace("%25", "%")


def tenant_prefix(tenant_id: TenantId) -> str:
    """Return the prefix of a tenant's partition keys, which IAM policies can match."""
    return escape(tenant_id) + _SEPARATOR


def category_prefix(prefix: str, category: str | None) -> str:
    """Return the part before the last ``#`` in the keys of a category's streams.

    Args:
        prefix: prefix of the tenant, from `tenant_prefix`.
        category: any text; None: the streams without a category.
    """
    if category is None:
        return prefix
    return prefix + (escape(category) or _EMPTY_CATEGORY)


def stream_key(prefix: str, stream_id: StreamId) -> str:
    """Return the partition key of a stream: ``{tenant}#{category}#{uuid}``.

    Args:
        prefix: prefix of the tenant, from `tenant_prefix`.
        stream_id: the stream.

    Raises:
        InvalidStreamIdError: the key is longer than 2,048 bytes, the limit of DynamoDB.
    """
    key = f"{category_prefix(prefix, stream_id.category)}{_SEPARATOR}{stream_id!s}"
    if len(key) * 4 > MAX_KEY_BYTES and (size := len(key.encode())) > MAX_KEY_BYTES:
        raise InvalidStreamIdError(
            f"Tenant and category of stream {describe_stream(stream_id)} make a key of {size} "
            f"bytes; DynamoDB takes {MAX_KEY_BYTES}: use shorter ones."
        )
    return key


def parse_stream_key(key: str) -> tuple[TenantId, str | None, UUID]:
    """Return tenant, category and UUID of a partition key: the reverse of `stream_key`.

    Raises:
        ValueError: the text is not a key of `stream_key`.
    """
    try:
        tenant_text, category_text, uuid_text = key.split(_SEPARATOR)
        tenant, uuid = unescape(tenant_text), UUID(uuid_text)
    except ValueError:
        raise ValueError("The key is not a stream's.") from None
    category: str | None = None
    if category_text == _EMPTY_CATEGORY:
        category = ""
    elif category_text:
        category = unescape(category_text)
    # UUID accepts capitals and braces, so two keys could mean the same stream.
    if f"{category_prefix(escape(tenant) + _SEPARATOR, category)}{_SEPARATOR}{uuid}" != key:
        raise ValueError("The key is not a stream's.")
    return tenant, category, uuid
