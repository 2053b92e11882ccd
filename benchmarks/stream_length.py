"""Measures the cost of appends and loads by the length of the stream."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.ours import Ours
from benchmarks.report import Goal, Plot, Section, Table
from benchmarks.sample import Sample, snapshot_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.engine import Engine
    from benchmarks.metering import Cost

EVENTS_PER_COMMIT: Final = 10
APPENDED: Final = 3
_LOADS: Final = 3


@dataclass(slots=True)
class AtLength:
    """The measurements for streams of one length.

    Attributes:
        append: cost of an append of 3 events by a process that remembers the head.
        append_seconds: CPU times of that append.
        cold: cost of an append by a process that has never read the stream.
        load: cost of loading all events.
        load_seconds: CPU time of that load.
        snapshot_load: cost of loading a snapshot and the events of 10 commits after it.
        snapshot_seconds: CPU time of that load.
    """

    append: Cost
    append_seconds: list[float]
    cold: Cost
    load: Cost
    load_seconds: float
    snapshot_load: Cost
    snapshot_seconds: float


def measure(engine: Engine, lengths: Sequence[int], rounds: int) -> dict[int, AtLength]:
    """Return the measurements by length of the stream."""
    store = Ours(engine.config, engine.connect())
    sample = Sample()
    for length in lengths:
        for at in range(0, length, EVENTS_PER_COMMIT):
            store.append(_stream(length), at, sample.take(EVENTS_PER_COMMIT))
    seconds: dict[int, list[float]] = {length: [] for length in lengths}
    appends: dict[int, Cost] = {}
    for number in range(rounds):
        for length in lengths:
            events = sample.take(APPENDED)
            version = length + number * APPENDED
            store.meter.take()
            begin = time.thread_time()
            store.append(_stream(length), version, events)
            seconds[length].append(time.thread_time() - begin)
            appends[length] = store.meter.take()
    return {
        length: _at(store, length, length + rounds * APPENDED, appends[length], seconds[length])
        for length in lengths
    }


def _at(store: Ours, length: int, version: int, append: Cost, seconds: list[float]) -> AtLength:
    sample, stream = Sample(), _stream(length)
    store.append_cold(stream, version, sample.take(APPENDED))
    cold = store.meter.take()
    load, load_seconds = _timed(store, lambda: store.load(stream))
    snapshot_version = version + APPENDED
    store.save_snapshot(stream, snapshot_version, snapshot_of(sample.take(100)))
    for at in range(10):
        store.append(stream, snapshot_version + at * APPENDED, sample.take(APPENDED))
    snapshot_load, snapshot_seconds = _timed(store, lambda: store.load(stream))
    return AtLength(append, seconds, cold, load, load_seconds, snapshot_load, snapshot_seconds)


def _timed(store: Ours, work: Callable[[], object]) -> tuple[Cost, float]:
    seconds = []
    cost = store.meter.take()
    for _ in range(_LOADS):
        begin = time.thread_time()
        work()
        seconds.append(time.thread_time() - begin)
        cost = store.meter.take()
    return cost, median(seconds)


def _stream(length: int) -> str:
    return f"stream of {length}"


def section(found: Mapping[int, AtLength]) -> Section:
    """Return the section on the length of streams."""
    rows = [
        [
            f"{length:,}",
            str(one.append),
            f"{median(one.append_seconds) * 1000:.1f}",
            str(one.cold),
            str(one.load),
            f"{one.load_seconds * 1000:.1f}",
            str(one.snapshot_load),
            f"{one.snapshot_seconds * 1000:.1f}",
        ]
        for length, one in found.items()
    ]
    how = (
        "The streams are written in commits of 10 events of the sample. Then come appends of 3 "
        "events, to each length in turn, an append by a process that has never read the stream, "
        "and loads: of the whole stream, and from a snapshot that is 10 commits of 3 before the "
        "head. Costs are requests · write units · read units, from the observer. Times are "
        "medians of the client's CPU time, here over a real connection, including the observer "
        "and the creation of the events, which the replays leave out, but without the engine's "
        "own work."
    )
    headers = [
        "events in the stream",
        "append",
        "ms",
        "append, cold",
        "load",
        "ms",
        "load from a snapshot",
        "ms",
    ]
    costs = {
        (one.append.requests, one.append.write_units, one.append.read_units)
        for one in found.values()
    }
    goal = Goal(
        "different costs of an append, over all lengths",
        len(costs),
        1,
        str(len(costs)),
        exact=True,
    )
    remarks = "An append costs the same at every length; a load grows with what it returns."
    lengths = list(found)
    plot = Plot(
        "stream-length",
        "CPU time by the length of the stream",
        "events in the stream",
        "ms of CPU",
        {
            "load": (lengths, [one.load_seconds * 1000 for one in found.values()]),
            "load from a snapshot": (
                lengths,
                [one.snapshot_seconds * 1000 for one in found.values()],
            ),
            "append": (lengths, [median(one.append_seconds) * 1000 for one in found.values()]),
        },
        log_x=True,
        log_y=True,
    )
    return Section(
        "Scaling: the length of a stream",
        how,
        [Table(headers, rows)],
        remarks,
        plots=[plot],
        goals=[goal],
    )
