"""``dynamo-es tail``."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from dynamo_es.cli.log.moments import moment_of
from dynamo_es.cli.options import AsJson, Place
from dynamo_es.cli.terminal.output import event_document, print_json, printable, results, tell
from dynamo_es.cli.terminal.rendering import data_text
from dynamo_es.contracts import LogStrategy, Selection
from dynamo_es.contracts.log import Start
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.subscriptions.log_subscriptions import LogSubscriptions
from dynamo_es.values import Position, RecordedRaw

_sleep = time.sleep


def tail(  # noqa: PLR0913 - each argument is an option
    place: Place,
    *,
    after: Annotated[
        int | None,
        typer.Option(metavar="POSITION", help="Show events after this position; 0 shows all."),
    ] = None,
    category: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Show only events of this category.")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Show only events of this tenant.")
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Show only events of this name. Repeatable."),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Show the events that are in the log now, then exit.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Show events that reached the log since this time: 2h, or 2026-11-26T08:00Z.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show events as they reach the log, until Ctrl-C. Starts at the end of the log.

    With --once, it starts at the beginning. --since refers to the time at which the sequencer put
    an event into the log; the time shown is the event's own. If each tenant has a log, positions
    are those in the log of --tenant; without --tenant, the events of all logs are shown, each log
    in its order.
    """
    if since is not None and after is not None:
        raise typer.BadParameter("Give --after or --since, not both.")
    moment = None if since is None else moment_of("--since", since, _now())
    log = DynamoBackend(place.config()).log
    if tenant is not None:
        log = log.scoped_for_tenant(tenant)
    start: Start = 0 if after is None else after
    if moment is not None:
        start = _in_each(log, lambda one: one.position_at(moment))
    elif after is None and not once:
        start = _in_each(log, lambda one: one.last_position or 0)
    names = frozenset(event) if event else None
    selection = Selection(category=category, event_names=names, tenant_id=tenant)
    if once:
        reader = log.reader(start, selection)
        found = False
        while records := reader.read():
            found = True
            _show(records, as_json=as_json)
        if not found and not as_json:
            tell("The log has no such events.")
        log.unsequenced()
        return
    subscriptions = LogSubscriptions(log, sleep=_sleep)
    for batch in subscriptions.subscribe(start, 100, timedelta(seconds=0.5), selection):
        _show(batch, as_json=as_json)


def _in_each(log: LogStrategy, position: Callable[[LogStrategy], Position]) -> Start:
    """Return a position of the log; with one log for each tenant, a position for each."""
    if not log.per_tenant:
        return position(log)
    return {one: position(log.scoped_for_tenant(one)) for one in log.tenants()}


def _now() -> datetime:
    return datetime.now(UTC)


def _show(records: list[RecordedRaw], *, as_json: bool) -> None:
    for record in records:
        entry = record.entry
        stream_id = entry.stream_id
        if as_json:
            document = {
                "position": record.position,
                "tenant": record.tenant_id,
                "category": stream_id.category,
                "stream": str(stream_id),
                "name": stream_id.name,
                "event": event_document(entry),
            }
            print_json(document)
            continue
        parts = (record.tenant_id, stream_id.category, stream_id.name or str(stream_id))
        where = "/".join(part for part in parts if part)
        version = "-" if entry.version is None else entry.version
        line = (
            f"{record.position} {entry.created_at.isoformat(sep=' ')} "
            f"{printable(where)} {version} {printable(entry.name)} {data_text(entry)}"
        )
        results().print(line, markup=False, highlight=False, soft_wrap=True)
