"""``dynamo-es cost``."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from dynamo_es.cli.bill import (
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
from dynamo_es.cli.terminal import print_json, results, tell


def cost(  # noqa: PLR0913, PLR0917 - options of a command
    events_per_second: Annotated[float, typer.Option(min=0.000001, help="Events appended.")],
    size: Annotated[int, typer.Option(min=2, help="Bytes of an event's JSON, on the average.")],
    events_per_commit: Annotated[int, typer.Option(min=1, help="Events of one append.")] = 1,
    compression: Annotated[
        float,
        typer.Option(
            min=0.01, max=1.0, help="Bytes stored for each byte of JSON; what you measured."
        ),
    ] = 1.0,
    loads_per_second: Annotated[float, typer.Option(min=0, help="Streams loaded.")] = 0.0,
    commits_per_load: Annotated[
        int, typer.Option(min=1, help="Commits read by a load, behind the snapshot.")
    ] = 10,
    window: Annotated[
        float, typer.Option(min=0, help="Seconds for which the sequencer gathers commits.")
    ] = 1.0,
    stream_projections: Annotated[
        int, typer.Option(min=0, help="Read models on the events table's stream.")
    ] = 0,
    log_projections: Annotated[int, typer.Option(min=0, help="Read models on the log.")] = 0,
    published: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the events that the outbox publishes.")
    ] = 0.0,
    months: Annotated[int, typer.Option(min=0, help="For which events are kept.")] = 12,
    write_price: Annotated[
        float, typer.Option(min=0, help="Dollars for a million write units.")
    ] = PER_MILLION_WRITES,
    read_price: Annotated[
        float, typer.Option(min=0, help="Dollars for a million read units.")
    ] = PER_MILLION_READS,
    storage_price: Annotated[
        float, typer.Option(min=0, help="Dollars for a gigabyte and month, with its recovery.")
    ] = PER_GIGABYTE + PER_GIGABYTE_OF_RECOVERY,
    *,
    as_json: AsJson = False,
) -> None:
    """Reckon what a store would cost in a month: requests and storage of DynamoDB, on demand.

    Prices are those of us-east-1 since November 2024, unless given. Lambda, where it is used, comes
    on top; its reading of the tables' streams is free.
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
    )
    prices = Prices(write_price, read_price, storage_price)
    lines = list(bill(load))
    total = sum(prices.of(line) for line in lines)
    usual = textbook(load)
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
    table = Table(
        "a month", "write units", "read units", "gigabytes", "dollars", box=box.SIMPLE_HEAD
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for line in lines:
        table.add_row(
            line.name,
            *(f"{figure:,.0f}" if figure else "" for figure in line[1:3]),
            f"{line.gigabytes:,.1f}" if line.gigabytes else "",
            f"{prices.of(line):,.2f}",
        )
    table.add_section()
    table.add_row("in all", "", "", "", f"{total:,.2f}", style="bold")
    results().print(table)
    tell(
        f"A commit is an item of {load.commit_bytes:,} bytes. An item per event, with its stream's "
        f"version in one transaction, would cost {prices.of(usual):,.2f} dollars for the appends."
    )
