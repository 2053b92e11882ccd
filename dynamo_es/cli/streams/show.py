"""``dynamo-es show``."""

from typing import Annotated

import typer

from dynamo_es.cli.options import AsJson, Chosen, Place
from dynamo_es.cli.streams.lookup import StreamNotFoundError, begins_with_snapshot, exists
from dynamo_es.cli.terminal.output import event_document, print_json, tell
from dynamo_es.cli.terminal.rendering import print_events
from dynamo_es.contracts import StorageStrategy
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.values import RawEvent, StreamId


def show(
    chosen: Chosen,
    place: Place,
    *,
    start: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="VERSION",
            help="First version to show; 1: the full history. "
            "Default: the newest snapshot and the events after it.",
        ),
    ] = None,
    stop: Annotated[
        int | None, typer.Option(min=1, metavar="VERSION", help="Stop before this version.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Show at most this many events.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the events of a stream; with --json, one per line.

    Without --start, it shows what an application loads: the newest snapshot, marked as such, and
    the events after it.
    """
    stream_id = chosen.id
    storage = DynamoBackend(place.config()).in_tenant(chosen.tenant).storage
    events = _load(storage, stream_id, start, stop, limit)
    if not events:
        if not exists(storage, stream_id):
            raise StreamNotFoundError(chosen)
        tell("No events in this range.")
        return
    snapshot_first = start is None and begins_with_snapshot(storage, stream_id, events)
    if as_json:
        for index, event in enumerate(events):
            print_json({**event_document(event), "snapshot": snapshot_first and index == 0})
        return
    print_events(events, snapshot_first=snapshot_first)


def _load(
    storage: StorageStrategy,
    stream_id: StreamId,
    start: int | None,
    stop: int | None,
    limit: int | None,
) -> list[RawEvent]:
    if start is not None and limit is not None:
        # With both options, read no more events than the limit.
        end = start + limit
        stop = end if stop is None else min(stop, end)
    return storage.fetch_events(stream_id, start, stop)[:limit]
