"""``dynamo-es streams``."""

from typing import Annotated

import typer

from dynamo_es.cli.options import AsJson, Place
from dynamo_es.cli.terminal.output import print_json, printable, results, tell
from dynamo_es.contracts import LogStrategy
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.values import DEFAULT_TENANT, TenantId

_MOST_TENANTS = 10
"""The most other tenants to name if a tenant has no streams."""


def list_streams(
    place: Place,
    *,
    category: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="List the streams of this category. Default: list the categories."
        ),
    ] = None,
    no_category: Annotated[
        bool, typer.Option("--no-category", help="List the streams that have no category.")
    ] = False,
    tenant: Annotated[
        str, typer.Option(metavar="TEXT", help="Tenant of the streams.")
    ] = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """List a tenant's categories, or the streams of one, with their versions in the log.

    To list the categories, the command scans the log table.
    """
    if category is not None and no_category:
        raise typer.BadParameter("Give --category or --no-category, not both.")
    log = DynamoBackend(place.config()).log
    if category is None and not no_category:
        _list_categories(log, tenant, as_json=as_json)
    else:
        _list_streams(log, category, tenant, as_json=as_json)


def _list_categories(log: LogStrategy, tenant: TenantId, *, as_json: bool) -> None:
    # Streams without a category (None) come first.
    found = sorted(log.categories(tenant), key=lambda name: (name is not None, name or ""))
    for name in found:
        if as_json:
            print_json({"category": name, "tenant": tenant})
            continue
        line = "(without a category)" if name is None else printable(name)
        results().print(line, markup=False, highlight=False, soft_wrap=True)
    if as_json:
        return
    if found:
        option = "--no-category" if found == [None] else "--category NAME"
        tell(f"{_counted(len(found))}. To list the streams: dynamo-es streams {option}")
    else:
        tell(_nothing(log, tenant))


def _list_streams(
    log: LogStrategy, category: str | None, tenant: TenantId, *, as_json: bool
) -> None:
    found = False
    for stream_id, version in log.streams(category, tenant):
        found = True
        if as_json:
            print_json({"stream": str(stream_id), "name": stream_id.name, "version": version})
            continue
        line = f"{stream_id} {version}"
        if stream_id.name is not None:
            line += f" {printable(stream_id.name)}"
        results().print(line, markup=False, highlight=False, soft_wrap=True)
    if not found and not as_json:
        of = "without a category" if category is None else f"of the category {category}"
        tell(f"{_named(tenant)} has no streams {of} in the log.")


def _nothing(log: LogStrategy, tenant: TenantId) -> str:
    """Return why a tenant has no categories: the log is empty, or only others have streams."""
    log.unsequenced()  # logs a warning if stored events wait for their positions
    others = sorted(log.tenants())
    if not others:
        return "The log is empty. Events are listed after a sequencer has run: dynamo-es sequence"
    named = ", ".join(
        "the default one" if other == DEFAULT_TENANT else repr(other)
        for other in others[:_MOST_TENANTS]
    )
    more = len(others) - _MOST_TENANTS
    rest = f" and {more:,} more" if more > 0 else ""
    return (
        f"{_named(tenant)} has no streams in the log. Tenants (--tenant) with streams: "
        f"{named}{rest}."
    )


def _counted(number: int) -> str:
    return "1 category" if number == 1 else f"{number:,} categories"


def _named(tenant: TenantId) -> str:
    return "The default tenant" if tenant == DEFAULT_TENANT else f"The tenant {tenant}"
