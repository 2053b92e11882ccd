"""Gathers lines into chunks; each chunk becomes one commit, or a snapshot."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self
from uuid import UUID, uuid5

from dynamo_es.cli.importing.lines import MalformedLineError
from dynamo_es.values import RawEvent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynamo_es.cli.importing.lines import Line, StreamOf

EVENT_NAMESPACE: Final = UUID("d777914d-e1a4-4773-aea2-b3710d444742")
"""The namespace of event ids. If you change it, every history is imported a second time."""

_canonical: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode

MAX_CHUNK_BYTES: Final = 256 * 1024
"""Bytes of lines in one chunk: more might need two items, and two cost twice as much.

So only a chunk of a single line can take more than a commit carries.
"""

MAX_WAITING_BYTES: Final = 64 * 1024 * 1024
"""Bytes of lines that wait for more of their streams; above it, the oldest chunks are cut."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Events of one stream, in order, for one append; or a snapshot."""

    stream: StreamOf
    first: int  # version of the first event, 1-based; its place if the stream has no versions
    events: tuple[RawEvent, ...]  # one or more
    lines: tuple[int, ...]  # of each event, 1-based
    size: int = 0  # bytes of the lines
    versionless: bool = False  # whether the stream has no versions
    snapshot: bool = False  # whether the only event is a snapshot

    @property
    def last(self) -> int:
        """Version of the last event."""
        return self.first + len(self.events) - 1

    def after(self, stored: int) -> Self | None:
        """Return the chunk of what is left when so many events are stored; None if all are."""
        if stored == len(self.events):
            return None
        events, lines = self.events[stored:], self.lines[stored:]
        return replace(self, first=self.first + stored, events=events, lines=lines)


class Cutter:
    """Numbers the events of each stream and cuts them into chunks.

    It keeps one count per stream, and the waiting lines: those of one stream, or up to
    `MAX_WAITING_BYTES` if it gathers.

    Args:
        events_per_commit: most events of a chunk.
        gather: whether to gather a stream's events from all over the input. Otherwise a chunk
            holds consecutive lines, and chunks come in the order of the input.

    Attributes:
        versions: of the last event added, by stream.
    """

    def __init__(self, events_per_commit: int, *, gather: bool = False) -> None:
        self._most = events_per_commit
        self._gather = gather
        self.versions: Counter[StreamOf] = Counter()
        self._waiting: dict[StreamOf, list[Line]] = {}  # the stream that waits longest first
        self._bytes = 0

    def add(self, line: Line) -> Iterator[Chunk]:
        """Add a line; yield the chunks that it completes.

        Raises:
            MalformedLineError: The line has a version, and it is not the next one of its stream.
        """
        stream, waiting = line.stream, self._waiting
        version = self.versions[stream] + 1
        if not line.snapshot and line.version not in (None, version):
            raise MalformedLineError(
                f"the event has version {line.version}, but the next one of its stream is "
                f"{version}",
                stream,
            )
        if stream not in waiting and not self._gather:
            yield from self.flush()
        if stream in waiting and not _fits(waiting[stream], line):
            yield self._cut(stream)
        if line.snapshot:
            yield _chunk([line], line.version or 0)
            return
        self.versions[stream] = version
        waiting.setdefault(stream, []).append(line)
        self._bytes += line.size
        if len(waiting[stream]) == self._most:
            yield self._cut(stream)
        while self._bytes > MAX_WAITING_BYTES:
            yield self._cut(next(iter(waiting)))

    def flush(self) -> Iterator[Chunk]:
        """Yield the chunks of the waiting lines."""
        while self._waiting:
            yield self._cut(next(iter(self._waiting)))

    def _cut(self, stream: StreamOf) -> Chunk:
        lines = self._waiting.pop(stream)
        self._bytes -= sum(line.size for line in lines)
        return _chunk(lines, self.versions[stream] - len(lines) + 1)


def _fits(waiting: Sequence[Line], line: Line) -> bool:
    first = waiting[0]
    # The store refuses a commit that mixes times with and without a zone, or repeats an id.
    return (
        (first.created_at.tzinfo is None) is (line.created_at.tzinfo is None)
        and not line.snapshot
        and (line.uuid is None or line.uuid not in [one.uuid for one in waiting])
        and first.versionless is line.versionless
        and sum(one.size for one in waiting) + line.size <= MAX_CHUNK_BYTES
    )


def _chunk(lines: Sequence[Line], first: int) -> Chunk:
    of = lines[0]
    events = tuple(_event(line, version) for version, line in enumerate(lines, first))
    numbers = tuple(line.number for line in lines)
    size = sum(line.size for line in lines)
    return Chunk(of.stream, first, events, numbers, size, of.versionless, of.snapshot)


def _event(line: Line, version: int) -> RawEvent:
    """Return a line's event. Without an id of its own, it is derived from content and place."""
    stream, name, at = line.stream, line.name, line.created_at
    uuid = line.uuid
    if uuid is None:
        named = str(stream.id) if stream.id.name is None else stream.id.name
        identity = [stream.tenant_id, stream.id.category, named, version]
        content = [name, at.isoformat(), line.data]
        uuid = uuid5(EVENT_NAMESPACE, _canonical([identity, content]))
    place = None if line.versionless else version
    return RawEvent(uuid, stream.id, at, name, line.data, line.context, place)
