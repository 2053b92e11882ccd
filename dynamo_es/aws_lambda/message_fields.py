"""The parts of a published message beside its text: attributes, message group, and their sizes."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.contracts.stream_keys import stream_key, tenant_prefix

if TYPE_CHECKING:
    from dynamo_es.values import RecordedRaw

_MAX_GROUP_CHARACTERS: Final = 128
_NO_GROUP: Final = re.compile(r"[^!-~]")
"""Characters that a FIFO queue or topic refuses in a message group."""
_NO_ATTRIBUTE: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that queues and topics refuse in a message attribute."""


def stream_of(record: RecordedRaw) -> str:
    """Return the key of an event's stream."""
    return stream_key(tenant_prefix(record.tenant_id), record.entry.stream_id)


def attributes_of(record: RecordedRaw) -> dict[str, Any]:
    """Return the attributes of a message, which filters of topics and queues can match."""
    values = {
        "name": record.entry.name,
        "category": record.entry.stream_id.category,
        "tenant": record.tenant_id,
    }
    # SNS and SQS refuse empty attributes and control characters. The text still has all values.
    return {
        name: {"DataType": "String", "StringValue": value}
        for name, value in values.items()
        if value and not _NO_ATTRIBUTE.search(value)
    }


def in_order(target: str, record: RecordedRaw) -> dict[str, Any]:
    """Return a message's group and deduplication id; an empty dict if the target is not FIFO."""
    if not target.endswith(".fifo"):
        return {}
    stream = group = stream_of(record)
    if len(group) > _MAX_GROUP_CHARACTERS or _NO_GROUP.search(group):
        group = sha256(stream.encode()).hexdigest()
    # The UUID alone is not enough: an application may append one event to two streams.
    place = f"{stream}|{record.generation}|{record.entry.version}|{record.position}"
    return {
        "MessageGroupId": group,
        "MessageDeduplicationId": f"{record.entry.uuid}-{sha256(place.encode()).hexdigest()[:32]}",
    }


def size_of(text: str) -> int:
    """Return the number of bytes that a service counts for a text."""
    return len(text.encode())
