"""``dynamo-es parked``: list the streams that consumers have parked, retry them, drop them."""

import time
from collections.abc import Mapping
from typing import Annotated, Final

import typer
from rich.text import Text

from dynamo_es.cli.consumers.your_projections import find_retrying
from dynamo_es.cli.options import AsJson, Place, Yes
from dynamo_es.cli.terminal.output import print_json, refuse_unless_confirmed, tell
from dynamo_es.cli.terminal.rendering import Kind, count, print_rows, tenant_text, time_text
from dynamo_es.cli.your_program import your_program
from dynamo_es.contracts.consumers.parked import ParkedStream, SkippedEvent
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.exceptions import EventStoreError
from dynamo_es.facade.backend import Backend
from dynamo_es.projections.manual_changes import drop_parked

_COLUMNS: Final[Mapping[str, Kind]] = {
    "from": "figure",
    "to": "figure",
    "attempts": "figure",
    "state": "short",
    "failed at": "short",
    "consumer": "text",
    "tenant": "text",
    "category": "text",
    "stream": "text",
    "reason": "text",
}

Tenant = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Only this tenant's consumers. Default: all."),
]
Consumer = Annotated[
    str | None, typer.Option(metavar="NAME", help="Only this consumer. Default: all.")
]


class StillParkedError(EventStoreError):
    """A retry left streams parked, because an event failed again."""


def list_entries(
    place: Place, *, consumer: Consumer = None, tenant: Tenant = None, as_json: AsJson = False
) -> None:
    """List parked streams and skipped events, with the reason of the last failure.

    The consumer passes over the events of a parked stream, from the first one that failed to the
    last one that it has seen. They are listed by their positions in the log, or by their versions
    for a consumer of single streams.
    """
    backend = _backend(place, tenant)
    entries: list[ParkedStream | SkippedEvent] = []
    entries += backend.parked.all() if consumer is None else backend.parked.streams(consumer)
    entries += backend.parked.skipped(consumer)
    if as_json:
        for entry in entries:
            print_json(_document(entry))
    elif entries:
        print_rows(_COLUMNS, map(_row, entries))
    else:
        tell("No stream is parked.")


def retry(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:NAME",
            help="A projection, a projector, a Lambda handler, or a function that takes the "
            "backend and returns one.",
        ),
    ],
    place: Place,
    *,
    tenant: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Limit it to this tenant's events. Default: all."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Apply the events of a consumer's parked streams again, in order, and unpark the streams.

    Run it after you have fixed the cause. The consumer may keep running. If an event fails again,
    its stream stays parked from that event on, and the exit status is 1.
    """
    with your_program(place.variables):
        found = find_retrying(reference, DynamoBackend(place.config()), tenant)
        report = found.retry_parked()
    if as_json:
        print_json({"applied": report.applied, "unparked": report.unparked, "left": report.left})
    else:
        tell(
            f"{count(report.applied, 'event')} applied; {count(report.unparked, 'stream')} "
            "unparked."
        )
    if report.left:
        raise StillParkedError(
            f"{count(report.left, 'stream')} still parked. To see why: dynamo-es parked list"
        )


def drop(  # noqa: PLR0913 - options, each by its name
    consumer: Annotated[str, typer.Argument(metavar="CONSUMER", help="Name of the consumer.")],
    place: Place,
    *,
    streams: Annotated[
        list[str] | None,
        typer.Argument(metavar="STREAM", help="UUIDs of parked streams, from the list."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Drop all parked streams.")] = False,
    skipped: Annotated[
        bool, typer.Option("--skipped", help="Clear the list of skipped events.")
    ] = False,
    tenant: Tenant = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove parked streams from the list. The consumer never gets the events it passed over.

    It continues with the events after the last one that it has passed over.
    """
    if [bool(streams), everything, skipped].count(True) != 1:
        raise typer.BadParameter("Give UUIDs of streams, or --all, or --skipped.")
    backend = _backend(place, tenant)
    if skipped:
        events = backend.parked.skipped(consumer)
        dropped = sum(backend.parked.forget_skipped(one.key, one.place) for one in events)
    else:
        entries = backend.parked.streams(consumer)
        wanted = set(streams or ())
        chosen = [one for one in entries if everything or str(one.key.stream_id) in wanted]
        missing = wanted - {str(one.key.stream_id) for one in chosen}
        if missing:
            raise typer.BadParameter(f"{consumer} has not parked {', '.join(sorted(missing))}.")
        if chosen and not yes:
            question = (
                f"Drop {count(len(chosen), 'parked stream')} of {consumer}? It will never get the "
                "events that it has passed over."
            )
            refuse_unless_confirmed(question, "Nothing was changed.")
        now_ms = int(time.time() * 1000)
        dropped = sum(
            drop_parked(backend.parked, backend.cursors, one.key, now_ms) for one in chosen
        )
    if as_json:
        print_json({"consumer": consumer, "tenant": tenant, "dropped": dropped})
    else:
        tell(f"{count(dropped, 'skipped event' if skipped else 'parked stream')} dropped.")


def _backend(place: Place, tenant: str | None) -> Backend:
    backend = DynamoBackend(place.config())
    return backend if tenant is None else backend.in_tenant(tenant)


def _document(entry: ParkedStream | SkippedEvent) -> dict[str, object]:
    key = entry.key
    parked = isinstance(entry, ParkedStream)
    first = entry.first if isinstance(entry, ParkedStream) else entry.place
    last = entry.seen if isinstance(entry, ParkedStream) else entry.place
    return {
        "consumer": key.name,
        "version": key.version,
        "state": "parked" if parked else "skipped",
        "tenant": key.tenant_id,
        "category": key.stream_id.category,
        "stream": str(key.stream_id),
        "order": key.order,
        "from": first.number,
        "to": last.number,
        "attempts": entry.attempts if isinstance(entry, ParkedStream) else None,
        "reason": entry.reason,
        "failed_at": entry.failed_at.isoformat(),
    }


def _row(entry: ParkedStream | SkippedEvent) -> tuple[str | Text, ...]:
    found = _document(entry)
    attempts = found["attempts"]
    return (
        str(found["from"]),
        str(found["to"]),
        "" if attempts is None else str(attempts),
        str(found["state"]),
        time_text(entry.failed_at),
        entry.key.name if entry.key.version is None else f"{entry.key.name} {entry.key.version}",
        tenant_text(entry.key.tenant_id),
        entry.key.stream_id.category or "",
        str(entry.key.stream_id),
        entry.reason,
    )
