"""``dynamo-es import``."""

import gc
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from dynamo_es.cli.importing import (
    Defaults,
    Importer,
    Meter,
    Problem,
    Settings,
    Source,
    Summary,
    open_source,
)
from dynamo_es.cli.options import AsJson, Place
from dynamo_es.cli.terminal.output import INTERRUPTED, print_json, results, tell, tell_interrupted
from dynamo_es.cli.terminal.progress import watched
from dynamo_es.cli.terminal.rendering import count, facts
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.exceptions import EventStoreError
from dynamo_es.values import DEFAULT_TENANT

PROBLEMS_SHOWN = 20
"""Lines that were not stored are named up to this many, then counted."""

REMEMBERED_HEADS = 100_000
"""Streams whose version is remembered: a history that switches between many would pay for reads."""

_AGAIN = "Run the same command again: it continues, and stores nothing twice."


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """Options of an import."""

    tenant: Annotated[str, typer.Option(help="Tenant of lines without one.", metavar="TEXT")] = (
        DEFAULT_TENANT
    )
    category: Annotated[
        str | None, typer.Option(help="Category of lines without one.", metavar="TEXT")
    ] = None
    events_per_commit: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Most events of one commit. Consecutive lines of a stream form a commit.",
        ),
    ] = 100
    group_by_stream: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Instead, gather each stream's events from the whole file into commits of N.",
        ),
    ] = None
    workers: Annotated[
        int,
        typer.Option(min=1, max=64, metavar="N", help="Requests at a time."),
    ] = 4

    encrypted: Annotated[
        bool,
        typer.Option(
            "--encrypted",
            help="Take events with encrypted fields, as dynamo-es export --encrypted wrote them. "
            "They stay unreadable unless you copy the table of keys too.",
        ),
    ] = False

    def settings(self) -> Settings:
        """Return the importer's settings."""
        return Settings(
            workers=self.workers,
            events_per_commit=self.group_by_stream or self.events_per_commit,
            gather=self.group_by_stream is not None,
            defaults=Defaults(self.tenant, self.category),
            encrypted=self.encrypted,
        )


def _check_file(file: Path) -> Path:
    # typer's own checks would treat - as the name of a file.
    if str(file) != "-" and (not file.exists() or file.is_dir()):
        raise typer.BadParameter(f"there is no file {file}.")
    return file


def import_file(
    file: Annotated[
        Path,
        typer.Argument(
            callback=_check_file,
            metavar="FILE",
            help="JSON lines, plain or gzip; - reads standard input.",
        ),
    ],
    options: ImportOptions,
    place: Place,
    *,
    as_json: AsJson = False,
) -> None:
    """Import a history: JSON lines with stream, type, at (ISO 8601), data, tenant, category.

    Each line is an event: "type" is its name, "at" its time. The stream's UUID is derived from
    "stream". Tenant and category may be missing or null. The lines of dynamo-es export hold more
    (ids, context, versions, snapshots), which is stored as it was. Other fields are ignored.

    The events of each stream keep their order. With --workers 1, one commit is appended after the
    other, and the order between streams is kept too. With more workers, a request holds commits of
    25 streams, and that order is not kept; nor is it with --group-by-stream.

    Event ids are derived from the file if it holds none. After a crash, or when the file has
    grown, import it again: stored events are skipped. A stream that holds other events is left
    unchanged.

    A malformed line is reported, and its stream ends before it; other streams continue. If the
    line does not say which stream it belongs to, all streams end before it. The exit status is
    then 1. Repair the line and import the file again to store the rest.
    """
    meter, problems = Meter(), 0

    def show_problem(problem: Problem) -> None:
        nonlocal problems
        problems += 1
        if problems <= PROBLEMS_SHOWN:
            tell(_describe(problem), style="yellow")

    heads = max((config := place.config()).remembered_heads, REMEMBERED_HEADS)
    config = replace(
        config, report_capacity=True, remembered_heads=heads, max_parallel=options.workers
    )
    backend = DynamoBackend(config, observer=meter)
    storage, settings = backend.storage, options.settings()
    # What is loaded by now stays. The collector would look through all of it again and again.
    backend.prepare()
    gc.freeze()
    with open_source(file) as source:
        importer = Importer(storage, settings, meter=meter, on_problem=show_problem)
        status = _run(importer, source)
    if problems > PROBLEMS_SHOWN:
        tell(f"… and {problems - PROBLEMS_SHOWN:,} more like these.", style="yellow")
    if as_json:
        print_json(importer.summary.document())
    else:
        results().print(_table(importer.summary))
    raise typer.Exit(status)


def _run(importer: Importer, source: Source) -> int:
    """Run an import and return the exit status."""
    summary = importer.summary
    try:
        with watched("0 events") as importer.on_progress:
            return 0 if importer.run(source).clean else 1
    except KeyboardInterrupt:
        tell_interrupted(f"Interrupted after storing {count(summary.events, 'event')}. {_AGAIN}")
        return INTERRUPTED
    except (EventStoreError, OSError):
        if summary.events:
            tell(f"Failed after storing {count(summary.events, 'event')}. {_AGAIN}")
        raise


def _describe(problem: Problem) -> str:
    text = f"line {problem.line}: {problem.reason.removesuffix('.')}."
    if problem.stream is None:
        return f"{text} It does not name its stream, so all later lines are skipped."
    return f"{text} The later lines of {problem.stream} are skipped."


def _table(summary: Summary) -> Table:
    """Return a summary for people, without figures that are zero as expected."""
    rows = [
        ("events", f"{summary.events:,} in {count(summary.commits, 'commit')}"),
        ("streams", f"{summary.streams:,} of {count(summary.tenants, 'tenant')}"),
        ("already stored", f"{summary.already_stored:,}"),
        ("malformed", f"{summary.malformed:,}"),
        ("skipped", f"{summary.skipped:,}, {count(summary.refused_streams, 'stream')} refused"),
        ("requests", f"{summary.requests:,}{_per_event(summary, summary.requests_per_event)}"),
        (
            "write units",
            f"{summary.write_units:,.0f} (reported)"
            + _per_event(summary, summary.write_units_per_event)
            if summary.write_units or not summary.events
            else "not reported by this engine; see dynamo-es cost",
        ),
        ("time", f"{summary.seconds:,.1f} s, {summary.events_per_second:,.0f} events a second"),
    ]
    return facts(*(row for row in rows if row[0] != "skipped" or summary.skipped))


def _per_event(summary: Summary, amount: float) -> str:
    """Return the amount of one event; nothing if this import stored none."""
    return f", {amount:.2f} an event" if summary.events else ""
