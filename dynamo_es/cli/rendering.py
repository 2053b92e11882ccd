"""Tables for people: events, facts, figures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from dynamo_es.cli.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.values import RawEvent


def event_table(events: Sequence[RawEvent], *, snapshot_first: bool = False) -> Table:
    """Return a table with a row for each event; a snapshot is marked as one.

    Args:
        events: in order.
        snapshot_first: whether the first of them is a snapshot.
    """
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("version", justify="right", no_wrap=True)
    table.add_column("time", no_wrap=True)
    table.add_column("name", overflow="fold")
    table.add_column("data", overflow="fold")
    for index, event in enumerate(events):
        is_snapshot = snapshot_first and index == 0
        name = printable(event.name) + (" (snapshot)" if is_snapshot else "")
        table.add_row(
            Text("-" if event.version is None else str(event.version)),
            Text(event.created_at.isoformat(sep=" ")),
            Text(name),
            data_text(event),
            style="cyan" if is_snapshot else None,
        )
    return table


def data_text(event: RawEvent) -> Text:
    """Return an event's payload as one line of JSON."""
    return Text(printable(json.dumps(event.data, ensure_ascii=False)))


def facts(*pairs: tuple[str, Text | str]) -> Table:
    """Return a table of names and values, one pair a row."""
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


def count(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 event``, ``2,200 events``, ``0 events``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
