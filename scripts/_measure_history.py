"""What `scripts/measure-history` runs: imports, reads back, compares, counts."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from dynamo_es.cli.importing import Importer, Settings, open_source
from dynamo_es.cli.progress import watched
from dynamo_es.cli.story.stage import read_streams, set_stage
from dynamo_es.cli.story.steps import Comparison, compare_all
from dynamo_es.cli.terminal import print_json, results, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dynamo_es.cli.importing import Line, StreamOf, Summary

WAYS = {
    "3 events a commit": Settings(events_per_commit=3, gather=True, price=True),
    "as consecutive": Settings(price=True),
}


@dataclass(frozen=True, slots=True)
class Measurement:
    """One way to import the history, and what came of it."""

    summary: Summary
    comparison: Comparison
    read_units: float


def measure(
    file: Path, endpoint_url: str, settings: Settings, streams: Mapping[StreamOf, Sequence[Line]]
) -> Measurement:
    """Import a file into tables of its own, and read every stream back."""
    with set_stage(endpoint_url) as stage:
        with open_source(file) as source, watched(source) as progress:
            importer = Importer(
                stage.backend.storage,
                settings,
                meter=stage.meter,
                on_problem=lambda problem: tell(f"line {problem.line}: {problem.reason}"),
                on_progress=lambda: progress(importer.counts),
            )
            summary = importer.run(source)
        stage.meter.reset()
        comparison = compare_all(stage, streams)
        return Measurement(summary, comparison, stage.meter.spent.read_units)


def tabulate(measured: Mapping[str, Measurement]) -> Table:
    """Return the measurements side by side."""
    table = Table("", *measured, box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    rows: dict[str, Callable[[Measurement], str]] = {
        "events": lambda m: f"{m.summary.events:,}",
        "commits": lambda m: f"{m.summary.commits:,}",
        "streams": lambda m: f"{m.summary.streams:,}",
        "write units per event, as reported": lambda m: f"{m.summary.write_units_per_event:.4f}",
        "write units per event, as priced": lambda m: (
            f"{(m.summary.priced_units or 0) / m.summary.events:.4f}"
        ),
        "requests per event": lambda m: f"{m.summary.requests_per_event:.4f}",
        "HTTP attempts": lambda m: f"{m.summary.attempts:,}",
        "import, seconds": lambda m: f"{m.summary.seconds:.1f}",
        "events a second": lambda m: f"{m.summary.events_per_second:,.0f}",
        "read back, events": lambda m: f"{m.comparison.events:,}",
        "read back, requests per stream": lambda m: (
            f"{m.comparison.requests / m.comparison.streams:.3f}"
        ),
        "read back, read units per stream": lambda m: f"{m.read_units / m.comparison.streams:.2f}",
        "read back, seconds": lambda m: f"{m.comparison.seconds:.1f}",
        "streams that differ from the input": lambda m: f"{m.comparison.different:,}",
    }
    for name, figure in rows.items():
        table.add_row(name, *(figure(one) for one in measured.values()))
    return table


def main() -> int:
    """Measure every way, print the figures; 1 if anything differs from the input."""
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
    right = all(one.summary.clean and not one.comparison.different for one in measured.values())
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
