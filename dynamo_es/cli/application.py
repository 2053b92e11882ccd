"""Registers the commands, and turns their errors into messages and exit statuses."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from dynamo_es import __version__
from dynamo_es.cli import outbox
from dynamo_es.cli.checkpoints import checkpoints
from dynamo_es.cli.cost import cost
from dynamo_es.cli.create_tables import create_tables
from dynamo_es.cli.delete import delete
from dynamo_es.cli.demo import demo
from dynamo_es.cli.head import head
from dynamo_es.cli.import_file import import_file
from dynamo_es.cli.list_streams import list_streams
from dynamo_es.cli.log import repair, set_aside, verify
from dynamo_es.cli.options import expanded
from dynamo_es.cli.sequence import sequence
from dynamo_es.cli.show import show
from dynamo_es.cli.tail import tail
from dynamo_es.cli.terminal import INTERRUPTED, fail, tell
from dynamo_es.cli.ui import ui
from dynamo_es.exceptions import EventStoreError, TableNotFoundError, UnknownOutboxEntryError

_CREATE_TABLES = (
    "Check the table names, the region and the account. To create the tables: "
    "dynamo-es create-tables"
)


class _Commands(TyperGroup):
    """Turns the error of a command into one line on stderr and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        try:
            with _interruptible():
                return super().invoke(ctx)
        except Exception as error:
            message = _message(error)
            if message is None or ctx.params["debug"]:
                raise
            fail(message)
            raise typer.Exit(1) from error
        except KeyboardInterrupt:
            tell("Interrupted.")
            raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt here; restore the handler afterwards."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN or current_thread() is not main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _message(error: Exception) -> str | None:
    """Return the message for an error; None if only a traceback explains it."""
    if type(error) is TableNotFoundError:
        return f"{str(error).removesuffix(error.advice)}{_CREATE_TABLES}"
    if isinstance(error, UnknownOutboxEntryError):
        return (
            f"The outbox {error.outbox!r} has no failed entry at position {error.position!r}. "
            "To list the failed events: dynamo-es outbox list"
        )
    if isinstance(error, EventStoreError):
        return str(error)
    if isinstance(error, OSError):
        # The reader of a pipe has ended (``| head``): a message would reach no reader.
        return None if isinstance(error, BrokenPipeError) else str(error)
    from botocore.exceptions import BotoCoreError

    if isinstance(error, BotoCoreError):  # no client could be made, such as without a region
        from dynamo_es.dynamodb.wire.errors import translate

        return str(translate(error, "connect"))
    return None


application = typer.Typer(
    name="dynamo-es",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",  # the only mode that wraps paragraphs
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer passes it so
    if wanted:
        sys.stdout.write(f"dynamo-es {__version__}\n")
        raise typer.Exit


@application.callback()
def _options(
    *,
    debug: Annotated[
        bool, typer.Option(envvar="DYNAMO_ES_DEBUG", help="Show the traceback of an error.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """An event store on Amazon DynamoDB: one conditional write per append.

    Name the tables with DYNAMO_ES_EVENTS_TABLE, DYNAMO_ES_LOG_TABLE and DYNAMO_ES_KEYS_TABLE, or
    with options. Credentials and region come from the AWS SDK.

    Results go to stdout, everything else to stderr. Exit status: 0 done, 1 failed, 2 wrong
    usage, 130 interrupted.
    """
    del debug, version


def _register(command: Callable[..., None], name: str) -> None:
    application.command(name)(expanded(command))


_register(demo, "demo")
_register(create_tables, "create-tables")
_register(import_file, "import")
_register(show, "show")
_register(head, "head")
_register(delete, "delete")
_register(sequence, "sequence")
_register(tail, "tail")
_register(list_streams, "streams")
_register(checkpoints, "checkpoints")
_register(cost, "cost")
_register(ui, "ui")

_log_commands = typer.Typer(
    no_args_is_help=True, help="Verify or repair the log, and list what is set aside."
)
_log_commands.command("verify")(expanded(verify))
_log_commands.command("repair")(expanded(repair))
_log_commands.command("set-aside")(expanded(set_aside))
application.add_typer(_log_commands, name="log")

_outbox_commands = typer.Typer(
    no_args_is_help=True, help="List events that could not be published, and retry them."
)
_outbox_commands.command("list")(expanded(outbox.list_entries))
_outbox_commands.command("retry")(expanded(outbox.retry))
application.add_typer(_outbox_commands, name="outbox")
