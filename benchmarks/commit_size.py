"""Measures the write units per event by the number of events in a commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.layouts import MAX_TRANSACTION, Textbook
from benchmarks.ours import Ours, raw_events, stream_id
from benchmarks.report import NOTHING, Plot, Section, Table
from benchmarks.sample import Sample
from dynamo_es import append_cost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.engine import Engine
    from dynamo_es import AppendCost


@dataclass(frozen=True, slots=True)
class OfSize:
    """The measurements for one size of commits.

    Attributes:
        price: the cost that `append_cost` predicts.
        write_units: units that the engine reports.
        textbook_units: units of the same events with an item each, in a transaction with the
            stream's version; None if they do not fit into one transaction.
    """

    price: AppendCost
    write_units: float
    textbook_units: float | None


def measure(engine: Engine, sizes: Sequence[int]) -> dict[int, OfSize]:
    """Return the measurements by number of events in a commit."""
    ours = Ours(engine.config, engine.connect())
    textbook = Textbook(engine.connect(), engine.layout_table())
    found = {}
    for size in sizes:
        name, events = f"commit of {size}", Sample().take(size)
        ours.append(name, 0, events)
        units = None
        if size < MAX_TRANSACTION:
            textbook.append(name, 0, events)
            units = textbook.meter.take().write_units
        stream = stream_id(name)
        price = append_cost(stream, raw_events(stream, events))
        found[size] = OfSize(price, ours.meter.take().write_units, units)
    return found


def section(found: Mapping[int, OfSize]) -> Section:
    """Return the section on the size of commits."""
    rows = [
        [
            f"{size:,}",
            f"{one.price.size:,}{', compressed' if one.price.compressed else ''}",
            f"{one.write_units:g}",
            f"{one.write_units / size:.2f}",
            NOTHING if one.textbook_units is None else f"{one.textbook_units / size:.2f}",
        ]
        for size, one in found.items()
    ]
    how = (
        "Each row is one append to a new stream. Bytes are those of the item, by DynamoDB's "
        "rules; the engine reports the units. For comparison, the textbook layout (one item per "
        "event and one for the stream's version, in a transaction) takes at most 99 events."
    )
    headers = [
        "events",
        "bytes",
        "write units",
        "write units per event",
        "item per event, transaction",
    ]
    priced = {size: one for size, one in found.items() if one.textbook_units is not None}
    plot = Plot(
        "commit-size",
        "Write units per event by events of a commit",
        "events of the commit",
        "write units per event",
        {
            "dynamo_es": (
                list(found),
                [one.write_units / size for size, one in found.items()],
            ),
            "item per event, transaction": (
                list(priced),
                [(one.textbook_units or 0) / size for size, one in priced.items()],
            ),
        },
        log_x=True,
        log_y=True,
    )
    return Section("Scaling: the size of a commit", how, [Table(headers, rows)], plots=[plot])
