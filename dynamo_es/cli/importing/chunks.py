"""Gathers lines into chunks; each chunk becomes one commit."""

from __future__ import annotations

import json
from collections import Counter, OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self
from uuid import UUID, uuid5

from dynamo_es.values import RawEvent, StreamId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamo_es.cli.importing.lines import Line, StreamOf

EVENT_NAMESPACE: Final = UUID("d777914d-e1a4-4773-aea2-b3710d444742")
"""The namespace of event ids. If you change it, every history is imported a second time."""

MAX_CHUNK_BYTES: Final = 256 * 1024
"""Bytes of lines in one chunk: more might need two items, and two cost twice as much."""

MAX_WAITING_BYTES: Final = 64 * 1024 * 1024
"""Bytes of lines that wait for more of their streams; above it, the oldest chunks are cut."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Events of one stream, in order, for one append.

    Attributes:
        stream: which stream.
        stream_id: the stream's id in the store, within its tenant.
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
        """Return the chunk of the events at these indexes."""
        events, lines = self.events[begin:end], self.lines[begin:end]
        return replace(self, first=self.first + begin, events=events, lines=lines)


class Cutter:
    """Numbers the events of each stream and cuts them into chunks.

    It keeps one count per stream, and the waiting lines: those of one stream, or up to
    `MAX_WAITING_BYTES` if it gathers.

    Args:
        events_per_commit: most events of a chunk.
        gather: whether to gather a stream's events from all over the input. Otherwise a chunk
            holds consecutive lines, and chunks come in the order of the input.
    """

    def __init__(self, events_per_commit: int, *, gather: bool = False) -> None:
        self._most = events_per_commit
        self._gather = gather
        self._versions: dict[StreamOf, int] = {}  # of the last event that was cut
        self._waiting: OrderedDict[StreamOf, list[Line]] = OrderedDict()
        self._sizes: Counter[StreamOf] = Counter()
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
        """Add a line; yield the chunks that it completes."""
        stream = line.stream
        self._versions.setdefault(stream, 0)
        if stream not in self._waiting and not self._gather:
            yield from self.flush()
        if stream in self._waiting and not self._fits(line):
            yield self._cut(stream)
        self._waiting.setdefault(stream, []).append(line)
        self._sizes[stream] += line.size
        self._bytes += line.size
        if len(self._waiting[stream]) == self._most:
            yield self._cut(stream)
        while self._bytes > MAX_WAITING_BYTES:
            yield self._cut(next(iter(self._waiting)))

    def flush(self) -> Iterator[Chunk]:
        """Yield the chunks of the waiting lines."""
        while self._waiting:
            yield self._cut(next(iter(self._waiting)))

    def _fits(self, line: Line) -> bool:
        # The store refuses a commit that mixes times with and without a zone.
        first = self._waiting[line.stream][0]
        same_clock = (first.created_at.tzinfo is None) is (line.created_at.tzinfo is None)
        return same_clock and self._sizes[line.stream] + line.size <= MAX_CHUNK_BYTES

    def _cut(self, stream: StreamOf) -> Chunk:
        lines = self._waiting.pop(stream)
        self._bytes -= self._sizes.pop(stream)
        first = self._versions[stream] + 1
        self._versions[stream] += len(lines)
        stream_id = StreamId(name=stream.name, category=stream.category)
        numbered = enumerate(lines, first)
        events = tuple(_event(line, stream_id, version) for version, line in numbered)
        return Chunk(stream, stream_id, first, events, tuple(line.number for line in lines))


def _event(line: Line, stream_id: StreamId, version: int) -> RawEvent:
    """Return a line's event. Its id is the same in every run: derived from content and place."""
    stream = line.stream
    identity = [stream.tenant_id, stream.category, stream.name, version]
    content = [line.name, line.created_at.isoformat(), line.data]
    text = json.dumps([identity, content], sort_keys=True, separators=(",", ":"))
    uuid = uuid5(EVENT_NAMESPACE, text)
    return RawEvent(uuid, stream_id, line.created_at, line.name, line.data, {}, version)
