"""``dynamo-es outbox``: what could not be published, and putting it back."""

from typing import Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from dynamo_es.cli.options import AsJson, Place
from dynamo_es.cli.terminal import print_json, printable, results, tell
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.outbox.outbox import DEFAULT_NAME, Outbox

Named = Annotated[str, typer.Option("--outbox", metavar="NAME", help="Which outbox.")]


Tenant = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Of its outbox. Default: of that of all tenants."),
]


def list_entries(
    place: Place,
    *,
    outbox: Named = DEFAULT_NAME,
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """List the events that could not be published so far; dead ones are not tried again."""
    entries = _found(place, tenant).named(outbox).entries()
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
    tenant: Tenant = None,
) -> None:
    """Put entries back, so that they are tried as often as new ones."""
    if bool(positions) == everything:
        raise typer.BadParameter("Give the positions of entries, or --all.")
    found = _found(place, tenant).named(outbox)
    chosen = positions or [entry.position for entry in found.entries() if entry.dead]
    for position in chosen:
        found.retry(position)
    tell(f"{len(chosen):,} entries will be tried again.")


def _found(place: Place, tenant: str | None) -> Outbox:
    backend = DynamoBackend(place.config())
    return backend.outbox if tenant is None else backend.in_tenant(tenant).outbox
