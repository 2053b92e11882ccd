"""``dynamo-es checkpoints``: list the consumers' positions, and set one back."""

from collections.abc import Mapping
from typing import Annotated, Final

import typer
from rich.text import Text

from dynamo_es.cli.consumers.log_ends import Ends, positions_left
from dynamo_es.cli.options import AsJson, Place, Yes
from dynamo_es.cli.terminal.output import print_json, refuse_unless_confirmed, results, tell
from dynamo_es.cli.terminal.rendering import Kind, count, print_rows, tenant_text, time_text
from dynamo_es.contracts import Checkpoint, CheckpointStrategy
from dynamo_es.contracts.consumers.claims import short_name
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.exceptions import InvalidPositionError

_COLUMNS: Final[Mapping[str, Kind]] = {
    "position": "figure",
    "lag": "figure",
    "moved at": "short",
    "state": "short",
    "consumer": "text",
    "version": "figure",
    "tenant": "text",
    "worker": "text",
    "last beat": "short",
}


def list_by_default(context: typer.Context, place: Place, *, as_json: AsJson = False) -> None:
    """Show each consumer's position in the log, and how far it is from the end; or reset one.

    The lag is the number of positions between the consumer and the end of the log. The worker is
    the process that runs a projection now; its last beat is by its own clock.
    """
    command = context.invoked_subcommand
    if command is None:
        list_all(place, as_json=as_json)
    elif as_json:
        raise typer.BadParameter(f"Give --json after {command}.")


def list_all(place: Place, *, as_json: AsJson = False) -> None:
    """Show each consumer's position in the log, and how far it is from the end.

    The lag is the number of positions between the consumer and the end of the log. The worker is
    the process that runs a projection now; its last beat is by its own clock.
    """
    backend = DynamoBackend(place.config())
    ends = Ends(backend.log)
    found = backend.checkpoints.all()
    if as_json:
        for one in found:
            print_json(document(one, ends.of(one.tenant_id)))
    elif found:
        print_rows(_COLUMNS, (_row(one, ends.of(one.tenant_id)) for one in found))
    else:
        tell("No consumer has a checkpoint yet.")


def reset(  # noqa: PLR0913 - options, each by its name
    consumer: Annotated[
        str, typer.Argument(metavar="CONSUMER", help="Name of the consumer, from the list.")
    ],
    place: Place,
    *,
    to: Annotated[
        int,
        typer.Option(
            metavar="POSITION", help="Get the events after this position again; 0: all events."
        ),
    ] = 0,
    tenant: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="Reset this tenant's consumer. Default: the consumer of all tenants. Required if "
            "each tenant has a log.",
        ),
    ] = None,
    version: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", help="Reset this version of the projection."),
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Set a consumer's position back or forward. Its next run continues from there.

    A consumer that you set back gets events again. So stop it first, and clear its read model if
    it cannot handle events twice. A consumer that you set forward never gets the events in
    between. To rebuild a projection in one step: `dynamo-es rebuild`.
    """
    backend = DynamoBackend(place.config())
    scoped = backend if tenant is None else backend.in_tenant(tenant)
    end = scoped.log.last_position or 0
    if to < 0 or to > end:
        raise InvalidPositionError(to, None if to < 0 else end)
    checkpoints = scoped.checkpoints.of_version(version)
    before = checkpoints.position(consumer)
    if before is not None and not yes:
        refuse_unless_confirmed(_question(consumer, before, to), "Nothing was changed.")
    checkpoints.reset(consumer, to)
    if as_json:
        print_json({"consumer": consumer, "tenant": tenant, "before": before, "position": to})
    else:
        results().print(
            f"{consumer} is now at {to:,}; {count(positions_left(to, end), 'position')} to go.",
            markup=False,
            soft_wrap=True,
        )


Consumer = Annotated[
    str, typer.Argument(metavar="CONSUMER", help="Name of the projection, from the list.")
]
Tenant = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="This tenant's consumer. Default: that of all tenants."),
]
Version = Annotated[
    int | None, typer.Option(metavar="NUMBER", help="This version of the projection.")
]


def pause(
    consumer: Consumer, place: Place, *, tenant: Tenant = None, version: Version = None
) -> None:
    """Stop the workers of a projection before their next batch, until you resume it."""
    _checkpoints(place, tenant, version).pause(consumer)
    tell(f"{consumer} is paused. To resume it: dynamo-es checkpoints resume {consumer}")


def resume(
    consumer: Consumer, place: Place, *, tenant: Tenant = None, version: Version = None
) -> None:
    """Let the workers of a paused projection continue."""
    _checkpoints(place, tenant, version).resume(consumer)
    tell(f"{consumer} is resumed.")


def _checkpoints(place: Place, tenant: str | None, version: int | None) -> CheckpointStrategy:
    backend = DynamoBackend(place.config())
    scoped = backend if tenant is None else backend.in_tenant(tenant)
    return scoped.checkpoints.of_version(version)


def document(one: Checkpoint, end: int) -> dict[str, object]:
    """Return a checkpoint as JSON.

    Args:
        one: the checkpoint.
        end: last position of the log.
    """
    return {
        "consumer": one.name,
        "version": one.version,
        "paused": one.paused,
        "tenant": one.tenant_id,
        "position": one.position,
        "lag": positions_left(one.position, end),
        "moved_at": one.moved_at.isoformat(),
        "worker": one.worker,
        "beat_at": None if one.beat_at is None else one.beat_at.isoformat(),
    }


def _row(one: Checkpoint, end: int) -> tuple[str | Text, ...]:
    return (
        f"{one.position:,}",
        f"{positions_left(one.position, end):,}",
        time_text(one.moved_at),
        "paused" if one.paused else "",
        one.name,
        "" if one.version is None else str(one.version),
        tenant_text(one.tenant_id),
        short_name(one.worker),
        "" if one.beat_at is None else time_text(one.beat_at),
    )


def _question(consumer: str, before: int, to: int) -> str:
    if to < before:
        effect = f"It will get the events of {count(before - to, 'position')} again."
    elif to > before:
        effect = f"It will never get the events of {count(to - before, 'position')}."
    else:
        effect = "It is already there."
    return f"Set {consumer} from {before:,} to {to:,}? {effect} Stop it first."
