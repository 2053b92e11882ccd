"""What the steps of ``dynamo-es demo`` work with: a store, a history, and what they have seen."""

from __future__ import annotations

import gzip
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import uuid4

from rich.text import Text

from dynamo_es.cli.history.importing import Cutter, Defaults, Line, Meter, StreamOf, parse_line
from dynamo_es.cli.terminal.output import printable
from dynamo_es.cli.terminal.rendering import facts
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.testing.engines import backend_at
from dynamo_es.values import RawEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from dynamo_es.cli.history.importing import Chunk
    from dynamo_es.contracts import StorageStrategy
    from dynamo_es.values import StreamId

Streams: TypeAlias = "Mapping[StreamOf, Sequence[Line]]"
"""The lines of a history by stream, in order."""

EVENTS_PER_COMMIT: Final = 3
"""A command on an aggregate tends to cause about this many."""


class Seen:
    """What a step saw, told once: as lines for people, and as figures by name for JSON."""

    def __init__(self) -> None:
        self.table = facts()
        self.figures: dict[str, Any] = {}

    def fact(self, name: str, text: str, style: str = "", /, **new: Any) -> None:
        """Add figures, and a line whose text is a format string of all figures so far."""
        self.figures |= new
        self.table.add_row(name, Text(printable(text.format_map(self.figures)), style))


@dataclass(frozen=True, slots=True)
class Stage:
    """An event store, the history to import, and what the steps have seen so far."""

    backend: DynamoBackend
    meter: Meter  # the observer of the backend
    lines: Sequence[bytes]  # of the history
    streams: Streams  # of the history
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)  # figures by the steps' names

    def load(self, stream: StreamOf) -> list[RawEvent]:
        """Return all events of a stream."""
        return self.storage(stream).fetch_events(stream.id, start=1)

    def storage(self, stream: StreamOf) -> StorageStrategy:
        """Return the storage of the stream's tenant."""
        return self.backend.in_tenant(stream.tenant_id).storage


@contextmanager
def set_stage(endpoint_url: str | None, lines: Sequence[bytes] = ()) -> Iterator[Stage]:
    """Open an empty store, and delete everything in it at the end.

    Args:
        endpoint_url: where DynamoDB answers; None: an emulator in this process.
        lines: the history that the steps are about.
    """
    meter = Meter()
    settings: dict[str, Any] = {"region": None, "sequencing": "stream", "report_capacity": True}
    opened: AbstractContextManager[DynamoBackend] = (
        DynamoBackend.local(meter, sequencing="stream")
        if endpoint_url is None
        else backend_at(endpoint_url, prefix="dynamo-es-demo", observer=meter, **settings)
    )
    with opened as backend:
        yield Stage(backend, meter, lines, read_streams(lines))


def sample_lines() -> list[bytes]:
    """Return the history that comes with the package."""
    packed = files("dynamo_es.cli.demonstration").joinpath("sample/history.jsonl.gz").read_bytes()
    return gzip.decompress(packed).splitlines(keepends=True)


def read_streams(lines: Iterable[bytes]) -> Streams:
    """Return the lines of a history by stream.

    Raises:
        LineError: A line is not an event.
    """
    streams: dict[StreamOf, list[Line]] = {}
    for number, text in enumerate(lines, 1):
        line = parse_line(text, number, Defaults())
        streams.setdefault(line.stream, []).append(line)
    return streams


def commits_of(streams: Streams) -> Iterator[Chunk]:
    """Yield the commits of a history, stream by stream."""
    cutter = Cutter(EVENTS_PER_COMMIT)
    for line in chain.from_iterable(streams.values()):
        yield from cutter.add(line)
    yield from cutter.flush()


def an_event(
    stream_id: StreamId, name: str, data: dict[str, Any], version: int | None = None, **context: str
) -> RawEvent:
    """Return an event that happens now."""
    return RawEvent(uuid4(), stream_id, datetime.now(UTC), name, data, context, version)


def compare_all(stage: Stage, streams: Streams) -> dict[str, int]:
    """Read every stream in full, compare it with its lines, and return figures of both."""
    stage.meter.reset()
    equal = events = 0
    for stream, lines in streams.items():
        loaded = stage.load(stream)
        stored = [(event.version, event.name, event.created_at, event.data) for event in loaded]
        wanted = [(n, line.name, line.created_at, line.data) for n, line in enumerate(lines, 1)]
        equal += stored == wanted
        events += len(loaded)
    compared = {"streams": len(streams), "equal": equal, "different": len(streams) - equal}
    return {"events": events, **compared, "requests": stage.meter.requests}
