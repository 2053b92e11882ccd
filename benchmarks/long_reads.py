"""Measures the memory of a long read: event by event, and as a list."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.ours import Ours
from benchmarks.report import Goal, Section, Table
from benchmarks.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.engine import Engine

LIMIT_MB: Final = 25.0
SIZE: Final = 10
"""Number of events in a commit."""
WAYS: Final[Mapping[str, str]] = {"iterate": "`iter_events`", "load": "`fetch_events`"}
_ROOT: Final = Path(__file__).parents[1]
_LIMIT_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class Read:
    """One read of a whole stream, in a separate process.

    Attributes:
        events: number of events read.
        kilobytes: growth of the process's peak of resident memory.
        seconds: elapsed time.
        cpu_seconds: CPU time in that time.
    """

    events: int
    kilobytes: int
    seconds: float
    cpu_seconds: float


def measure(engine: Engine, lengths: Sequence[int]) -> dict[tuple[str, int], Read]:
    """Return the reads by way and length of the stream. The engine must not be in this process."""
    store = Ours(engine.config, engine.connect())
    sample = Sample()
    found = {}
    for length in lengths:
        name = f"long read of {length}"
        for at in range(0, length, SIZE):
            store.append(name, at, sample.take(min(SIZE, length - at)))
        for way in WAYS:
            found[way, length] = _read(engine, name, way)
    return found


def _read(engine: Engine, name: str, way: str) -> Read:
    config = {
        "events_table": engine.config.events_table,
        "log_table": engine.config.log_table,
        "keys_table": engine.config.keys_table,
        "endpoint_url": engine.endpoint_url,
        "region": engine.config.region,
    }
    command = [sys.executable, "-m", "benchmarks.programs.long_reader", json.dumps(config), name]
    run = subprocess.run(  # noqa: S603 - our own program
        [*command, way],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        timeout=_LIMIT_SECONDS,
        check=False,
    )
    if run.returncode:
        raise RuntimeError(f"The program long_reader failed: {run.stderr}")
    return Read(**json.loads(run.stdout))


def section(found: Mapping[tuple[str, int], Read]) -> Section:
    """Return the section on long reads."""
    rows = [
        [
            WAYS[way],
            f"{length:,}",
            f"{read.kilobytes / 1024:.1f}",
            f"{read.events / read.seconds:,.0f}",
            f"{read.cpu_seconds / read.events * 1e6:,.0f}",
        ]
        for (way, length), read in found.items()
    ]
    how = (
        f"A separate process reads a stream that is stored in commits of {SIZE}: event by event, "
        "or as one list. MB is the growth of its peak of resident memory, after other reads "
        "have loaded the libraries and opened the connections. The rate is over a real "
        "connection to the engine on the same machine."
    )
    headers = ["way", "events", "MB", "events a second", "µs of CPU an event"]
    most = max(read.kilobytes for (way, _), read in found.items() if way == "iterate")
    return Section(
        "Scaling: the memory of a long read",
        how,
        [Table(headers, rows)],
        "`iter_events` keeps two pages in memory, however long the stream is.",
        goals=[Goal("memory of a read event by event, in MB", most / 1024, LIMIT_MB)],
    )
