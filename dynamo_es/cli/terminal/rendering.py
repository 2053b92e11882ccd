"""Prints events, facts and figures as tables for people, and as plain lines for other programs."""

from __future__ import annotations

import json
import sys
from datetime import UTC
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from rich import box
from rich.table import Table
from rich.text import Text

from dynamo_es.cli.terminal.output import printable, results

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from dynamo_es.values import RawEvent


Kind: TypeAlias = Literal["figure", "short", "text"]
"""How a column is shown: figures are right-aligned; short text never wraps; other text does."""

_EVENT_COLUMNS: Final[Mapping[str, Kind]] = {
    "version": "figure",
    "time": "short",
    "name": "text",
    "data": "text",
}


def print_rows(columns: Mapping[str, Kind], rows: Iterable[Sequence[Text | str]]) -> None:
    """Print rows as a table on a terminal, elsewhere as lines with cells separated by tabs.

    To fit, the table leaves out empty columns.

    Args:
        columns: the headings, and how their columns are shown.
        rows: rows with a cell for each column. Control characters are shown escaped.
    """
    console = results()
    if console.is_terminal:
        console.print(_table(*_without_empty_columns(columns, list(rows))))
        return
    for row in rows:
        sys.stdout.write("\t".join(printable(str(cell)) for cell in row) + "\n")


def print_events(events: Sequence[RawEvent], *, snapshot_first: bool = False) -> None:
    """Print a row for each event. A snapshot is marked as one.

    Args:
        events: the events, in order.
        snapshot_first: whether the first one is a snapshot.
    """
    print_rows(_EVENT_COLUMNS, _event_rows(events, snapshot_first=snapshot_first))


def event_table(events: Sequence[RawEvent], *, snapshot_first: bool = False) -> Table:
    """Return a table with a row for each event. A snapshot is marked as one.

    Args:
        events: the events, in order.
        snapshot_first: whether the first one is a snapshot.
    """
    return _table(_EVENT_COLUMNS, _event_rows(events, snapshot_first=snapshot_first))


def _event_rows(events: Sequence[RawEvent], *, snapshot_first: bool) -> Iterator[list[Text]]:
    for index, event in enumerate(events):
        is_snapshot = snapshot_first and index == 0
        style = "cyan" if is_snapshot else ""
        name = printable(event.name) + (" (snapshot)" if is_snapshot else "")
        yield [
            Text("-" if event.version is None else str(event.version), style),
            Text(event.created_at.isoformat(sep=" "), style),
            Text(name, style),
            Text(data_text(event).plain, style),
        ]


def _without_empty_columns(
    columns: Mapping[str, Kind], rows: Sequence[Sequence[Text | str]]
) -> tuple[Mapping[str, Kind], Sequence[Sequence[Text | str]]]:
    kept = [index for index in range(len(columns)) if any(str(row[index]) for row in rows)]
    headings = list(columns)
    return (
        {headings[index]: columns[headings[index]] for index in kept},
        [[row[index] for index in kept] for row in rows],
    )


def _table(columns: Mapping[str, Kind], rows: Iterable[Sequence[Text | str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for heading, kind in columns.items():
        table.add_column(
            heading,
            justify="right" if kind == "figure" else "left",
            no_wrap=kind != "text",
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(printable(cell)) if isinstance(cell, str) else cell for cell in row))
    return table


def data_text(event: RawEvent) -> Text:
    """Return an event's payload as one line of JSON."""
    return Text(printable(json.dumps(event.data, ensure_ascii=False)))


def facts(*pairs: tuple[str, Text | str]) -> Table:
    """Return a table of names and values, one pair in each row."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(name, Text(printable(value)) if isinstance(value, str) else value)
    return table


def figures(*headings: str) -> Table:
    """Return an empty table whose first column is text and whose other columns are figures."""
    table = Table(*headings, box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def tenant_text(tenant_id: str | None) -> Text:
    """Return a tenant for a table; empty for all tenants."""
    if tenant_id is None:
        return Text("")
    return Text(printable(tenant_id)) if tenant_id else Text("(default)", style="dim")


def time_text(time: datetime) -> str:
    """Return a time in UTC to the second: ``2026-01-31 12:00:00Z``."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def count(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 event``, ``2,200 events``, ``0 events``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
