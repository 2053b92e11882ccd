"""Measures the cost of reads: from a snapshot, of a range in the middle, of a whole stream."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.ours import Ours
from benchmarks.report import Goal, Section, Table
from benchmarks.sample import Sample, snapshot_of
from benchmarks.workload import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.engine import Engine
    from benchmarks.metering import Cost

SIZE: Final = 3
"""Number of events in a commit, unless a row says otherwise."""
AFTER_SNAPSHOT: Final = (2, 3, 4, 5)
"""Numbers of commits after the snapshot."""
MANY_AFTER: Final = 60
WHOLE: Final = 99
LONG_COMMITS: Final = 10
LOADS_AN_APPEND: Final = 10
COMMITS_A_SNAPSHOT: Final = 5
WRITE_DOLLARS: Final = 0.625e-6
"""On-demand price of a write request unit in us-east-1."""
READ_DOLLARS: Final = 0.125e-6
"""On-demand price of a read request unit in us-east-1."""

WARM: Final = "load, snapshot and 2 to 5 commits of 3, the mean"
COLD: Final = "the same, by a process that never saw the stream, the mean"
TAIL: Final = f"load, snapshot and {MANY_AFTER} commits of 3"
LOW: Final = "append that expects version 5 at version 10"


class Row(NamedTuple):
    """The cost of an operation.

    Attributes:
        requests: number of requests, or its mean.
        units: read units, or their mean.
    """

    requests: float
    units: float


class Found(NamedTuple):
    """The measurements.

    Attributes:
        rows: costs by operation.
        dollars: price of a million events: their appends, each with ten loads from a snapshot.
        snapshot_dollars: additional price of the snapshots.
    """

    rows: Mapping[str, Row]
    dollars: float
    snapshot_dollars: float


LIMITS: Final[Mapping[str, Row]] = {
    WARM: Row(1, 1.5),
    COLD: Row(1, 2),
    TAIL: Row(2, 15),
    # Smaller commits take more units, because each item has the stream's name.
    f"load of {WHOLE} events in commits of 1": Row(1, 8),
    f"load of {WHOLE} events in commits of 3": Row(1, 6),
    f"load of {WHOLE} events in commits of 10": Row(1, 4),
    LOW: Row(1, 1),
}
"""By operation, the limits of requests and read units. A range in the middle may take 2 and 3."""


def measure(engine: Engine, length: int, appends: int) -> Found:
    """Measure the costs.

    Args:
        engine: engine to measure on.
        length: number of events in the stream whose middle is read.
        appends: number of appends from which the price of a million events is derived.
    """
    store = Ours(engine.config, engine.connect())
    sample = Sample()
    rows: dict[str, Row] = {}
    warm, cold = [], []
    for commits in AFTER_SNAPSHOT:
        name = f"snapshot and {commits}"
        _with_snapshot(store, sample, name, commits)
        warm.append(_cost(store, partial(store.load, name)))
        cold.append(_cost(store, partial(store.load_cold, name)))
    rows[WARM], rows[COLD] = _mean(warm), _mean(cold)
    _with_snapshot(store, sample, TAIL, MANY_AFTER)
    rows[TAIL] = _mean([_cost(store, lambda: store.load(TAIL))])
    for size in (1, 3, 10):
        name = f"load of {WHOLE} events in commits of {size}"
        sample.rewind()
        stream = f"commits of {size}"
        _append(store, sample, stream, WHOLE, size)
        rows[name] = _mean([_cost(store, partial(store.load, stream))])
    _append(store, sample, LOW, 10, 1)
    rows[LOW] = _mean([_cost(store, lambda: _append_at(store, sample, LOW, 5))])
    first = length // 2 + 1
    _append(store, sample, "long", length, LONG_COMMITS)
    rows[middle_of(length)] = _mean(
        [_cost(store, lambda: store.load_range("long", first, first + LONG_COMMITS))]
    )
    return Found(rows, *_price(store, sample, appends))


def middle_of(length: int) -> str:
    """Return the name of the row for a range in the middle."""
    first = length // 2 + 1
    return f"load of versions {first:,} to {first + LONG_COMMITS - 1:,} of {length:,}"


def _with_snapshot(store: Ours, sample: Sample, name: str, commits: int) -> None:
    before = 40 * SIZE
    _append(store, sample, name, before, SIZE)
    store.save_snapshot(name, before, snapshot_of(sample.take(100)))
    for at in range(before, before + commits * SIZE, SIZE):
        store.append(name, at, sample.take(SIZE))


def _append(store: Ours, sample: Sample, name: str, length: int, size: int) -> None:
    for at in range(0, length, size):
        store.append(name, at, sample.take(min(size, length - at)))


def _append_at(store: Ours, sample: Sample, name: str, expected: int) -> None:
    try:
        store.append(name, expected, sample.take(SIZE))
    except Refused:
        return
    raise RuntimeError("An append at a wrong version was accepted.")


def _price(store: Ours, sample: Sample, appends: int) -> tuple[float, float]:
    """Return the price of a million events, and of their snapshots."""
    name, writes, reads, snapshots = "priced", 0.0, 0.0, 0.0
    sample.rewind()
    for number in range(appends):
        store.meter.take()
        store.append(name, number * SIZE, sample.take(SIZE))
        writes += store.meter.take().write_units
        if number % COMMITS_A_SNAPSHOT == 0:
            store.save_snapshot(name, (number + 1) * SIZE, snapshot_of(sample.take(100)))
            snapshots += store.meter.take().write_units
        for _ in range(LOADS_AN_APPEND):
            store.load(name)
        reads += store.meter.take().read_units
    million = 1_000_000 / (appends * SIZE)
    dollars = million * (writes * WRITE_DOLLARS + reads * READ_DOLLARS)
    return dollars, million * snapshots * WRITE_DOLLARS


def _cost(store: Ours, work: Callable[[], object]) -> Cost:
    store.meter.take()
    work()
    return store.meter.take()


def _mean(costs: Sequence[Cost]) -> Row:
    return Row(
        sum(cost.requests for cost in costs) / len(costs),
        sum(cost.read_units for cost in costs) / len(costs),
    )


def section(found: Found, length: int) -> Section:
    """Return the section on reads, with the limits."""
    limits = {**LIMITS, middle_of(length): Row(2, 3)}
    rows = [
        [
            name,
            f"{row.requests:g} · {row.units:g}",
            f"{limits[name].requests:g} · {limits[name].units:g}",
        ]
        for name, row in found.rows.items()
    ]
    over = [
        name
        for name, row in found.rows.items()
        if row.requests > limits[name].requests or row.units > limits[name].units
    ]
    how = (
        "Each cell: requests · read units, as the engine reports them. The streams have events "
        "of the sample in commits of 3, unless the row says otherwise. The range is from a "
        f"stream in commits of {LONG_COMMITS}. The price is that of a million events in commits "
        "of 3, with 10 loads from a snapshot after each append, and a snapshot after every "
        f"{COMMITS_A_SNAPSHOT} appends, at the on-demand prices of us-east-1: 0.625 $ per "
        "million write units and 0.125 $ per million read units. It does not include storage."
    )
    remarks = (
        f"A million events cost {found.dollars:.2f} $, and {found.snapshot_dollars:.2f} $ more for "
        "their snapshots."
    )
    goals = [
        Goal("reads over their limit", len(over), 0, f"{len(over)} of {len(rows)}", exact=True),
        Goal("price of a million events and ten loads an append, in $", found.dollars, 0.65),
    ]
    return Section(
        "The cost of reads",
        how,
        [Table(["operation", "measured", "limit"], rows)],
        remarks,
        goals=goals,
    )
