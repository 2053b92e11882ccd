"""``dynamo-es outbox``: what could not be published, and putting it back."""

from typing import Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from dynamo_es.backend import DynamoBackend
from dynamo_es.cli.options import AsJson, Place
from dynamo_es.cli.terminal import print_json, printable, results, tell
from dynamo_es.outbox.outbox import DEFAULT_NAME

Named = Annotated[str, typer.Option("--outbox", metavar="NAME", help="Which outbox.")]


def list_entries(place: Place, *, outbox: Named = DEFAULT_NAME, as_json: AsJson = False) -> None:
    """List the events that could not be published so far; dead ones are not tried again."""
    entries = DynamoBackend(place.config()).outbox.named(outbox).entries()
    if as_json:
        for entry in entries:
            print_json(
                {
                    "position": entry.position,
                    "tenant": entry.tenant_id,
                    "stream": str(entry.stream_id),
                    "event": entry.event_name,
                    "attempts": entry.attempts,
                    "dead": entry.dead,
                    "error": entry.last_error,
                }
            )
        return
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("position", "tries"):
        table.add_column(column, justify="right", no_wrap=True)
    for column in ("state", "event", "error"):
        table.add_column(column, overflow="fold")
    for entry in entries:
        table.add_row(
            str(entry.position),
            str(entry.attempts),
            "dead" if entry.dead else "waiting",
            Text(printable(entry.event_name)),
            Text(printable(entry.last_error)),
        )
    results().print(table)


def retry(
    place: Place,
    *,
    positions: Annotated[
        list[int] | None, typer.Argument(metavar="POSITION…", help="Of the entries.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All dead entries.")] = False,
    outbox: Named = DEFAULT_NAME,
) -> None:
    """Put entries back, so that they are tried as often as new ones."""
    if bool(positions) == everything:
        raise typer.BadParameter("Give the positions of entries, or --all.")
    found = DynamoBackend(place.config()).outbox.named(outbox)
    chosen = positions or [entry.position for entry in found.entries() if entry.dead]
    for position in chosen:
        found.retry(position)
    tell(f"{len(chosen):,} entries will be tried again.")
