"""Lines gathered into chunks: what is appended in one commit."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Self
from uuid import UUID, uuid5

from dynamo_es.values import RawEvent, StreamId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamo_es.cli.importing.lines import Line, StreamOf

EVENT_NAMESPACE: Final = UUID("d777914d-e1a4-4773-aea2-b3710d444742")
"""What event ids are derived in. To change it is to import every history a second time."""

MAX_CHUNK_BYTES: Final = 256 * 1024
"""Lines of one chunk: more would not be sure to fit in one item, and two cost twice as much."""

MAX_WAITING_BYTES: Final = 64 * 1024 * 1024
"""Lines that wait for more of their streams; above this, those that waited longest go."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Events of one stream, in order, to be appended at once.

    Attributes:
        stream: which stream.
        stream_id: the same, as the store names it within the tenant.
        first: version of the first event, 1-based.
        events: one or more.
        lines: the line of each event, 1-based.
    """

    stream: StreamOf
    stream_id: StreamId
    first: int
    events: tuple[RawEvent, ...]
    lines: tuple[int, ...]

    @property
    def last(self) -> int:
        """Version of the last event."""
        return self.first + len(self.events) - 1

    def part(self, begin: int, end: int | None = None) -> Self:
        """Return the chunk of some of the events, by their indexes here."""
        return replace(
            self,
            first=self.first + begin,
            events=self.events[begin:end],
            lines=self.lines[begin:end],
        )


@dataclass(slots=True)
class _Waiting:
    stream_id: StreamId
    first: int
    events: list[RawEvent] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    size: int = 0

    def takes(self, line: Line) -> bool:
        # One commit has one kind of clock: the store refuses naive and aware times in one.
        same_clock = (self.events[0].created_at.tzinfo is None) is (line.created_at.tzinfo is None)
        return same_clock and self.size + line.size <= MAX_CHUNK_BYTES


class Cutter:
    """Numbers the events of each stream and cuts them into chunks.

    It keeps a count per stream, and the lines that wait for more: those of one stream, or up
    to `MAX_WAITING_BYTES` of them if it gathers.

    Args:
        events_per_commit: most events of a chunk.
        gather: whether a stream's events come together from all over the input. If not, a
            chunk is of what is consecutive there, and chunks come in the order of the input.
    """

    def __init__(self, events_per_commit: int, *, gather: bool = False) -> None:
        self._most = events_per_commit
        self._gather = gather
        self._versions: dict[StreamOf, int] = {}
        self._waiting: OrderedDict[StreamOf, _Waiting] = OrderedDict()
        self._bytes = 0

    @property
    def streams(self) -> int:
        """Streams seen so far."""
        return len(self._versions)

    @property
    def tenants(self) -> int:
        """Tenants seen so far."""
        return len({stream.tenant_id for stream in self._versions})

    def add(self, line: Line) -> Iterator[Chunk]:
        """Take a line; yield the chunks that are complete with it."""
        stream = line.stream
        waiting = self._waiting.get(stream)
        if waiting is None and not self._gather:
            yield from self.flush()
        if waiting is not None and not waiting.takes(line):
            yield self._cut(stream)
            waiting = None
        version = self._versions.get(stream, 0) + 1
        self._versions[stream] = version
        if waiting is None:
            waiting = _Waiting(StreamId(name=stream.name, category=stream.category), version)
            self._waiting[stream] = waiting
        waiting.events.append(_event(line, waiting.stream_id, version))
        waiting.lines.append(line.number)
        waiting.size += line.size
        self._bytes += line.size
        if len(waiting.events) == self._most:
            yield self._cut(stream)
        while self._bytes > MAX_WAITING_BYTES:
            yield self._cut(next(iter(self._waiting)))

    def flush(self) -> Iterator[Chunk]:
        """Yield what is still waiting."""
        while self._waiting:
            yield self._cut(next(iter(self._waiting)))

    def _cut(self, stream: StreamOf) -> Chunk:
        waiting = self._waiting.pop(stream)
        self._bytes -= waiting.size
        return Chunk(
            stream,
            waiting.stream_id,
            waiting.first,
            tuple(waiting.events),
            tuple(waiting.lines),
        )


def _event(line: Line, stream_id: StreamId, version: int) -> RawEvent:
    return RawEvent(
        uuid=_event_id(line, version),
        stream_id=stream_id,
        created_at=line.created_at,
        name=line.name,
        data=line.data,
        context={},
        version=version,
    )


def _event_id(line: Line, version: int) -> UUID:
    """Return the id that the same line in the same place of its stream gets in every run."""
    stream = line.stream
    identity = [stream.tenant_id, stream.category, stream.name, version]
    content = [line.name, line.created_at.isoformat(), line.data]
    text = json.dumps([identity, content], sort_keys=True, separators=(",", ":"))
    return uuid5(EVENT_NAMESPACE, text)
