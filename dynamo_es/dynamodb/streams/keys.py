"""Reads identities back from keys of the events table; `contracts.stream_keys` makes the keys."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final
from uuid import UUID

from dynamo_es.contracts.stream_keys import (
    EMPTY_CATEGORY,
    SEPARATOR,
    category_prefix,
    escape,
    unescape,
)
from dynamo_es.exceptions import describe_stream
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from dynamo_es.values import TenantId

SNAPSHOT_VERSION: Final = 10**18
"""Sort key of a stream's snapshot. It is above the sort keys of all commits."""


def parse_stream_key(key: str) -> tuple[TenantId, str | None, UUID]:
    """Return tenant, category and UUID of a partition key: the reverse of `stream_key`.

    Raises:
        ValueError: the text is not a key of `stream_key`.
    """
    try:
        tenant_text, category_text, uuid_text = key.split(SEPARATOR)
        tenant, uuid = unescape(tenant_text), UUID(uuid_text)
    except ValueError:
        raise ValueError("The key is not a stream's.") from None
    category: str | None = None
    if category_text == EMPTY_CATEGORY:
        category = ""
    elif category_text:
        category = unescape(category_text)
    # UUID accepts capitals and braces. Without this check, two keys could name the same stream.
    if f"{category_prefix(escape(tenant) + SEPARATOR, category)}{SEPARATOR}{uuid}" != key:
        raise ValueError("The key is not a stream's.")
    return tenant, category, uuid


# Cached, because a reader of the log meets the same streams again and again, and making a stream id
# takes as long as decoding a commit's events.
@lru_cache(maxsize=1024)
def stream_of(key: str, name: str | None) -> tuple[TenantId, StreamId]:
    """Return the tenant and the id of the stream with a partition key and a name.

    Raises:
        ValueError: the text is not a key of `stream_key`.
        IncompatibleUuidAndName: another id belongs to the name; also a ValueError.
    """
    tenant_id, category, uuid = parse_stream_key(key)
    return tenant_id, StreamId(uuid, name, category=category)


def describe_key(key: str) -> str:
    """Return a text that names the stream of a partition key, for logs.

    Example: ``1b4e28ba-… (category 'Account') of tenant 'acme'``. Text that is not a stream's key
    is quoted.
    """
    try:
        tenant, category, uuid = parse_stream_key(key)
    except ValueError:
        return repr(key)
    stream = describe_stream(StreamId(uuid, category=category))
    return f"{stream} of tenant {tenant!r}" if tenant else stream
