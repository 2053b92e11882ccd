"""Runs as `scripts/measure-history`: imports a history, reads it back, and replays its log."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import chain
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from dynamo_es.cli.demonstration.stage import compare_all, read_streams, set_stage
from dynamo_es.cli.history.importing import Chunk, Cutter, Importer, Settings, open_source
from dynamo_es.cli.terminal.output import print_json, results, tell
from dynamo_es.cli.terminal.progress import ticking, watched
from dynamo_es.dynamodb.maintenance.repair import repair
from dynamo_es.dynamodb.maintenance.verify import verify
from dynamo_es.values import ExplicitVersioning

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dynamo_es.cli.demonstration.stage import Stage
    from dynamo_es.cli.history.importing import Line, StreamOf, Summary

WAYS = {
    "3 events a commit": Settings(events_per_commit=3, gather=True),
    "as consecutive": Settings(),
}


@dataclass(frozen=True, slots=True)
class Replay:
    """Figures of the log: a scan writes it, a subscription reads it, and it is verified."""

    pages: int
    write_units: float
    requests: int
    read_units: float
    events: int
    seconds: float
    sound: bool


@dataclass(frozen=True, slots=True)
class Measurement:
    """Figures of an import of the history with one setting."""

    summary: Summary
    priced_units: int
    comparison: dict[str, int]
    read_units: float
    read_seconds: float
    replay: Replay

    @property
    def replay_limit(self) -> float:
        """The most requests that a replay should send."""
        return 1.05 * (self.replay.pages + ceil(self.summary.commits / 100))


def measure(
    file: Path, endpoint_url: str, settings: Settings, streams: Mapping[StreamOf, Sequence[Line]]
) -> Measurement:
    """Import a file into new tables, read every stream back, and replay the log."""
    with set_stage(endpoint_url) as stage:
        with open_source(file) as source, watched("0 events") as show:
            importer = Importer(
                stage.backend.storage,
                settings,
                meter=stage.meter,
                on_problem=lambda problem: tell(f"line {problem.line}: {problem.reason}"),
                on_progress=show,
            )
            summary = importer.run(source)
        began = time.perf_counter()
        comparison = compare_all(stage, streams)
        seconds, read_units = time.perf_counter() - began, stage.meter.read_units
        commits = commits_of(streams, settings)
        units, replayed = priced(stage, commits), replay(stage, summary.events)
        return Measurement(summary, units, comparison, read_units, seconds, replayed)


def commits_of(streams: Mapping[StreamOf, Sequence[Line]], settings: Settings) -> list[Chunk]:
    """Return the commits that an import of the history appends."""
    cutter = Cutter(settings.events_per_commit, gather=settings.gather)
    lines = sorted(chain.from_iterable(streams.values()), key=lambda line: line.number)
    return [*chain.from_iterable(map(cutter.add, lines)), *cutter.flush()]


def priced(stage: Stage, commits: Sequence[Chunk]) -> int:
    """Return the write units of commits by AWS's size rules, which engines may not report."""
    return sum(
        stage.storage(one.stream)
        .append_cost(one.stream.id, ExplicitVersioning(one.first - 1), one.events)
        .write_units
        for one in commits
    )


def replay(stage: Stage, events: int) -> Replay:
    """Give every commit its position, and read all of them through a subscription."""
    backend, meter = stage.backend, stage.meter
    meter.reset()
    with ticking("Sequencing") as tick:
        repair(
            backend.config,
            lambda: backend.client,
            meter,
            on_progress=lambda done: tick(f"{done.positions:,} positions given"),
        )
    write_units = meter.write_units
    meter.reset()
    began = time.perf_counter()
    seen = 0
    for batch in backend.subscriptions.subscribe_to_all(0, 1000, timedelta(seconds=0.5)):
        seen += len(batch)
        if seen >= events or not batch:
            break
    seconds = time.perf_counter() - began
    found = verify(backend.config, lambda: backend.client)
    sound = found.sound and not found.not_sequenced
    return Replay(found.pages, write_units, meter.requests, meter.read_units, seen, seconds, sound)


def tabulate(measured: Mapping[str, Measurement]) -> Table:
    """Return the measurements side by side."""
    table = Table("", *measured, box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    rows: dict[str, Callable[[Measurement], str]] = {
        "events": lambda m: f"{m.summary.events:,}",
        "commits": lambda m: f"{m.summary.commits:,}",
        "streams": lambda m: f"{m.summary.streams:,}",
        "write units per event, as reported": lambda m: (
            f"{m.summary.per_event(m.summary.write_units):.4f}"
        ),
        "write units per event, as priced": lambda m: f"{m.priced_units / m.summary.events:.4f}",
        "requests per event": lambda m: f"{m.summary.per_event(m.summary.requests):.4f}",
        "HTTP attempts": lambda m: f"{m.summary.attempts:,}",
        "import, seconds": lambda m: f"{m.summary.seconds:.1f}",
        "events a second": lambda m: f"{m.summary.events_per_second:,.0f}",
        "read back, events": lambda m: f"{m.comparison['events']:,}",
        "read back, requests per stream": lambda m: (
            f"{m.comparison['requests'] / m.comparison['streams']:.3f}"
        ),
        "read back, read units per stream": lambda m: (
            f"{m.read_units / m.comparison['streams']:.2f}"
        ),
        "read back, seconds": lambda m: f"{m.read_seconds:.1f}",
        "log, write units per event": lambda m: f"{m.replay.write_units / m.summary.events:.4f}",
        "log, pages": lambda m: f"{m.replay.pages:,}",
        "log replayed, events": lambda m: f"{m.replay.events:,}",
        "log replayed, requests": lambda m: f"{m.replay.requests:,}",
        "  and at most, pages + commits / 100 + 5 %": lambda m: f"{m.replay_limit:,.0f}",
        "log replayed, read units": lambda m: f"{m.replay.read_units:,.0f}",
        "log replayed, events a second": lambda m: f"{m.replay.events / m.replay.seconds:,.0f}",
        "log, sound and complete": lambda m: "yes" if m.replay.sound else "no",
        "streams that differ from the input": lambda m: f"{m.comparison['different']:,}",
    }
    for name, figure in rows.items():
        table.add_row(name, *(figure(one) for one in measured.values()))
    return table


def main() -> int:
    """Measure every setting, print the figures; return 1 if a stream differs or costs too much."""
    parser = argparse.ArgumentParser(prog="scripts/measure-history")
    parser.add_argument("file", type=Path)
    parser.add_argument("endpoint_url")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with open_source(arguments.file) as source:
        streams = read_streams(source)
    measured = {}
    for name, settings in WAYS.items():
        tell(f"{name} …")
        measured[name] = measure(arguments.file, arguments.endpoint_url, settings, streams)
    if arguments.json:
        print_json({name: asdict(one) for name, one in measured.items()})
    else:
        results().print(tabulate(measured))
    right = all(
        one.summary.clean
        and not one.comparison["different"]
        and one.replay.sound
        and one.replay.events == one.summary.events
        and one.replay.requests <= one.replay_limit
        for one in measured.values()
    )
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
