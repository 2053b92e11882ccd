"""``dynamo-es cost``."""

from dataclasses import asdict
from math import isfinite
from typing import Annotated

import typer

from dynamo_es.cli.costs.bill import (
    PER_GIGABYTE,
    PER_GIGABYTE_OF_RECOVERY,
    PER_MILLION_READS,
    PER_MILLION_WRITES,
    Load,
    Prices,
    bill,
    textbook,
)
from dynamo_es.cli.options import AsJson
from dynamo_es.cli.terminal.output import print_json, results, tell
from dynamo_es.cli.terminal.rendering import figures


def cost(  # noqa: PLR0913, PLR0917 - options of a command
    events_per_second: Annotated[
        float, typer.Option(min=0.000001, help="Events appended per second.")
    ],
    size: Annotated[int, typer.Option(min=2, help="Average bytes of an event's JSON.")],
    events_per_commit: Annotated[int, typer.Option(min=1, help="Events per append.")] = 1,
    compression: Annotated[
        float,
        typer.Option(min=0.01, max=1.0, help="Stored bytes per byte of JSON, as measured by you."),
    ] = 1.0,
    loads_per_second: Annotated[
        float, typer.Option(min=0, help="Streams loaded per second.")
    ] = 0.0,
    commits_per_load: Annotated[
        int, typer.Option(min=1, help="Commits read per load, after the snapshot.")
    ] = 10,
    window: Annotated[
        float, typer.Option(min=0, help="How many seconds the sequencer gathers commits.")
    ] = 1.0,
    stream_projections: Annotated[
        int, typer.Option(min=0, help="Read models fed by the events table's stream.")
    ] = 0,
    log_projections: Annotated[int, typer.Option(min=0, help="Read models fed by the log.")] = 0,
    published: Annotated[
        float, typer.Option(min=0, max=1, help="Share of events that the outbox publishes, 0 to 1.")
    ] = 0.0,
    months: Annotated[int, typer.Option(min=0, help="How many months events are kept.")] = 12,
    write_price: Annotated[
        float, typer.Option(min=0, help="Dollars per million write units.")
    ] = PER_MILLION_WRITES,
    read_price: Annotated[
        float, typer.Option(min=0, help="Dollars per million read units.")
    ] = PER_MILLION_READS,
    storage_price: Annotated[
        float,
        typer.Option(
            min=0, help="Dollars per gigabyte and month, including point-in-time recovery."
        ),
    ] = PER_GIGABYTE + PER_GIGABYTE_OF_RECOVERY,
    *,
    eventual_loads: Annotated[
        bool,
        typer.Option("--eventual-loads", help="Loads are eventually consistent, at half the cost."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Estimate the monthly cost of a store: DynamoDB requests and storage, on demand.

    The default prices are those of us-east-1 since November 2024. Lambda costs extra if you use
    it; its reads of the tables' streams are free.
    """
    load = Load(
        events_per_second,
        size,
        events_per_commit,
        compression,
        loads_per_second,
        commits_per_load,
        window,
        stream_projections,
        log_projections,
        published,
        months,
        consistent_loads=not eventual_loads,
    )
    prices = Prices(write_price, read_price, storage_price)
    too_large = typer.BadParameter("These numbers are too large: give smaller ones.")
    try:
        lines, usual = list(bill(load)), textbook(load)
    except OverflowError:
        raise too_large from None
    total = sum(prices.of(line) for line in lines)
    # Any infinite number makes a cost infinite, which JSON cannot express.
    if not all(map(isfinite, (total, prices.of(usual), window))):
        raise too_large
    if as_json:
        print_json(
            {
                "commit_bytes": load.commit_bytes,
                "lines": [{**line._asdict(), "dollars": prices.of(line)} for line in lines],
                "dollars": total,
                "textbook": {**usual._asdict(), "dollars": prices.of(usual)},
                "load": asdict(load),
            }
        )
        return
    table = figures("per month", "write units", "read units", "gigabytes", "dollars")
    for line in lines:
        table.add_row(
            line.name,
            *(f"{figure:,.0f}" if figure else "" for figure in line[1:3]),
            f"{line.gigabytes:,.1f}" if line.gigabytes else "",
            f"{prices.of(line):,.2f}",
        )
    table.add_section()
    table.add_row("total", "", "", "", f"{total:,.2f}", style="bold")
    results().print(table)
    tell(
        f"A commit is an item of {load.commit_bytes:,} bytes. With one item per event, and the "
        "stream's version in the same transaction, the appends would cost "
        f"{prices.of(usual):,.2f} dollars."
    )
