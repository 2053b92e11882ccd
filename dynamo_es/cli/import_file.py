"""``dynamo-es import``."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from dynamo_es.cli.importing import (
    Defaults,
    Importer,
    Meter,
    Problem,
    Settings,
    Source,
    open_source,
)
from dynamo_es.cli.options import AsJson, Place
from dynamo_es.cli.progress import watched
from dynamo_es.cli.summary import summary_document, summary_table
from dynamo_es.cli.terminal import INTERRUPTED, print_json, results, tell
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.exceptions import EventStoreError
from dynamo_es.values import DEFAULT_TENANT

PROBLEMS_SHOWN = 20
"""Lines that were not stored are named one by one up to here, then counted."""

REMEMBERED_HEADS = 100_000
"""Streams whose version is remembered: a history that hops between many would pay for reads."""

_AGAIN = "Run the same command again: it continues, and stores nothing twice."


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How to import."""

    tenant: Annotated[
        str, typer.Option(help="Tenant of the lines that have none.", metavar="TEXT")
    ] = DEFAULT_TENANT
    category: Annotated[
        str | None, typer.Option(help="Category of the lines that have none.", metavar="TEXT")
    ] = None
    events_per_commit: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Most events of one commit. Consecutive lines of one stream become one.",
        ),
    ] = 100
    group_by_stream: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Gather the events of each stream from all over the file into commits of N, "
            "instead. The order within a stream is kept, the order between streams is lost.",
        ),
    ] = None
    workers: Annotated[
        int,
        typer.Option(min=1, max=64, metavar="N", help="Threads that append, each its own streams."),
    ] = 4

    def settings(self) -> Settings:
        """Return the same for the importer."""
        return Settings(
            workers=self.workers,
            events_per_commit=self.group_by_stream or self.events_per_commit,
            gather=self.group_by_stream is not None,
            defaults=Defaults(self.tenant, self.category),
        )


def _check_file(file: Path) -> Path:
    # Not typer's own checks: with them, it takes - for the name of a file.
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
    manner: Manner,
    place: Place,
    *,
    as_json: AsJson = False,
) -> None:
    """Import a history: JSON lines with stream, type, at (ISO 8601), data, tenant, category.

    Each line is an event: "type" is its name, "at" its time; the stream's UUID is derived from
    "stream". Tenant and category may be missing, or null; other fields are ignored. The events
    of a stream are appended in their order, and their ids are derived from the file: after a
    crash, or when the file has grown, import it again, and what is stored already is passed
    over. Where a stream holds other events, it is left as it is.

    A line that is no event is reported, and its stream ends before it; other streams go on. If
    the line does not tell its stream, all streams end before it. The exit status is then 1.
    Repair the line and import the file again: that stores the rest.
    """
    config = place.config()
    meter = Meter()
    heads = max(config.remembered_heads, REMEMBERED_HEADS)
    backend = DynamoBackend(
        replace(config, report_capacity=True, remembered_heads=heads), observer=meter
    )
    problems = _Problems()
    with open_source(file) as source, watched(source) as progress:
        importer = Importer(
            backend.storage,
            manner.settings(),
            meter=meter,
            on_problem=problems,
            on_progress=lambda: progress(importer.counts),
        )
        status = _run(importer, source)
    problems.close()
    summary = importer.summary
    if as_json:
        print_json(summary_document(summary))
    else:
        results().print(summary_table(summary))
    raise typer.Exit(status)


def _run(importer: Importer, source: Source) -> int:
    """Run an import and return the exit status."""
    try:
        return 0 if importer.run(source).clean else 1
    except KeyboardInterrupt:
        tell(f"Interrupted; {importer.counts.events:,} events were stored. {_AGAIN}")
        return INTERRUPTED
    except (EventStoreError, OSError):
        if importer.counts.events:
            tell(f"{importer.counts.events:,} events were stored before this. {_AGAIN}")
        raise


class _Problems:
    """Tells of the first lines that were not stored, and counts the others."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, problem: Problem) -> None:
        self._count += 1
        if self._count > PROBLEMS_SHOWN:
            return
        text = f"line {problem.line}: {problem.reason.removesuffix('.')}."
        if problem.stream is None:
            text += " It does not tell its stream, so all later lines are skipped."
        else:
            text += f" The later lines of {problem.stream} are skipped."
        tell(text, style="yellow")

    def close(self) -> None:
        """Say how many were not named."""
        if self._count > PROBLEMS_SHOWN:
            tell(f"… and {self._count - PROBLEMS_SHOWN:,} more like these.", style="yellow")
