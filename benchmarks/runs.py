"""Lists all measurements in the order of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import (
    append_cpu,
    async_appends,
    batch_costs,
    boundary_costs,
    choices,
    codec_cpu,
    cold_start,
    commit_size,
    contention,
    eventsourcing_rival,
    first_append,
    footprint,
    load_cpu,
    log_costs,
    log_cpu,
    log_rate,
    log_section,
    long_reads,
    operations,
    read_costs,
    stream_length,
    threads,
    tls_cpu,
    typed_cpu,
    whole_history,
)
from benchmarks.environments import NotRunError
from benchmarks.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.engine import Engine
    from benchmarks.report import Section
    from benchmarks.scale import Scale


def sections(
    engine: Engine, scale: Scale, history: Path | None = None
) -> list[tuple[str, Callable[[], Section]]]:
    """Return a title and a function for each section; the function measures and returns it.

    Args:
        engine: engine to measure on.
        scale: size of the run.
        history: file with the events for the log; None for the sample of the package.
    """
    rival = _Rival(engine, scale)
    runs: list[tuple[str, Callable[[], Section]]] = [
        (
            "appends and loads over TLS, CPU",
            lambda: tls_cpu.section(tls_cpu.measure(engine, scale)),
        ),
        ("operations", lambda: _operations(engine, rival)),
        ("whole history", lambda: _whole_history(engine, scale, rival)),
        (
            "log",
            lambda: log_section.section(
                log_costs.measure(engine, Sample(history), scale.log_events), given=bool(history)
            ),
        ),
        (
            "rate of the log",
            lambda: log_rate.section(log_rate.measure(engine, scale.log_pages, scale.log_rounds)),
        ),
        (
            "one boundary, many writers",
            lambda: contention.section(contention.measure(engine, scale)),
        ),
        ("append, CPU", lambda: append_cpu.section(append_cpu.measure(engine, scale))),
        ("load, CPU", lambda: load_cpu.section(load_cpu.measure(engine, scale))),
        ("log, CPU", lambda: log_cpu.section(log_cpu.measure(engine, scale))),
        ("typed events, CPU", lambda: typed_cpu.section(typed_cpu.measure(engine, scale))),
        ("coding, CPU", lambda: codec_cpu.section(codec_cpu.measure(scale))),
        (
            "length of streams",
            lambda: stream_length.section(
                stream_length.measure(engine, scale.lengths, scale.length_rounds)
            ),
        ),
        (
            "length of a boundary",
            lambda: boundary_costs.section(
                boundary_costs.measure(
                    engine, scale.lengths, scale.length_rounds, installs=scale.installs
                )
            ),
        ),
        (
            "reads",
            lambda: read_costs.section(
                read_costs.measure(engine, max(scale.lengths), scale.priced_appends),
                max(scale.lengths),
            ),
        ),
        (
            "choices",
            lambda: choices.section(choices.measure(engine, scale.priced_appends, history)),
        ),
        ("long reads", lambda: long_reads.section(long_reads.measure(engine, scale.lengths[-2:]))),
        (
            "size of commits",
            lambda: commit_size.section(commit_size.measure(engine, scale.commit_sizes)),
        ),
        (
            "threads",
            lambda: threads.section(threads.measure(engine, scale), scale.thread_seconds),
        ),
        ("asyncio", lambda: async_appends.section(async_appends.measure(scale))),
        ("batches", lambda: batch_costs.section(batch_costs.measure(engine, scale))),
        (
            "first append of a process",
            lambda: first_append.section(first_append.measure(scale.cold_starts)),
        ),
        ("cold start", lambda: cold_start.section(cold_start.measure(scale.cold_starts))),
    ]
    if scale.installs:
        runs.append(("size", lambda: footprint.section(footprint.measure())))
    return runs


class _Rival:
    """Runs eventsourcing-dynamodb once for two sections, or keeps the reason why it did not run."""

    def __init__(self, engine: Engine, scale: Scale) -> None:
        self._engine = engine
        self._scale = scale
        self.found: eventsourcing_rival.Found | None = None
        self.remark = "eventsourcing-dynamodb is part of a full run only."

    def run(self) -> None:
        if not self._scale.installs:
            return
        try:
            self.found = eventsourcing_rival.run(self._engine, self._scale.history_events)
            self.remark = self.found.remark()
        except NotRunError as error:
            self.remark = str(error)


def _operations(engine: Engine, rival: _Rival) -> Section:
    costs = operations.measure(engine)
    rival.run()
    if rival.found is not None:
        costs[eventsourcing_rival.NAME] = dict(rival.found.operations)
    return operations.section(costs, [rival.remark])


def _whole_history(engine: Engine, scale: Scale, rival: _Rival) -> Section:
    costs = whole_history.measure(engine, scale.history_events)
    if rival.found is not None:
        for size, cost in rival.found.histories.items():
            costs[eventsourcing_rival.NAME, size] = cost
    # By size first, so that compared rows are next to each other.
    ordered = dict(sorted(costs.items(), key=lambda entry: entry[0][1]))
    return whole_history.section(ordered, scale.history_events)
