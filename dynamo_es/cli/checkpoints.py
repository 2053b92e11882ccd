"""``dynamo-es checkpoints``."""

from rich import box
from rich.table import Table
from rich.text import Text

from dynamo_es.cli.options import AsJson, Place
from dynamo_es.cli.terminal import print_json, printable, results, tell
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.values import TenantId


def checkpoints(place: Place, *, as_json: AsJson = False) -> None:
    """Show each consumer's position in the log, and how far it is from the end."""
    backend = DynamoBackend(place.config())
    end = backend.log.last_position or 0
    found = backend.checkpoints.all()
    if as_json:
        for one in found:
            print_json(
                {
                    "consumer": one.name,
                    "tenant": one.tenant_id,
                    "position": one.position,
                    "lag": max(end - one.position, 0),
                    "moved_at": one.moved_at.isoformat(),
                }
            )
        return
    if not found:
        tell("No consumer has a checkpoint yet.")
        return
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("position", "lag"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("moved at", no_wrap=True)
    table.add_column("consumer", overflow="fold")
    table.add_column("tenant", overflow="fold")
    for one in found:
        table.add_row(
            f"{one.position:,}",
            f"{max(end - one.position, 0):,}",
            one.moved_at.isoformat(sep=" ", timespec="seconds"),
            Text(printable(one.name)),
            _tenant(one.tenant_id),
        )
    results().print(table)


def _tenant(tenant_id: TenantId | None) -> Text:
    """Return a tenant for the table; nothing for consumers of all tenants."""
    if tenant_id is None:
        return Text("")
    return Text(printable(tenant_id)) if tenant_id else Text("(default)", style="dim")
