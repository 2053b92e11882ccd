"""Gathers lines into chunks; each chunk becomes one commit, or a snapshot."""

from __future__ import annotations

import json
from collections import Counter, OrderedDict, deque
from dataclasses import KW_ONLY, dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Final, Self
from uuid import UUID, uuid5

from dynamo_es.cli.history.importing.lines import LineError
from dynamo_es.contracts.appends import StreamAppend
from dynamo_es.values import NO_VERSIONING, ExplicitVersioning, RawEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dynamo_es.cli.history.importing.lines import Line, StreamOf
    from dynamo_es.values import TenantId

EVENT_NAMESPACE: Final = UUID("d777914d-e1a4-4773-aea2-b3710d444742")
"""The namespace of event ids. If you change it, every history is imported a second time."""

BATCH: Final = 25
"""Chunks that fit into one request."""

MAX_CHUNK_BYTES: Final = 256 * 1024
"""Bytes of lines in one chunk: more might need two items, and two cost twice as much.

So only a chunk of a single line can take more than a commit carries.
"""

MAX_WAITING_BYTES: Final = 64 * 1024 * 1024
"""Bytes of lines that wait, so that memory stays flat."""

_canonical: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


@dataclass(slots=True)
class Chunk:
    """Events of one stream, in order, for one append; or a snapshot. It grows until it is taken."""

    stream: StreamOf
    first: int  # version of the first event, 1-based; its place if the stream has no versions
    versionless: bool = False  # whether the stream has no versions
    snapshot: bool = False  # whether the only event is a snapshot
    events: list[RawEvent] = field(default_factory=list)  # one or more
    lines: list[int] = field(default_factory=list)  # of each event, 1-based
    size: int = 0  # bytes of the lines
    taken: bool = False  # whether it has been, so that it does not grow any more

    @property
    def append(self) -> StreamAppend:
        """The append that stores the events."""
        expected = NO_VERSIONING if self.versionless else ExplicitVersioning(self.first - 1)
        return StreamAppend(self.stream.id, expected, self.events)

    def after(self, stored: int) -> Self | None:
        """Return the chunk of what is left when so many events are stored; None if all are."""
        if stored == len(self.events):
            return None
        events, lines = self.events[stored:], self.lines[stored:]
        return replace(self, first=self.first + stored, events=events, lines=lines)

    def add(self, line: Line, version: int) -> None:
        """Add the event of a line. Without an id, it gets one made of its content and place."""
        stream, at, uuid = self.stream, line.created_at, line.uuid
        if uuid is None:
            named = str(stream.id) if stream.id.name is None else stream.id.name
            identity = [stream.tenant_id, stream.id.category, named, version]
            content = [line.name, at.isoformat(), line.data]
            uuid = uuid5(EVENT_NAMESPACE, _canonical([identity, content]))
        place = None if self.versionless else version
        self.events.append(RawEvent(uuid, stream.id, at, line.name, line.data, line.context, place))
        self.lines.append(line.number)
        self.size += line.size

    def fits(self, line: Line) -> bool:
        """Whether one commit can hold a line too."""
        # The store refuses a commit that mixes times with and without a zone, or repeats an id.
        return (
            not (self.snapshot or line.snapshot)
            and self.versionless is line.versionless
            and (self.events[0].created_at.tzinfo is None) is (line.created_at.tzinfo is None)
            and (line.uuid is None or line.uuid not in [event.uuid for event in self.events])
            and self.size + line.size <= MAX_CHUNK_BYTES
        )


@dataclass
class Cutter:
    """Numbers the events of each stream, cuts them into chunks, and keeps these until taken."""

    events_per_commit: int  # at most
    _: KW_ONLY
    gather: bool = False  # a stream's events from all over the input; if not, consecutive lines
    streams: int = 1  # most streams whose chunks are taken at once; 1: in the order of the input
    waiting: int = 1  # chunks that wait before any is taken, unless streams are gathered

    def __post_init__(self) -> None:
        self.versions: Counter[StreamOf] = Counter()  # of the last event added
        # The chunks of each stream in order; the stream that waits longest first.
        self._waiting: dict[TenantId, OrderedDict[StreamOf, deque[Chunk]]] = {}
        self._newest: Chunk | None = None
        self._chunks = self._bytes = 0  # that wait

    @property
    def is_full(self) -> bool:
        """Whether chunks have to be taken before the next line is added."""
        grows = self._newest is not None and self._can_grow(self._newest)
        too_many = self._chunks - grows >= self.waiting and not self.gather
        return too_many or self._bytes > MAX_WAITING_BYTES

    def add(self, line: Line) -> list[Chunk]:
        """Add a line; return the chunks to store now: none until enough wait.

        Raises:
            LineError: The line has a version, and it is not the next one of its stream.
        """
        stream, version = line.stream, self.versions[line.stream] + 1
        if line.snapshot:
            version = line.version or 0
        elif line.version in (None, version):
            self.versions[stream] = version
        else:
            reason = f"the event has version {line.version}, but the next one is {version}"
            raise LineError(line.number, reason, stream)
        chunks = self._of_tenant(stream).setdefault(stream, deque())
        if not (chunks and self._can_grow(chunks[-1]) and chunks[-1].fits(line)):
            chunks.append(Chunk(stream, version, line.versionless, line.snapshot))
            self._chunks += 1
        self._newest = chunks[-1]
        self._newest.add(line, version)
        self._bytes += line.size
        return self.take() if self.is_full else []

    def _can_grow(self, chunk: Chunk) -> bool:
        is_next = self.gather or chunk is self._newest
        return is_next and not chunk.taken and len(chunk.events) < self.events_per_commit

    def put_back(self, chunks: Iterable[Chunk]) -> None:
        """Let chunks that were taken wait again, each before all others."""
        for chunk in chunks:
            streams = self._of_tenant(chunk.stream)
            streams.setdefault(chunk.stream, deque()).appendleft(chunk)
            streams.move_to_end(chunk.stream, last=False)
            self._chunks += 1
            self._bytes += chunk.size

    def _of_tenant(self, stream: StreamOf) -> OrderedDict[StreamOf, deque[Chunk]]:
        return self._waiting.setdefault(stream.tenant_id, OrderedDict())

    def take(self) -> list[Chunk]:
        """Return the next chunk of many streams, of the tenant with most; none if none waits.

        What would not fill a request waits for more.
        """
        if not self._waiting:
            return []
        streams = max(self._waiting.values(), key=len)
        order: Iterable[StreamOf] = streams
        if self.gather and self.is_full:  # those with a complete chunk go first
            order = sorted(streams, key=lambda stream: len(streams[stream]) < 2)  # noqa: PLR2004
        number = min(len(streams), self.streams)
        taken = []
        for stream in [*islice(order, number // BATCH * BATCH or number)]:
            chunks = streams.pop(stream)
            chunk = chunks.popleft()
            chunk.taken = True
            taken.append(chunk)
            self._bytes -= chunk.size
            if chunks:
                streams[stream] = chunks
        self._chunks -= len(taken)
        if not streams:
            del self._waiting[taken[0].stream.tenant_id]
        return taken

    def flush(self) -> Iterator[Chunk]:
        """Yield the chunks of all lines that wait."""
        while chunks := self.take():
            yield from chunks
