"""``dynamo-es outbox``: list events that could not be published, and retry them."""

from collections.abc import Mapping
from typing import Annotated, Final

import typer

from dynamo_es.cli.options import AsJson, Place
from dynamo_es.cli.terminal.output import print_json, tell
from dynamo_es.cli.terminal.rendering import Kind, count, print_rows, tenant_text
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.outbox.outbox import DEFAULT_NAME, Outbox

_COLUMNS: Final[Mapping[str, Kind]] = {
    "position": "figure",
    "attempts": "figure",
    "state": "short",
    "tenant": "text",
    "event": "text",
    "error": "text",
}

Named = Annotated[str, typer.Option("--outbox", metavar="NAME", help="Name of the outbox.")]
Tenant = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT", help="Use this tenant's outbox. Default: the outbox of all tenants."
    ),
]


def list_entries(
    place: Place,
    *,
    outbox: Named = DEFAULT_NAME,
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """List the events that could not be published. Retry dead ones with outbox retry."""
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
    if not entries:
        tell("All events that were tried are published.")
        return
    rows = (
        (
            str(entry.position),
            str(entry.attempts),
            "dead" if entry.dead else "waiting",
            tenant_text(entry.tenant_id),
            entry.event_name,
            entry.last_error,
        )
        for entry in entries
    )
    print_rows(_COLUMNS, rows)


def retry(
    place: Place,
    *,
    positions: Annotated[
        list[int] | None,
        typer.Argument(metavar="POSITION", help="Positions of the events, from the list."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Retry all dead events.")] = False,
    outbox: Named = DEFAULT_NAME,
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """Retry events that could not be published, with as many attempts as new events get."""
    if bool(positions) == everything:
        raise typer.BadParameter("Give positions of events, or --all.")
    found = _found(place, tenant).named(outbox)
    if positions:
        chosen = positions
        for position in chosen:
            found.retry(position)
    else:
        chosen = [entry.position for entry in found.entries() if entry.dead]
        found.retry_all()
    if as_json:
        print_json({"outbox": outbox, "tenant": tenant, "positions": chosen})
    elif chosen:
        tell(f"{count(len(chosen), 'event')} will be tried again.")
    else:
        tell("The outbox has no dead events to retry.")


def _found(place: Place, tenant: str | None) -> Outbox:
    backend = DynamoBackend(place.config())
    return backend.outbox if tenant is None else backend.in_tenant(tenant).outbox
