"""The steps on plain events. A step's docstring is its heading and its sentence."""

from __future__ import annotations

from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from dynamo_es.cli.demonstration.stage import an_event, compare_all, describe, open_sample
from dynamo_es.cli.importing import Cutter, Importer, Settings, StreamOf
from dynamo_es.cli.terminal.rendering import count, facts, figures
from dynamo_es.dynamodb.wire.sizes import item_size, write_units
from dynamo_es.exceptions import ConcurrentStreamWriteError
from dynamo_es.testing import Fault, Network
from dynamo_es.values import ExplicitVersioning, RawEvent, StreamId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from dynamo_es.cli.demonstration.stage import Seen, Stage
    from dynamo_es.cli.importing import Chunk

EVENTS_PER_COMMIT: Final = 3
"""A command on an aggregate tends to cause about this many."""

CONTESTED: Final = StreamOf.named("python-event-sourcery", "file", "pyproject.toml")
LONG: Final = StreamOf.named("equinox", "file", "README.md")
DELETED: Final = StreamOf.named("cqrs", "file", "README.md")
AFTER_SNAPSHOT: Final = 8
"""Events that are newer than the snapshot."""


def import_sample(stage: Stage) -> Seen:
    """A real history goes in.

    The changes of files in four Git repositories, in commits of three events of a stream.
    """
    settings = Settings(events_per_commit=EVENTS_PER_COMMIT, gather=True)
    with open_sample() as source:
        done = Importer(stage.backend.storage, settings, meter=stage.meter).run(source)
    return done.document(), facts(
        ("stored", f"{count(done.events, 'event')} in {count(done.commits, 'commit')}"),
        ("streams", f"{done.streams:,} of {count(done.tenants, 'tenant')}"),
        ("requests", f"{done.requests:,}: one PutItem for each commit"),
        ("time", f"{done.seconds:.1f} s"),
    )


def compare(stage: Stage) -> Seen:
    """The history comes out again.

    Every stream is read back and compared with the input, event by event.
    """
    seen = compare_all(stage, stage.streams)
    result = Text(f"all {seen.streams:,} streams are equal to the input", style="green")
    if seen.different:
        result = Text(f"differs from the input: {count(seen.different, 'stream')}", "bold red")
    return asdict(seen), facts(
        ("read", f"{count(seen.events, 'event')} of {count(seen.streams, 'stream')}"),
        ("requests", f"{seen.requests:,}"),
        ("result", result),
    )


def provoke_conflict(stage: Stage) -> Seen:
    """Two writers, one version.

    Both load the same version; the second append is refused.
    """
    stream_id, storage = CONTESTED.id, stage.storage(CONTESTED)
    loaded = len(stage.load(CONTESTED))
    data = {"commit": "0" * 40, "lines_added": 1, "lines_deleted": 0}
    ann, bob = (an_event(stream_id, "FileModified", data, by=by) for by in ("Ann", "Bob"))
    storage.insert_events(stream_id, ExplicitVersioning(loaded), [ann])
    try:
        storage.insert_events(stream_id, ExplicitVersioning(loaded), [bob])
    except ConcurrentStreamWriteError as error:
        refused = error
    else:
        raise AssertionError("the later writer was not refused")
    current = len(stage.load(CONTESTED))
    storage.insert_events(stream_id, ExplicitVersioning(current), [bob])
    seen = {
        "stream": str(CONTESTED),
        "loaded": loaded,
        "error": type(refused).__name__,
        "message": str(refused),
        "ended": len(stage.load(CONTESTED)),
    }
    return seen, facts(
        ("both load", f"{CONTESTED} at version {loaded}"),
        ("Ann", f"appends version {loaded + 1}"),
        ("Bob", Text(f"{seen['error']}: {refused}", style="yellow")),
        ("Bob again", f"loads, decides, appends version {seen['ended']}"),
    )


def use_snapshot(stage: Stage) -> Seen:
    """A long stream, a snapshot.

    The same state, from a part of the history.
    """
    stream_id, storage = LONG.id, stage.storage(LONG)
    history = stage.load(LONG)
    replay = _loaded(stage, history)
    version = len(history) - AFTER_SNAPSHOT
    state = fold(history[:version])
    storage.save_snapshot(an_event(stream_id, "FileState", state, version=version))
    load = _loaded(stage, storage.fetch_events(stream_id))
    table = figures("", "full replay", f"from the snapshot at {version}")
    _side_by_side(table, replay, load, {"events": ",", "requests": ",", "milliseconds": ".1f"})
    _side_by_side(table, replay["state"], load["state"], dict.fromkeys(state, ","))
    return {"stream": str(LONG), "version": version, "replay": replay, "load": load}, table


def separate_tenants(stage: Stage) -> Seen:
    """Same stream id, other tenant.

    Tenants never see each other's streams.
    """
    same = [stream for stream in stage.streams if stream.id == DELETED.id]
    before = {stream.tenant_id: len(stage.load(stream)) for stream in same}
    stage.storage(DELETED).delete_stream(DELETED.id)
    after = {stream.tenant_id: len(stage.load(stream)) for stream in same}
    table = figures("tenant", "events", f"after {DELETED.tenant_id} deletes its stream")
    for tenant, length in before.items():
        table.add_row(tenant, f"{length:,}", f"{after[tenant]:,}")
    seen = {"before": before, "deleted": DELETED.tenant_id, "after": after}
    return {"stream_id": str(DELETED.id), **seen}, table


def lose_a_reply(stage: Stage) -> Seen:
    """A lost reply.

    DynamoDB carries the write out, the reply gets lost, the SDK sends the write again. The store
    recognizes its own commit.
    """
    stream_id, storage = StreamId(category="order"), stage.backend.storage
    event = an_event(stream_id, "OrderPlaced", {"total": 1200})
    network = Network(stage.backend.client)
    network.plan(lambda sent: Fault.LOST_REPLY if sent == 0 else None)
    with network.between():
        storage.insert_events(stream_id, ExplicitVersioning(0), [event])
    report = stage.meter.last
    seen: dict[str, Any] = {
        "lost": network.injected[Fault.LOST_REPLY],
        "requests": report.requests,
        "attempts": report.attempts,
        "stored": len(storage.fetch_events(stream_id, start=1)),
        "error": None if report.error is None else str(report.error),
    }
    return seen, facts(
        ("reply lost", count(seen["lost"], "time")),
        ("sent", f"{count(report.attempts, 'time')}, in {count(report.requests, 'request')}"),
        ("append", seen["error"] or "success"),
        ("stored", count(seen["stored"], "time")),
    )


def make_bill(stage: Stage) -> Seen:
    """The bill.

    The textbook design has an item per event (pk, sk, event_id, event_type, created_at, data as a
    map). The events of a commit go into one TransactWriteItems, which DynamoDB charges double; a
    commit of a single event is a PutItem. Same events, same commits, same size rules.
    """
    done = stage.seen["import"]
    cutter = Cutter(EVENTS_PER_COMMIT, gather=True)
    lines = chain.from_iterable(stage.streams.values())
    commits = [*chain.from_iterable(map(cutter.add, lines)), *cutter.flush()]
    ours = _per_event(done["events"], done["requests"], round(done["write_units"]))
    theirs = _per_event(done["events"], len(commits), sum(map(textbook_units, commits)))
    rows = {"requests_per_event": ".2f", "write_units_per_event": ".2f", "write_units": ","}
    table = _side_by_side(figures("", "dynamo_es", "textbook"), ours, theirs, rows)
    seen = {"events": done["events"], "commits": len(commits), "dynamo_es": ours}
    return {**seen, "textbook": theirs, "assumption": describe(make_bill)[1]}, table


def _per_event(events: int, requests: int, units: int) -> dict[str, Any]:
    rates = {"requests_per_event": requests / events, "write_units_per_event": units / events}
    return {"requests": requests, "write_units": units, **rates}


def textbook_units(chunk: Chunk) -> int:
    """Return the write units of a commit that stores one item per event."""
    transactional = len(chunk.events) > 1
    sizes = map(item_size, textbook_items(chunk))
    return sum(write_units(size, transactional=transactional) for size in sizes)


def textbook_items(chunk: Chunk) -> list[dict[str, Any]]:
    """Return the items of a commit in the wire format, one per event."""
    from boto3.dynamodb.types import TypeSerializer

    serialize = TypeSerializer().serialize
    key = f"{chunk.stream.tenant_id}#{chunk.stream.id.category}#{chunk.stream.id}"
    return [
        {
            "pk": {"S": key},
            "sk": {"N": str(version)},
            "event_id": {"S": str(event.uuid)},
            "event_type": {"S": event.name},
            "created_at": {"S": event.created_at.isoformat()},
            "data": serialize(event.data),
        }
        for version, event in enumerate(chunk.events, chunk.first)
    ]


def fold(events: Iterable[RawEvent]) -> dict[str, Any]:
    """Return the state that a file's events lead to; a snapshot is a state to go on from."""
    state = {"changes": 0, "lines": 0}
    for event in events:
        if event.name == "FileState":
            state = dict(event.data)
        else:
            state["changes"] += 1
            state["lines"] += event.data["lines_added"] - event.data["lines_deleted"]
    return state


def _loaded(stage: Stage, events: list[RawEvent]) -> dict[str, Any]:
    report = stage.meter.last  # of the call that returned these events
    cost = {"requests": report.requests, "milliseconds": report.duration * 1000}
    return {"events": len(events), **cost, "state": fold(events)}


def _side_by_side(
    table: Table, left: dict[str, Any], right: dict[str, Any], rows: dict[str, str]
) -> Table:
    """Add a row for each figure: its name, and how to print it."""
    for name, form in rows.items():
        table.add_row(name.replace("_", " "), f"{left[name]:{form}}", f"{right[name]:{form}}")
    return table
