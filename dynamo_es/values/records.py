"""What is stored: raw events, and raw events with their place in the log."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from dynamo_es.values.stream_id import StreamId
from dynamo_es.values.tenant import DEFAULT_TENANT, TenantId

Position: TypeAlias = int
"""Place in the log of all streams and tenants: 1-based, dense, never reused."""


@dataclass(frozen=True, slots=True)
class RawEvent:
    """An event as a storage keeps it: JSON and metadata, no classes.

    Attributes:
        uuid: identity of the event; appending it again at the same version is a success.
        stream_id: the stream that it belongs to.
        created_at: naive UTC or aware, kept as given to the microsecond.
        name: type of the event, not empty.
        data: payload, a JSON object.
        context: metadata, a JSON object.
        version: place in the stream, 1-based; None before the append (the storage
            numbers it) and in streams without versions.
        generation: number of the stream's generation that it was loaded from; None before the
            append. It says where the event was seen, so equality ignores it.

    Source: the fields of python-event-sourcery's ``RawEvent``.
    """

    uuid: UUID
    stream_id: StreamId
    created_at: datetime
    name: str
    data: dict[str, Any]
    context: dict[str, Any]
    version: int | None = None
    generation: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class RecordedRaw:
    """A stored event with its place in the log.

    Attributes:
        entry: the event.
        position: its place in the log, 1-based.
        tenant_id: the tenant it belongs to.
        generation: number of the stream's life that it belongs to; a stream that was deleted and
            created again has a higher one.
    """

    entry: RawEvent
    position: Position
    tenant_id: TenantId = DEFAULT_TENANT
    generation: int = 0
