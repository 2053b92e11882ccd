"""Makes events in a quarter of the time that their frozen classes take.

A frozen dataclass sets each field by a call of `object.__setattr__`, which takes most of the time
that an object takes to make. A class here has the same slots and is not frozen. Python lets an
object change between two classes with the same slots (data model, ``__slots__``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from dynamo_es.values.records import RawEvent, RecordedRaw

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from dynamo_es.values import Position, StreamId, TenantId


class _NewRawEvent:
    __slots__ = RawEvent.__slots__

    def __init__(  # noqa: PLR0913, PLR0917 - the fields of a `RawEvent`
        self,
        uuid: UUID,
        stream_id: StreamId,
        created_at: datetime,
        name: str,
        data: dict[str, Any],
        context: dict[str, Any],
        version: int | None,
        generation: int | None,
    ) -> None:
        self.uuid = uuid
        self.stream_id = stream_id
        self.created_at = created_at
        self.name = name
        self.data = data
        self.context = context
        self.version = version
        self.generation = generation
        self.__class__ = RawEvent  # type: ignore[assignment]


class _NewRecordedRaw:
    __slots__ = RecordedRaw.__slots__

    def __init__(
        self, entry: RawEvent, position: Position, tenant_id: TenantId, generation: int
    ) -> None:
        self.entry = entry
        self.position = position
        self.tenant_id = tenant_id
        self.generation = generation
        self.__class__ = RecordedRaw  # type: ignore[assignment]


new_raw_event: Final = cast("type[RawEvent]", _NewRawEvent)
"""Makes a `RawEvent` from all its fields, in order, in a quarter of the time."""

new_recorded_raw: Final = cast("type[RecordedRaw]", _NewRecordedRaw)
"""Makes a `RecordedRaw` from all its fields, in order, in a third of the time."""
