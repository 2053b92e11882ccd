"""How the demonstration is told: a heading, a sentence, and what was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dynamo_es.cli.rendering import facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console, RenderableType

    from dynamo_es.cli.importing import Summary
    from dynamo_es.cli.story.account import Forgotten, Lifted, Transaction
    from dynamo_es.cli.story.bill import Bill
    from dynamo_es.cli.story.lost_reply import LostReply
    from dynamo_es.cli.story.steps import Comparison, Conflict, Load, Snapshot, Tenants

_INDENT: Final = (0, 0, 0, 3)


class Teller:
    """Tells the steps on a console, numbered."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._number = 0

    def begin(self, title: str, sentence: str) -> None:
        """Announce a step, before it happens."""
        self._number += 1
        self._console.print()
        self._console.rule(f"[bold]{self._number}  {title}", align="left", style="dim")
        self._console.print(Padding(sentence, _INDENT, expand=False))

    def show(self, seen: RenderableType) -> None:
        """Show what a step saw."""
        # A table with a heading brings an empty line of its own.
        if not (isinstance(seen, Table) and seen.show_header):
            self._console.print()
        self._console.print(Padding(seen, _INDENT, expand=False))


def imported(summary: Summary) -> Table:
    """Return what the import did."""
    return facts(
        [
            ("stored", f"{summary.events:,} events in {summary.commits:,} commits"),
            ("streams", f"{summary.streams:,} of {summary.tenants} tenants"),
            ("requests", f"{summary.requests:,}: one PutItem for each commit"),
            ("time", f"{summary.seconds:.1f} s"),
        ]
    )


def compared(seen: Comparison) -> Table:
    """Return what the comparison found."""
    verdict = (
        Text(f"all {seen.streams:,} streams are equal to the input", style="green")
        if not seen.different
        else Text(f"{seen.different:,} streams differ from the input", style="bold red")
    )
    return facts(
        [
            ("read", f"{seen.events:,} events of {seen.streams:,} streams"),
            ("requests", f"{seen.requests:,}"),
            ("result", verdict),
        ]
    )


def conflicted(seen: Conflict) -> Table:
    """Return what became of the two writers."""
    return facts(
        [
            ("both load", f"{seen.stream} at version {seen.loaded}"),
            ("Ann", f"appends: version {seen.loaded + 1}"),
            ("Bob", Text(f"{seen.error}: {seen.message}", style="yellow")),
            ("Bob again", f"loads, decides, appends: version {seen.ended}"),
        ]
    )


def snapshotted(seen: Snapshot) -> Table:
    """Return both loads side by side."""
    rows: list[tuple[str, Callable[[Load], Any]]] = [
        ("events read", lambda load: f"{load.events:,}"),
        ("requests", lambda load: f"{load.requests:,}"),
        ("bytes of the replies", lambda load: f"{load.bytes_read:,}"),
        ("milliseconds", lambda load: f"{load.milliseconds:.1f}"),
        ("state", lambda load: ", ".join(f"{key} {value}" for key, value in load.state.items())),
    ]
    table = _comparison("", "full replay (start=1)", f"snapshot at {seen.version} and the rest")
    if not seen.replay.bytes_read:
        del rows[2]  # an emulator in this process sends no bytes
    for name, value in rows:
        table.add_row(name, value(seen.replay), value(seen.load))
    return table


def transacted(seen: Transaction) -> Table:
    """Return what became of the overtaken deposit."""
    return facts(
        [
            ("decided on", ", then on ".join(f"{cents / 100:.2f}" for cents in seen.decisions)),
            ("requests", f"{seen.requests}: load, refused append, append, snapshot"),
            ("version", f"{seen.version}, with a snapshot at {seen.snapshot}"),
        ]
    )


def lifted(seen: Lifted) -> Table:
    """Return the event as stored and as loaded."""
    return facts([("stored", str(seen.stored)), ("loaded", str(seen.loaded))])


def forgotten(seen: Forgotten) -> Table:
    """Return the field as stored and as loaded."""
    return facts(
        [("stored", seen.stored), ("loaded", seen.before), ("key shredded", seen.after)],
    )


def separated(seen: Tenants) -> Table:
    """Return the tenants' streams before and after."""
    table = _comparison("tenant", "events", f"after {seen.deleted} deletes its own")
    for tenant, count in seen.before.items():
        table.add_row(tenant, f"{count:,}", f"{seen.after[tenant]:,}")
    return table


def survived(seen: LostReply) -> Table:
    """Return what became of the append whose reply was lost."""
    return facts(
        [
            ("reply lost", ", ".join(f"HTTP {status}" for status in seen.lost)),
            ("sent", f"{seen.attempts} times, in {seen.requests} requests"),
            ("append", "success" if seen.error is None else seen.error),
            ("stored", f"{seen.stored} time" + ("s" if seen.stored != 1 else "")),
        ]
    )


def billed(seen: Bill) -> Table:
    """Return both designs side by side."""
    table = _comparison("per event", "dynamo_es", "textbook")
    ours, theirs = seen.dynamo_es, seen.textbook
    table.add_row("requests", f"{ours.requests_per_event:.2f}", f"{theirs.requests_per_event:.2f}")
    table.add_row(
        "write units",
        f"[bold green]{ours.write_units_per_event:.2f}",
        f"{theirs.write_units_per_event:.2f}",
    )
    table.add_row("write units in all", f"{ours.write_units:,}", f"{theirs.write_units:,}")
    return table


def _comparison(*headings: str) -> Table:
    table = Table(*headings, box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    return table
