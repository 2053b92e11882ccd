"""The event store that the demonstration runs on, and the history it imports."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from inspect import getdoc
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from dynamo_es.cli.importing import Defaults, Line, Meter, Source, StreamOf, parse_line
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.environment import AWS_DEFAULT_REGION, AWS_REGION
from dynamo_es.values import RawEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.table import Table

    from dynamo_es.contracts import StorageStrategy
    from dynamo_es.values import StreamId

    Seen = tuple[dict[str, Any], Table]
    """A step's result: as JSON, and as a table for people."""

SAMPLE: Final = "sample/history.jsonl.gz"


@dataclass(frozen=True, slots=True)
class Stage:
    """An empty event store, the history to import, and what the steps have seen so far."""

    backend: DynamoBackend
    meter: Meter  # the observer of the backend
    engine: str  # what answers the requests, in words
    streams: Mapping[StreamOf, Sequence[Line]]  # of the history
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)  # by the names of the steps

    def load(self, stream: StreamOf) -> list[RawEvent]:
        """Return all events of a stream."""
        return self.storage(stream).fetch_events(stream.id, start=1)

    def storage(self, stream: StreamOf) -> StorageStrategy:
        """Return the storage of the stream's tenant."""
        return self.backend.in_tenant(stream.tenant_id).storage


@contextmanager
def set_stage(
    endpoint_url: str | None, streams: Mapping[StreamOf, Sequence[Line]] | None = None
) -> Iterator[Stage]:
    """Open an empty store, and delete everything in it at the end.

    Args:
        endpoint_url: where DynamoDB answers; the tables are created there, and deleted at the
            end. None: an emulator in this process.
        streams: the history that the steps are about.
    """
    meter, streams = Meter(), streams or {}
    if endpoint_url is None:
        with DynamoBackend.local(meter, sequencing="stream") as backend:
            yield Stage(backend, meter, "an emulator of DynamoDB in this process", streams)
        return
    from dynamo_es.testing.engines import backend_at

    region = AWS_REGION.read() or AWS_DEFAULT_REGION.read() or "us-east-1"
    with backend_at(
        endpoint_url,
        prefix="dynamo-es-demo",
        observer=meter,
        region=region,
        sequencing="stream",
        report_capacity=True,
    ) as backend:
        prefix = backend.config.events_table.removesuffix("events")
        yield Stage(backend, meter, f"{endpoint_url}, tables {prefix}…", streams)


@contextmanager
def open_sample() -> Iterator[Source]:
    """Open the history that comes with the package."""
    with files("dynamo_es.cli").joinpath(SAMPLE).open("rb") as stream:
        yield Source(stream, "The sample history")


def read_streams(source: Source) -> dict[StreamOf, list[Line]]:
    """Return the lines of a history by stream, in order.

    Raises:
        MalformedLineError: A line is not an event.
    """
    streams: dict[StreamOf, list[Line]] = {}
    for number, text in enumerate(source, 1):
        line = parse_line(text, number, Defaults())
        streams.setdefault(line.stream, []).append(line)
    return streams


def an_event(
    stream_id: StreamId, name: str, data: dict[str, Any], version: int | None = None, **context: str
) -> RawEvent:
    """Return an event that happens now."""
    return RawEvent(uuid4(), stream_id, datetime.now(UTC), name, data, context, version)


def describe(step: Callable[[Stage], Seen]) -> tuple[str, str]:
    """Return a step's heading and its sentence, from its docstring."""
    title, _, sentence = (getdoc(step) or "").partition(".\n\n")
    return title, " ".join(sentence.split())


@dataclass(frozen=True, slots=True)
class Comparison:
    """All streams as stored, compared with the input; API calls and seconds are the reading's."""

    streams: int
    events: int
    different: int
    requests: int
    seconds: float


def compare_all(stage: Stage, streams: Mapping[StreamOf, Sequence[Line]]) -> Comparison:
    """Read every stream in full and compare it with its lines, event by event."""
    before, began = stage.meter.requests, time.monotonic()
    different = count = 0
    for stream, lines in streams.items():
        events = stage.load(stream)
        stored = [(event.version, event.name, event.created_at, event.data) for event in events]
        wanted = [(n, line.name, line.created_at, line.data) for n, line in enumerate(lines, 1)]
        different += stored != wanted
        count += len(events)
    requests = stage.meter.requests - before
    return Comparison(len(streams), count, different, requests, time.monotonic() - began)
