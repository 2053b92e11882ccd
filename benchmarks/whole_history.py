"""Measures the average cost of an event, by writing and reading a whole history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.layouts import PerEvent, Textbook
from benchmarks.operations import OURS, PER_EVENT, TEXTBOOK
from benchmarks.ours import Ours
from benchmarks.report import Goal, Section, Table
from benchmarks.sample import Sample
from benchmarks.workload import HISTORY_COMMIT_SIZES, run_history

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.engine import Engine
    from benchmarks.metering import Cost

LIMITS: Final = {3: 0.37, 10: 0.17}
"""By events in a commit, the limit of write units per event, from larger histories."""


def measure(engine: Engine, events: int) -> dict[tuple[str, int], tuple[Cost, Cost]]:
    """Return the costs of writing and of reading, by layout and size of commits."""
    ours = Ours(engine.config, engine.connect())
    textbook = Textbook(engine.connect(), engine.layout_table())
    per_event = PerEvent(engine.connect(), engine.layout_table())
    return {
        (name, size): run_history(store, size, events)
        for size in HISTORY_COMMIT_SIZES
        for name, store in ((OURS, ours), (TEXTBOOK, textbook), (PER_EVENT, per_event))
    }


def section(costs: Mapping[tuple[str, int], tuple[Cost, Cost]], events: int) -> Section:
    """Return the section on the history."""
    events = min(events, len(Sample()))
    streams = len(Sample().commits(1, events))
    rows = [
        [
            f"{name}, up to {size} a commit",
            f"{written.requests / events:.2f}",
            f"{written.write_units / events:.2f}",
            f"{read.requests / streams:.2f}",
            f"{read.read_units / streams:.2f}",
        ]
        for (name, size), (written, read) in costs.items()
    ]
    how = (
        f"The first {events:,} events of the package's sample, in {streams:,} streams, are "
        "appended stream by stream, in commits of up to 3 and of up to 10 events. Then every "
        "stream is read completely. Many streams are short, so the average commit is smaller "
        "than its limit."
    )
    headers = [
        "layout",
        "requests per event",
        "write units per event",
        "requests per stream read",
        "read units per stream read",
    ]
    goals = [
        Goal(
            f"write units per event, up to {size} a commit",
            costs[OURS, size][0].write_units / events,
            limit,
            exact=True,
        )
        for size, limit in LIMITS.items()
    ]
    return Section("A whole history", how, [Table(headers, rows)], goals=goals)
