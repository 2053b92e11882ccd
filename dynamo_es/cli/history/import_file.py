"""``dynamo-es import``."""

import gc
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from dynamo_es.cli.history.importing import (
    Defaults,
    Importer,
    LineError,
    Meter,
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


def _number(help_text: str, most: int | None = None) -> Any:
    return typer.Option(min=1, max=most, metavar="N", help=help_text)


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
        int, _number("Most events of one commit. Consecutive lines of a stream form a commit.")
    ] = 100
    group_by_stream: Annotated[
        int | None,
        _number("Instead, gather each stream's events from the whole file into commits of N."),
    ] = None
    workers: Annotated[int, _number("Requests at a time.", most=64)] = 4
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
            metavar="FILE",
            callback=_check_file,
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
    other, and the order between streams is kept too. More workers, whose requests hold commits of
    25 streams, do not keep the order between streams, and neither does --group-by-stream.

    Event ids are derived from the file if it holds none. After a crash, or when the file has
    grown, import it again: stored events are skipped. A stream that holds other events is left
    unchanged.

    A malformed line is reported, and its stream ends before it; other streams continue. If the
    line does not say which stream it belongs to, all streams end before it. The exit status is
    then 1. Repair the line and import the file again to store the rest.
    """
    heads = max((config := place.config()).remembered_heads, REMEMBERED_HEADS)
    config = replace(
        config, report_capacity=True, remembered_heads=heads, max_parallel=options.workers
    )
    backend = DynamoBackend(config, observer=(meter := Meter()))

    def show(problem: LineError) -> None:
        if importer.summary.problems <= PROBLEMS_SHOWN:
            tell(_describe(problem), style="yellow")

    importer = Importer(backend.storage, options.settings(), meter=meter, on_problem=show)
    # What is loaded by now stays. The collector would look through all of it again and again.
    backend.prepare()
    gc.freeze()
    with open_source(file) as source:
        status = _run(importer, source)
    if (more := importer.summary.problems - PROBLEMS_SHOWN) > 0:
        tell(f"… and {more:,} more like these.", style="yellow")
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
        stored = count(summary.events, "event")  # and what the request in hand stores
        tell_interrupted(f"Interrupted after storing at least {stored}. {_AGAIN}")
        return INTERRUPTED
    except (EventStoreError, OSError):
        if summary.events:
            tell(f"Failed after storing {count(summary.events, 'event')}. {_AGAIN}")
        raise


def _describe(problem: LineError) -> str:
    text = f"line {problem.line}: {problem.reason.removesuffix('.')}."
    if problem.stream is None:
        return f"{text} It does not name its stream, so all later lines are skipped."
    return f"{text} The later lines of {problem.stream} are skipped."


def _table(summary: Summary) -> Table:
    """Return a summary for people, without figures that are zero as expected."""
    rows = {
        "events": f"{summary.events:,} in {count(summary.commits, 'commit')}",
        "streams": f"{summary.streams:,} of {count(summary.tenants, 'tenant')}",
        "already stored": f"{summary.already_stored:,}",
        "malformed": f"{summary.malformed:,}",
        "skipped": f"{summary.skipped:,}, {count(summary.refused_streams, 'stream')} refused",
        "requests": f"{summary.requests:,}{_per_event(summary, summary.requests)}",
        "write units": "not reported by this engine; see dynamo-es cost",
        "time": f"{summary.seconds:,.1f} s, {summary.events_per_second:,.0f} events a second",
    }
    if not summary.skipped:
        del rows["skipped"]
    if summary.write_units or not summary.events:
        units = summary.write_units
        rows["write units"] = f"{units:,.0f} (reported){_per_event(summary, units)}"
    return facts(*rows.items())


def _per_event(summary: Summary, amount: float) -> str:
    """Return the amount of one event; nothing if this import stored none."""
    return f", {summary.per_event(amount):.2f} an event" if summary.events else ""
