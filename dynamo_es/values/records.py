"""Raw events: the form in which a stream stores them, and the form with a position in the log."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from dynamo_es.values.stream_id import StreamId
from dynamo_es.values.tenant import DEFAULT_TENANT, TenantId

Position: TypeAlias = int
"""Position in the log of all streams and tenants: 1-based, without gaps, never reused."""


@dataclass(frozen=True, slots=True)
class RawEvent:
    """An event in the form that a storage keeps: JSON and metadata, without its class.

    Attributes:
        uuid: identity of the event; appending it again at the same version succeeds.
        stream_id: stream of the event.
        created_at: when the event was made, to the microsecond. It is stored as given: aware, or
            naive and then in UTC.
        name: name of the event's type, not empty.
        data: payload, a JSON object.
        context: metadata, a JSON object.
        version: place in the stream, 1-based. None in a stream without versions, and before the
            append, which sets it.
        generation: generation of the stream, 1 or more; None before the append. ``==`` ignores it.

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
    """A stored event with its position in the log.

    Attributes:
        entry: the event.
        position: position in the log, 1-based.
        tenant_id: tenant of the event.
        generation: generation of the stream, 1 or more; 0: unknown. A stream that was deleted and
            created again has a higher one.
    """

    entry: RawEvent
    position: Position
    tenant_id: TenantId = DEFAULT_TENANT
    generation: int = 0
