"""`Written`: the state of an export so far, which is enough to continue it in another process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from dynamo_es.cli.history.importing.lines import StreamOf
from dynamo_es.exceptions import EventStoreError
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from dynamo_es.values import Position, RawEvent, TenantId

    Fields = dict[str, Any]
    """The fields of a line."""


class ExportError(EventStoreError):
    """The export cannot continue. The message says why, and what to do."""


@dataclass(slots=True)
class Part:
    """The exported part of a stream.

    Attributes:
        generation: the stream's generation.
        first: id of its first event.
        versionless: whether the stream is versionless.
        events: number of exported events, which is the version of the last one unless the stream is
            versionless.
        snapshot: version of the newest exported snapshot; 0: none.
    """

    generation: int
    first: str
    versionless: bool
    events: int = 0
    snapshot: int = 0


@dataclass(slots=True)
class Written:
    """The lines that an export has written.

    Attributes:
        streams: the exported part of each stream.
        events: number of events.
        snapshots: number of snapshots.
        position: position of the last event of the log.
        last_id: id of that event.
    """

    streams: dict[StreamOf, Part] = field(default_factory=dict)
    events: int = 0
    snapshots: int = 0
    position: Position = 0
    last_id: str = ""

    def add(self, fields: Fields) -> StreamOf:
        """Add a line and return its stream.

        Raises:
            ExportError: the event does not follow the exported part of its stream.
            LookupError, TypeError, ValueError: these are not the fields of a line.
        """
        uuid, name = UUID(fields["stream_id"]), fields["stream"]
        stream = StreamOf(fields["tenant"], StreamId(uuid, name, category=fields["category"]))
        versionless = fields.get("versionless", False)
        new = Part(fields["generation"], fields["id"], versionless)
        part = self.streams.setdefault(stream, new)
        if fields.get("snapshot", False):
            part.snapshot = fields["version"]
            self.snapshots += 1
            return stream
        version = part.events + 1
        if part.generation != new.generation or fields.get("version", version) != version:
            raise ExportError(
                f"Event {new.first} does not follow the exported part of the stream {stream}, "
                "because the stream was deleted in the meantime: export into a new file."
            )
        part.events = version
        self.events += 1
        if "position" in fields:
            self.position, self.last_id = fields["position"], new.first
        return stream


def fields_of(
    event: RawEvent, tenant_id: TenantId, generation: int, position: Position | None = None
) -> Fields:
    """Return the fields of an event's line. An import ignores position and generation."""
    place: Fields = {"versionless": True} if event.version is None else {"version": event.version}
    if event.context:
        place["context"] = event.context
    if position is not None:
        place["position"] = position
    return {
        "tenant": tenant_id,
        "category": event.stream_id.category,
        "stream": event.stream_id.name,
        "stream_id": str(event.stream_id),
        "id": str(event.uuid),
        "type": event.name,
        "at": event.created_at.isoformat(),
        "data": event.data,
        **place,
        "generation": generation,
    }
