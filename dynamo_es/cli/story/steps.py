"""What happens in the demonstration, step by step; each returns what it saw."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from dynamo_es.cli.importing import Importer, Line, Settings, StreamOf
from dynamo_es.cli.story.stage import id_of, open_sample
from dynamo_es.exceptions import ConcurrentStreamWriteError
from dynamo_es.values import ExplicitVersioning, RawEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dynamo_es.cli.importing import Summary
    from dynamo_es.cli.story.stage import Stage

EVENTS_PER_COMMIT: Final = 3
"""What a command of an aggregate tends to cause."""

CONTESTED: Final = StreamOf("python-event-sourcery", "file", "pyproject.toml")
LONG: Final = StreamOf("equinox", "file", "README.md")
DELETED: Final = StreamOf("cqrs", "file", "README.md")
AFTER_SNAPSHOT: Final = 8
"""Events that are newer than the snapshot."""


def import_sample(stage: Stage) -> Summary:
    """Import the sample, each stream's events in commits of three."""
    settings = Settings(events_per_commit=EVENTS_PER_COMMIT, gather=True, price=True)
    with open_sample() as source:
        return Importer(stage.backend.storage, settings, meter=stage.meter).run(source)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was read back, beside the input.

    Attributes:
        streams: streams read, from version 1 to their end.
        events: events in them.
        different: streams that are not what the input says.
        requests: API calls that took.
        seconds: how long it took.
    """

    streams: int
    events: int
    different: int
    requests: int
    seconds: float


def compare_all(stage: Stage, streams: Mapping[StreamOf, Sequence[Line]]) -> Comparison:
    """Read every stream in full and compare it with its lines, event by event."""
    before = stage.meter.spent.requests
    began = time.monotonic()
    different = count = 0
    for stream, lines in streams.items():
        events = stage.storage(stream).fetch_events(id_of(stream), start=1)
        stored = [(event.version, event.name, event.created_at, event.data) for event in events]
        wanted = [
            (version, line.name, line.created_at, line.data)
            for version, line in enumerate(lines, 1)
        ]
        different += stored != wanted
        count += len(events)
    return Comparison(
        streams=len(streams),
        events=count,
        different=different,
        requests=stage.meter.spent.requests - before,
        seconds=time.monotonic() - began,
    )


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two writers, of whom one came too late.

    Attributes:
        stream: the stream both wrote to.
        loaded: its version when both loaded it.
        error: type of the error that the later one got.
        message: its text.
        ended: the stream's version after the later one had loaded it again and appended.
    """

    stream: str
    loaded: int
    error: str
    message: str
    ended: int


def provoke_conflict(stage: Stage) -> Conflict:
    """Have two writers append behind the same version."""
    stream_id, storage = id_of(CONTESTED), stage.storage(CONTESTED)
    loaded = len(storage.fetch_events(stream_id, start=1))
    storage.insert_events(stream_id, ExplicitVersioning(loaded), [_event(CONTESTED, by="Ann")])
    late = [_event(CONTESTED, by="Bob")]
    try:
        storage.insert_events(stream_id, ExplicitVersioning(loaded), late)
    except ConcurrentStreamWriteError as error:
        refused = error
    else:
        raise AssertionError("the later writer was not refused")
    current = len(storage.fetch_events(stream_id, start=1))
    storage.insert_events(stream_id, ExplicitVersioning(current), late)
    return Conflict(
        stream=str(CONTESTED),
        loaded=loaded,
        error=type(refused).__name__,
        message=str(refused),
        ended=len(storage.fetch_events(stream_id, start=1)),
    )


@dataclass(frozen=True, slots=True)
class Load:
    """One load of a stream, and the state it leads to.

    Attributes:
        events: events read, a snapshot counted as one.
        requests: API calls.
        bytes_read: bytes of the replies.
        milliseconds: how long it took.
        state: what the events add up to.
    """

    events: int
    requests: int
    bytes_read: int
    milliseconds: float
    state: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A stream loaded in both ways.

    Attributes:
        stream: which stream.
        version: version of its snapshot.
        replay: all events, from version 1.
        load: the snapshot and what follows it.
    """

    stream: str
    version: int
    replay: Load
    load: Load


def use_snapshot(stage: Stage) -> Snapshot:
    """Save a snapshot of a long stream, then load with it and without."""
    stream_id, storage = id_of(LONG), stage.storage(LONG)
    history = storage.fetch_events(stream_id, start=1)
    replay = _load(stage, history)
    version = len(history) - AFTER_SNAPSHOT
    storage.save_snapshot(
        RawEvent(
            uuid=uuid4(),
            stream_id=stream_id,
            created_at=datetime.now(UTC),
            name="FileState",
            data=fold(history[:version]),
            context={},
            version=version,
        )
    )
    load = _load(stage, storage.fetch_events(stream_id))
    return Snapshot(stream=str(LONG), version=version, replay=replay, load=load)


def fold(events: Iterable[RawEvent]) -> dict[str, Any]:
    """Return what a file's events add up to; a snapshot is a state to go on from."""
    state = {"changes": 0, "lines": 0}
    for event in events:
        if event.name == "FileState":
            state = dict(event.data)
        else:
            state["changes"] += 1
            state["lines"] += event.data["lines_added"] - event.data["lines_deleted"]
    return state


@dataclass(frozen=True, slots=True)
class Tenants:
    """Streams of one id in several tenants.

    Attributes:
        stream_id: the UUID that they share.
        before: events of each tenant's stream.
        deleted: the tenant whose stream was deleted then.
        after: events of each tenant's stream after that.
    """

    stream_id: str
    before: dict[str, int]
    deleted: str
    after: dict[str, int]


def separate_tenants(stage: Stage, streams: Iterable[StreamOf]) -> Tenants:
    """Delete one tenant's stream, and look at those of the same id in the others."""
    same = [stream for stream in streams if id_of(stream) == id_of(DELETED)]
    before = {stream.tenant_id: _length(stage, stream) for stream in same}
    stage.storage(DELETED).delete_stream(id_of(DELETED))
    return Tenants(
        stream_id=str(id_of(DELETED)),
        before=before,
        deleted=DELETED.tenant_id,
        after={stream.tenant_id: _length(stage, stream) for stream in same},
    )


def _length(stage: Stage, stream: StreamOf) -> int:
    return len(stage.storage(stream).fetch_events(id_of(stream), start=1))


def _load(stage: Stage, events: Sequence[RawEvent]) -> Load:
    report = stage.meter.last  # of the call that returned these events
    return Load(
        events=len(events),
        requests=report.requests,
        bytes_read=report.bytes_read,
        milliseconds=report.duration * 1000,
        state=fold(events),
    )


def _event(stream: StreamOf, by: str) -> RawEvent:
    return RawEvent(
        uuid=uuid4(),
        stream_id=id_of(stream),
        created_at=datetime.now(UTC),
        name="FileModified",
        data={"commit": "0" * 40, "lines_added": 1, "lines_deleted": 0},
        context={"by": by},
    )
