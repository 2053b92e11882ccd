"""Measures the requests and units of every operation, against the usual layouts."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from benchmarks.layouts import PerEvent, Textbook
from benchmarks.ours import Ours, raw_events, stream_id
from benchmarks.report import NOTHING, Goal, Section, Table
from benchmarks.sample import Sample, snapshot_of
from benchmarks.workload import (
    COMMIT_SIZES,
    COMMITS_AFTER_SNAPSHOT,
    EVENTS_PER_COMMIT,
    LOADED_COMMITS,
    run_operations,
)
from dynamo_es import ExplicitVersioning, append_cost
from dynamo_es.contracts.stream_keys import stream_key, tenant_prefix
from dynamo_es.dynamodb.streams.items import snapshot_item
from dynamo_es.dynamodb.wire.sizes import read_units

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.engine import Engine
    from benchmarks.metering import Cost
    from benchmarks.sample import SampleEvent

OURS: Final = "dynamo_es"
TEXTBOOK: Final = "item per event, transaction"
PER_EVENT: Final = "item per event, unchecked"


def measure(engine: Engine) -> dict[str, dict[str, Cost]]:
    """Return the cost of each operation, by layout and by operation."""
    return {
        OURS: run_operations(Ours(engine.config, engine.connect())),
        TEXTBOOK: run_operations(Textbook(engine.connect(), engine.layout_table())),
        PER_EVENT: run_operations(PerEvent(engine.connect(), engine.layout_table())),
    }


def budget() -> dict[str, tuple[int, float, float]]:
    """Return the limits of each operation: requests, write units and read units."""
    sample = Sample()
    limits: dict[str, tuple[int, float, float]] = {}
    size = EVENTS_PER_COMMIT
    names = {n: "1 event" if n == 1 else f"{n} events" for n in COMMIT_SIZES}
    for number in COMMIT_SIZES:
        sample.rewind()
        for operation, version in (("create", 0), ("append", number)):
            kilobytes = _kilobytes(f"appends-of-{number}", version, sample.take(number))
            limits[f"{operation}, {names[number]}"] = (1, kilobytes, 0)
    cold = _kilobytes(f"appends-of-{size}", 2 * size, sample_after(2 * size, size))
    limits[f"append, cold, {names[size]}"] = (2, cold, 1)
    late = _kilobytes("conflicts", size, sample_after(size, size))
    limits[f"conflict on append, {names[size]}"] = (1, late, 0)
    limits[f"conflict on creation, {names[size]}"] = (2, late, 1)
    return limits | _load_budget()


def _load_budget() -> dict[str, tuple[int, float, float]]:
    size = EVENTS_PER_COMMIT
    events = sample_after(0, size * LOADED_COMMITS)
    sizes = [_size("loads", at, events[at : at + size]) for at in range(0, len(events), size)]
    version = len(events) - size * COMMITS_AFTER_SNAPSHOT
    stream = stream_id("loads")
    (snapshot,) = raw_events(stream, [events[0]._replace(data=snapshot_of(events[:version]))])
    _, snapshot_size = snapshot_item(
        stream_key(tenant_prefix(""), stream),
        replace(snapshot, version=version),
        generation=time.time_ns() // 1000,
    )
    page = snapshot_size + sum(sizes[-COMMITS_AFTER_SNAPSHOT:])
    return {
        f"load {len(events)} events, {LOADED_COMMITS} commits": (1, 0, read_units(sum(sizes))),
        "save a snapshot": (1, math.ceil(snapshot_size / 1024), 0),
        f"load, snapshot and {COMMITS_AFTER_SNAPSHOT} commits": (1, 0, read_units(page)),
    }


def sample_after(skipped: int, number: int) -> list[SampleEvent]:
    """Return ``number`` events of the sample after the first ``skipped``."""
    sample = Sample()
    sample.take(skipped)
    return sample.take(number)


def section(costs: Mapping[str, Mapping[str, Cost]], remarks: Sequence[str]) -> Section:
    """Return the section on operations, with the budget."""
    limits = budget()
    rows = []
    exceeded = 0
    for operation, limit in limits.items():
        cost = costs[OURS][operation]
        exceeded += _exceeds(cost, limit)
        rows.append(
            [
                operation,
                f"{limit[0]} · {limit[1]:g} · {limit[2]:g}",
                *(
                    str(ways[operation]) if operation in ways else NOTHING
                    for ways in costs.values()
                ),
            ]
        )
    how = (
        "Each cell: requests · write units · read units. The units are those that the "
        "engine reports (`ReturnConsumedCapacity`); for dynamo_es, its observer gets them. "
        "The goal is the budget: the size of all writes in whole kilobytes, and of all "
        "reads in whole 4 KB. The events are real ones: file histories of four "
        "repositories, about 170 bytes of JSON each. All stores get the same events. "
        "Engines report no units for a refused write, but DynamoDB bills it, so it is "
        "counted like an accepted one.\n\n"
        "*Item per event, transaction* is the textbook layout: the events and an item with the "
        "stream's version, which must be the expected one, in one `TransactWriteItems`. *Item "
        "per event, unchecked* puts one event under the condition that its version is free, and "
        "several by `BatchWriteItem`: no transaction, no condition, no check of the version "
        "before."
    )
    goal = Goal(
        "operations over their budget", exceeded, 0, f"{exceeded} of {len(rows)}", exact=True
    )
    return Section(
        "Requests and units of each operation",
        how,
        [Table(["operation", "goal", *costs], rows)],
        "\n\n".join(remarks),
        goals=[goal],
    )


def _exceeds(cost: Cost, limit: tuple[int, float, float]) -> bool:
    return cost.requests > limit[0] or cost.write_units > limit[1] or cost.read_units > limit[2]


def _kilobytes(name: str, version: int, events: Sequence[SampleEvent]) -> int:
    return math.ceil(_size(name, version, events) / 1024)


def _size(name: str, version: int, events: Sequence[SampleEvent]) -> int:
    stream = stream_id(name)
    return append_cost(
        stream, raw_events(stream, events), versioning=ExplicitVersioning(version)
    ).size
