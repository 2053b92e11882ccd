"""Measures the CPU time of typed events against that of raw ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from benchmarks.ours import stream_id
from benchmarks.pairing import time_in_turns
from benchmarks.replaying import recorded, replay
from benchmarks.report import Goal, Section, Table
from benchmarks.sample import Sample
from dynamo_es import DynamoBackend, Event, ExplicitVersioning, WrappedEvent
from dynamo_es.dynamodb.wire.client import make_client

if TYPE_CHECKING:
    from benchmarks.engine import Engine
    from benchmarks.pairing import Samples
    from benchmarks.scale import Scale

EVENTS_PER_COMMIT: Final = 10
TIMES_RAW: Final = 2
APPEND_TIMES_RAW: Final = 1.5
_RAW: Final = "fetch_events"
_TYPED: Final = "load_stream"
_APPEND_RAW: Final = "insert_events"
_APPEND: Final = "append"
_CALLS: Final = 2
_STREAM: Final = stream_id("typed")


class FileChanged(Event):
    """A small event: the change of a file by a Git commit."""

    __event_name__ = "benchmark.file-changed"

    commit: str
    lines_added: int | None
    lines_deleted: int | None
    renamed_from: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The measurements.

    Attributes:
        events: number of loaded events.
        loads: CPU times of loading all events.
        appends: CPU times of appending a commit.
    """

    events: int
    loads: Samples
    appends: Samples


def measure(engine: Engine, scale: Scale) -> Found:
    """Measure loads and appends of typed events, and the same of raw ones."""
    number = scale.loaded_events
    events = [FileChanged.model_validate(event.data) for event in Sample().take(number)]
    config = replace(engine.config, report_capacity=False)
    client = engine.connect()
    backend = DynamoBackend(config, client)
    store = backend.event_store
    for at in range(0, number, EVENTS_PER_COMMIT):
        commit = events[at : at + EVENTS_PER_COMMIT]
        store.append(*commit, stream_id=_STREAM, expected_version=at)
    with recorded(client) as loaded:
        found = store.load_stream(_STREAM)
    if [one.event for one in found] != events:
        raise RuntimeError("The loaded events are not the appended ones.")
    with recorded(client) as appended:
        store.append(*events[:EVENTS_PER_COMMIT], stream_id=_STREAM, expected_version=number)

    offline = replace(config, endpoint_url=None)
    reading, writing = make_client(offline), make_client(offline)
    replay(reading, loaded)
    replay(writing, appended)
    reader, writer = DynamoBackend(offline, reading), DynamoBackend(offline, writing)
    loads = {
        _RAW: lambda: reader.storage.fetch_events(_STREAM),
        _TYPED: lambda: reader.event_store.load_stream(_STREAM),
    }
    raws = backend.storage.fetch_events(_STREAM, number + 1)
    unnumbered = [replace(raw, version=None) for raw in raws]
    wrapped = [WrappedEvent(event) for event in events[:EVENTS_PER_COMMIT]]
    fresh = stream_id("typed, appended")
    bare = [replace(raw, stream_id=fresh) for raw in unnumbered]
    appends = {
        _APPEND_RAW: lambda: writer.storage.insert_events(fresh, ExplicitVersioning(0), bare),
        _APPEND: lambda: writer.event_store.append(*wrapped, stream_id=fresh),
    }
    return Found(
        number,
        time_in_turns(loads, rounds=scale.rounds, calls=_CALLS),
        time_in_turns(appends, rounds=scale.rounds, calls=10 * _CALLS),
    )


def section(found: Found) -> Section:
    """Return the section on typed events."""
    load, append = found.loads.ratio(_TYPED, _RAW), found.appends.ratio(_APPEND, _APPEND_RAW)
    how = (
        f"Events of a pydantic class with four fields, in commits of {EVENTS_PER_COMMIT}, timed "
        "like the load above. In addition to the work of `fetch_events`, `load_stream` "
        f"validates {found.events:,} of them. In addition to the work of `insert_events`, "
        "`append` converts a commit to JSON, and compares the events that would be loaded with "
        "the given ones."
    )
    rows = [
        [
            f"load {found.events:,} events",
            f"{found.loads.seconds(_RAW) * 1000:.1f} ms",
            f"{found.loads.seconds(_TYPED) * 1000:.1f} ms",
            str(load),
        ],
        [
            f"append {EVENTS_PER_COMMIT} events",
            f"{found.appends.seconds(_APPEND_RAW) * 1000:.2f} ms",
            f"{found.appends.seconds(_APPEND) * 1000:.2f} ms",
            str(append),
        ],
    ]
    table = Table(
        ["CPU", "storage", "typed", f"ratio (goals: {TIMES_RAW}, {APPEND_TIMES_RAW})"], rows
    )
    loading = Goal(
        f"CPU of loading {found.events:,} typed events, relative to raw ones",
        load.median,
        TIMES_RAW,
        f"{load.median:.2f}",
    )
    appending = Goal(
        f"CPU of appending {EVENTS_PER_COMMIT} typed events, relative to raw ones",
        append.median,
        APPEND_TIMES_RAW,
        f"{append.median:.2f}",
    )
    return Section("Client CPU: typed events", how, [table], goals=[loading, appending])
