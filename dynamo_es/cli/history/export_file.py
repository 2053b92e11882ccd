"""``dynamo-es export``."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISFIFO
from typing import Annotated

import typer

from dynamo_es.cli.history.exporting import Exporter, Wanted, Written, open_target
from dynamo_es.cli.options import AsJson, Chosen, Place
from dynamo_es.cli.streams.lookup import StreamNotFoundError, exists
from dynamo_es.cli.terminal.output import INTERRUPTED, print_json, tell, tell_interrupted
from dynamo_es.cli.terminal.progress import watched
from dynamo_es.cli.terminal.rendering import count
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.exceptions import TenantRequiredError
from dynamo_es.values import DEFAULT_TENANT


def export_file(  # noqa: PLR0913 - each argument is an option
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="File to write; gzip if it ends in .gz; - is standard output."
        ),
    ],
    place: Place,
    *,
    tenant: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="Only this tenant. Default: all. Required if each has a log."
        ),
    ] = None,
    category: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Only this category. Default: all."),
    ] = None,
    stream: Annotated[
        str | None,
        typer.Option(
            metavar="STREAM",
            help="Only this stream of --tenant and --category, by name or UUID.",
        ),
    ] = None,
    snapshots: Annotated[
        bool,
        typer.Option(help="Export the newest snapshot of each stream, with a load of each stream."),
    ] = True,
    encrypted: Annotated[
        bool,
        typer.Option(
            "--encrypted",
            help="Export encrypted fields as they are stored. An export never contains keys: to "
            "read the fields, copy the keys table too.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Export events as JSON lines that dynamo-es import reads.

    The lines contain everything that is stored: names, ids, versions, times, data, context and
    snapshots. So an import into other tables gives equal streams. The order is that of the log, up
    to its end when the export begins. The export leaves out deleted streams, and events without a
    position in the log, which dynamo-es log verify finds. To copy a store:

    dynamo-es export - | dynamo-es import - --events-table copy ...

    If FILE already contains a part of the same export, the export continues after it. So run the
    same command again after an interruption, or to add new events. A stream that is deleted after
    it was exported stays in the file.

    If an event has encrypted fields, the export fails, unless you give --encrypted.
    """
    if as_json and str(file) == "-":
        raise typer.BadParameter("--json prints to standard output: give a file, not -.")
    chosen = None
    if stream is not None:
        tenant = tenant or DEFAULT_TENANT
        chosen = Chosen(stream=stream, category=category, tenant=tenant)
    wanted = Wanted(
        tenant_id=tenant,
        category=category,
        stream_id=None if chosen is None else chosen.id,
        snapshots=snapshots,
        encrypted=encrypted,
    )
    backend = DynamoBackend(place.config())
    if backend.log.per_tenant and tenant is None:
        raise TenantRequiredError("An export of the log")
    if chosen is not None and not exists(backend.in_tenant(chosen.tenant).storage, chosen.id):
        raise StreamNotFoundError(chosen)
    with open_target(file, wanted) as (written, write):
        before, done = written.events, _in_words(written)
        exporter = Exporter(backend, wanted, written)
        try:
            with _progress_display() as show:
                for lines in exporter.run():
                    if lines:
                        write(lines)
                    done = _in_words(written)
                    show(*_progress(exporter, written))
        except KeyboardInterrupt:
            again = "Run the same command again: it continues."
            if str(file) == "-":
                again = "Run the same command again: an import skips what it has stored."
            tell_interrupted(f"Interrupted after {done}. {again}")
            raise typer.Exit(INTERRUPTED) from None
    if as_json:
        figures = {"events": written.events, "new_events": written.events - before}
        print_json({**figures, "streams": len(written.streams), "snapshots": written.snapshots})
        return
    tell(f"Exported {_in_words(written)}, {written.events - before:,} of them now.")


def _in_words(written: Written) -> str:
    return f"{count(written.events, 'event')} of {count(len(written.streams), 'stream')}"


@contextmanager
def _progress_display() -> Iterator[Callable[[str, float | None], None]]:
    """Show progress, unless the reader of a pipe shows its own progress on the same terminal."""
    if sys.stderr.isatty() and S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode):
        yield lambda _, __: None
        return
    with watched("0 events") as show:
        yield show


def _progress(exporter: Exporter, written: Written) -> tuple[str, float | None]:
    text = f"{count(written.events, 'event')}, {count(written.snapshots, 'snapshot')}"
    return text, written.position / exporter.end if exporter.end else None
