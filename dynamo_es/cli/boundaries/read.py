"""``dynamo-es boundary``: read a boundary, and see the events of a conflict."""

from dataclasses import dataclass
from typing import Annotated

import typer

from dynamo_es.cli.options import AsJson, Place
from dynamo_es.cli.terminal.output import event_document, print_json, tell
from dynamo_es.cli.terminal.rendering import count, data_text, print_rows, time_text
from dynamo_es.contracts.boundaries.strategy import boundary_stream
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.exceptions import EventStoreError
from dynamo_es.values import DEFAULT_TENANT, Query, QueryItem, RawEvent, matches_event, tags_of
from dynamo_es.values.query_texts import query_of_text, tag_of_word


class BoundaryNotFoundError(EventStoreError):
    """The boundary does not exist."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no boundary {name}. Each tenant has its own: check --tenant.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The query of a command, as one text or in parts."""

    query: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="Types and tags, such as 'Enrolled course:c1 | Renamed course:c1'. "
            "BoundaryConflictError.command contains the query of a conflict.",
        ),
    ] = None
    types: Annotated[
        list[str] | None,
        typer.Option(
            "--type", metavar="NAME", help="Events of this type. Repeatable: any of the types."
        ),
    ] = None
    tags: Annotated[
        list[str] | None,
        typer.Option(
            "--tag", metavar="NAME:VALUE", help="Events with this tag. Repeatable: all of the tags."
        ),
    ] = None

    @property
    def chosen(self) -> Query:
        """The query. Without options, it matches every event.

        Raises:
            typer.BadParameter: --query is given with --type or --tag.
            InputError: a query or a tag that cannot be read.
        """
        if not self.types and not self.tags:
            return query_of_text(self.query or "")
        if self.query is not None:
            raise typer.BadParameter("Give --query, or --type and --tag, not both.")
        tags = frozenset(map(tag_of_word, self.tags or ()))
        return Query.of_items([QueryItem(frozenset(self.types or ()), tags)])


def read(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the boundary.")],
    wanted: Wanted,
    place: Place,
    *,
    tenant: Annotated[str, typer.Option(metavar="TEXT", help="The boundary's tenant.")] = (
        DEFAULT_TENANT
    ),
    after: Annotated[
        int | None,
        typer.Option(min=0, metavar="VERSION", help="Only events after this version."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the events of a boundary that match a query; with --json, one per line.

    With --after, these are the events that refuse an append. If the query has alternatives, each
    event is shown with the alternatives that it matches. The command reads the whole boundary, or
    the part after --after.
    """
    query = wanted.chosen
    storage = DynamoBackend(place.config()).in_tenant(tenant).storage
    found = storage.fetch_matching(boundary_stream(name), query, after)
    if not found.head:
        raise BoundaryNotFoundError(name)
    rows = [(event, sorted(tags_of(event)), _matched(query, event)) for event in found.events]
    if as_json:
        for event, tags, matched in rows:
            print_json({**event_document(event), "tags": tags, "matched": matched})
    else:
        print_rows(
            {
                "version": "figure",
                "time": "short",
                "name": "text",
                "tags": "text",
                "matched by": "text",
                "data": "text",
            },
            (
                [
                    str(event.version),
                    time_text(event.created_at),
                    event.name,
                    " ".join(tags),
                    " | ".join(matched) if len(query.items) > 1 else "",
                    data_text(event).plain,
                ]
                for event, tags, matched in rows
            ),
        )
    verb = "matches" if len(rows) == 1 else "match"
    since = f" after version {after:,}" if after else ""
    tell(f"{count(len(rows), 'event')}{since} {verb}. The boundary has version {found.head:,}.")


def _matched(query: Query, event: RawEvent) -> list[str]:
    return [item.text for item in query.items if matches_event(Query.of_items([item]), event)]
