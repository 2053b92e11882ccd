"""``dynamo-es streams``."""

from typing import Annotated

import typer

from dynamo_es.cli.options import AsJson, Place
from dynamo_es.cli.terminal import print_json, printable, results, tell
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.values import DEFAULT_TENANT


def list_streams(
    place: Place,
    *,
    category: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Category to list. Default: streams without a category."),
    ] = None,
    tenant: Annotated[
        str, typer.Option(metavar="TEXT", help="Tenant of the streams.")
    ] = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """List the streams of a category, with their versions in the log."""
    found = False
    for stream_id, version in DynamoBackend(place.config()).log.streams(category, tenant):
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
        tell(f"The log has no streams {of}.")
