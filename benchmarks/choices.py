"""Measures what configuration saves: eventually consistent loads, and compression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.ours import Ours, raw_events, stream_id
from benchmarks.read_costs import (
    COMMITS_A_SNAPSHOT,
    LOADS_AN_APPEND,
    READ_DOLLARS,
    SIZE,
    WRITE_DOLLARS,
)
from benchmarks.report import Goal, Section, Table
from benchmarks.sample import Sample, snapshot_of
from dynamo_es import append_cost

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.engine import Engine
    from dynamo_es.dynamodb.config import Compression

PRICE_LIMIT: Final = 0.45
COMPRESSIONS: Final[tuple[Compression, ...]] = ("units", "always")


class Found(NamedTuple):
    """The measurements.

    Attributes:
        dollars: price of a million events with ten loads for each append, by whether the loads are
            consistent.
        sizes: bytes and write units per event, by compression and number of events in a commit.
    """

    dollars: Mapping[bool, float]
    sizes: Mapping[tuple[Compression, int], tuple[float, float]]


def measure(engine: Engine, appends: int, history: Path | None = None) -> Found:
    """Measure what both settings save.

    Args:
        engine: engine of the priced appends and loads.
        appends: number of appends from which the price of a million events is derived.
        history: file of the events whose size is computed; None for the sample of the package.
    """
    dollars = {consistent: _price(engine, appends, consistent) for consistent in (True, False)}
    sizes = {
        (compression, size): _size(Sample(history), compression, size)
        for size in (3, 10)
        for compression in COMPRESSIONS
    }
    return Found(dollars, sizes)


def _price(engine: Engine, appends: int, consistent: bool) -> float:  # noqa: FBT001
    store, sample = Ours(engine.config, engine.connect()), Sample()
    name = f"priced, consistent: {consistent}"
    stream, units = stream_id(name), {"write": 0.0, "read": 0.0}
    for number in range(appends):
        store.meter.take()
        store.append(name, number * SIZE, sample.take(SIZE))
        units["write"] += store.meter.take().write_units
        if number % COMMITS_A_SNAPSHOT == 0:
            store.save_snapshot(name, (number + 1) * SIZE, snapshot_of(sample.take(100)))
            store.meter.take()
        for _ in range(LOADS_AN_APPEND):
            store.storage.fetch_events(stream, consistent=consistent)
        units["read"] += store.meter.take().read_units
    million = 1_000_000 / (appends * SIZE)
    return million * (units["write"] * WRITE_DOLLARS + units["read"] * READ_DOLLARS)


def _size(sample: Sample, compression: Compression, size: int) -> tuple[float, float]:
    """Return bytes and write units per event of a history, in commits of up to ``size`` events."""
    total, units = 0, 0
    for name, commits in sample.commits(size, len(sample)).items():
        stream = stream_id(name)
        for commit in commits:
            cost = append_cost(stream, raw_events(stream, commit), compression=compression)
            total, units = total + cost.size, units + cost.write_units
    return total / len(sample), units / len(sample)


def section(found: Found) -> Section:
    """Return the section on both settings."""
    loads = Table(
        ["loads", "a million events, in $"],
        [
            ["consistent" if consistent else "eventually consistent", f"{dollars:.2f}"]
            for consistent, dollars in found.dollars.items()
        ],
    )
    bytes_an_event = Table(
        ["compression", "events of a commit", "bytes an event", "write units an event"],
        [
            [f'"{compression}"', f"up to {size}", f"{total:.0f}", f"{units:.3f}"]
            for (compression, size), (total, units) in found.sizes.items()
        ],
    )
    how = (
        "The price is that of a million events in commits of 3, and of ten loads from a "
        "snapshot after each append, as in the table of reads, but without the snapshots and "
        "storage. Bytes are those of the items of a whole history, by DynamoDB's rules."
    )
    saved = {
        size: found.sizes["always", size][0] / found.sizes["units", size][0] for size in (3, 10)
    }
    return Section(
        "What configuration saves",
        how,
        [loads, bytes_an_event],
        f'`compression="always"` stores {saved[3]:.0%} of the bytes in commits of up to 3, and '
        f"{saved[10]:.0%} in commits of up to 10.",
        goals=[
            Goal(
                "price of a million events, loads eventually consistent, in $",
                found.dollars[False],
                PRICE_LIMIT,
            ),
            Goal(
                "bytes of a history with compression always, relative to the default",
                saved[3],
                0.75,
            ),
        ],
    )
