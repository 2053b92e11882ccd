"""``dynamo-es projections``: run a projection of your program, and list all projections."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Final, NamedTuple

import typer
from rich.text import Text

from dynamo_es.cli.consumers.catching_up import describe_end, report_document, run_projection
from dynamo_es.cli.consumers.log_ends import Ends, positions_left
from dynamo_es.cli.consumers.your_projections import find_projection, projections_of
from dynamo_es.cli.options import AsJson, Place
from dynamo_es.cli.terminal.output import print_json, tell
from dynamo_es.cli.terminal.rendering import Kind, print_rows, tenant_text, time_text
from dynamo_es.cli.your_program import load_module, your_program
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.values import Position, TenantId

Reference = Annotated[
    str,
    typer.Argument(
        metavar="MODULE:NAME",
        help="A projection, or a function that takes the backend and returns one.",
    ),
]
Tenant = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Only this tenant's events. Default: all tenants."),
]

_COLUMNS: Final[Mapping[str, Kind]] = {
    "position": "figure",
    "lag": "figure",
    "moved at": "short",
    "projection": "text",
    "tenant": "text",
    "defined in": "text",
}


class _Status(NamedTuple):
    """The state of a projection. If the position is None, it has never saved one."""

    name: str
    lag: int
    position: Position | None = None
    moved_at: datetime | None = None
    tenant_id: TenantId | None = None
    reference: str = ""


def run(
    reference: Reference,
    place: Place,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Exit at the current end of the log.")
    ] = False,
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """Run a projection of your program: a worker, until Ctrl-C or SIGTERM.

    It continues where the last run ended, and ends after the current event. Run several processes,
    so that another one takes over if one dies. Write the projection as a function of the backend,
    which gets the tables and the connection of this command:

    `def balances(backend): return backend.projection("balances", handler)`
    """
    with your_program(place.variables):
        projection = find_projection(reference, DynamoBackend(place.config()), tenant)
        report, interrupted = run_projection(projection, once=once)
    tell(describe_end(report, once=once))
    if as_json:
        print_json(report_document(report, once=once))
    if interrupted:
        raise KeyboardInterrupt


def list_all(
    place: Place,
    *,
    modules: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODULE", help="Also list the projections that these modules define."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List projections with their positions and lags.

    Without modules, list every consumer that has a checkpoint. A module's projections are the
    `Projection` objects in it, and the functions that are annotated to return one.
    """
    with your_program(place.variables):
        backend = DynamoBackend(place.config())
        defined = {
            projection.name: reference
            for name in modules or ()
            for reference, projection in projections_of(load_module(name), backend)
        }
    found = list(_statuses(backend, defined))
    if as_json:
        for one in found:
            print_json(_document(one))
    elif found:
        print_rows(_COLUMNS, map(_row, found))
    else:
        tell("No projection has run yet. To run one: dynamo-es projections run MODULE:NAME")


def _statuses(backend: DynamoBackend, defined: Mapping[str, str]) -> Iterator[_Status]:
    """Yield the consumers that have a checkpoint, then the defined projections without one."""
    ends = Ends(backend.log)
    left = dict(defined)
    for one in backend.checkpoints.all():
        lag = positions_left(one.position, ends.of(one.tenant_id))
        left.pop(one.name, None)
        reference = defined.get(one.name, "")
        yield _Status(one.name, lag, one.position, one.moved_at, one.tenant_id, reference)
    for name, reference in left.items():
        yield _Status(name, ends.total(), reference=reference)


def _document(one: _Status) -> dict[str, object]:
    return {
        "projection": one.name,
        "tenant": one.tenant_id,
        "position": one.position,
        "lag": one.lag,
        "moved_at": None if one.moved_at is None else one.moved_at.isoformat(),
        "defined_in": one.reference or None,
    }


def _row(one: _Status) -> tuple[str | Text, ...]:
    return (
        "-" if one.position is None else f"{one.position:,}",
        f"{one.lag:,}",
        "never run" if one.moved_at is None else time_text(one.moved_at),
        one.name,
        tenant_text(one.tenant_id),
        one.reference,
    )
