"""Keys of the events table: pure functions between identities and text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from dynamo_es.exceptions import InvalidStreamIdError

if TYPE_CHECKING:
    from dynamo_es.values import StreamId, TenantId

SNAPSHOT_VERSION: Final = 10**18
"""Sort key of a stream's snapshot: above every commit's."""

MAX_KEY_BYTES: Final = 2048
"""DynamoDB's limit for a partition key."""

_SEPARATOR: Final = "#"
_EMPTY_CATEGORY: Final = "%"
"""A bare escape: no escaped text is one, so the empty category differs from none."""


def escape(text: str) -> str:
    """Percent-encode the separator and the escape, so that no two texts share a key."""
    if "%" in text or _SEPARATOR in text:
        return text.replace("%", "%25").replace(_SEPARATOR, "%23")
    return text


def unescape(text: str) -> str:
    """Undo `escape`."""
    return text.replace("%23", _SEPARATOR).replace("%25", "%")


def tenant_prefix(tenant_id: TenantId) -> str:
    """Return what every partition key of a tenant begins with: a wall for IAM policies."""
    return escape(tenant_id) + _SEPARATOR


def category_prefix(prefix: str, category: str | None) -> str:
    """Return what stands before the last ``#`` in the keys of a category's streams.

    Args:
        prefix: the tenant's, from `tenant_prefix`.
        category: any text; None: of the streams without one.
    """
    if category is None:
        return prefix
    return prefix + (escape(category) or _EMPTY_CATEGORY)


def stream_key(prefix: str, stream_id: StreamId) -> str:
    """Return the partition key of a stream: ``{tenant}#{category}#{uuid}``.

    Args:
        prefix: the tenant's, from `tenant_prefix`.
        stream_id: the stream.

    Raises:
        InvalidStreamIdError: the key is longer than DynamoDB takes (2,048 bytes).
    """
    key = f"{category_prefix(prefix, stream_id.category)}{_SEPARATOR}{stream_id!s}"
    if len(key) * 4 > MAX_KEY_BYTES and (size := len(key.encode())) > MAX_KEY_BYTES:
        raise InvalidStreamIdError(
            f"Tenant and category of the stream {stream_id!s} make a key of {size} bytes; "
            f"DynamoDB takes {MAX_KEY_BYTES}: use shorter ones."
        )
    return key


def parse_stream_key(key: str) -> tuple[TenantId, str | None, UUID]:
    """Return tenant, category and UUID of a partition key: the reverse of `stream_key`.

    Raises:
        ValueError: `stream_key` makes no such key.
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
    # UUID takes capitals and braces: two keys would be one stream to every reader.
    if f"{category_prefix(escape(tenant) + _SEPARATOR, category)}{_SEPARATOR}{uuid}" != key:
        raise ValueError("The key is not a stream's.")
    return tenant, category, uuid
