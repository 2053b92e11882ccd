"""Turns the error of a command into a message and an exit status."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperGroup

from dynamo_es.cli.options import wants_traceback
from dynamo_es.cli.terminal.output import INTERRUPTED, fail, tell_interrupted
from dynamo_es.exceptions import (
    CredentialsError,
    EventStoreError,
    ServiceError,
    TableNotFoundError,
    UnknownOutboxEntryError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

# Advice that names commands and options instead of calls.
_ADVICE: Final = {
    TableNotFoundError: (
        "Check the table names, the region and the account. To create the tables: "
        "dynamo-es create-tables"
    ),
    CredentialsError: (
        "Check the credentials (--profile), the region (--region) and the policy of the role."
    ),
}
_NO_CONNECTION: Final = "EndpointConnectionError"


class Commands(TyperGroup):
    """Turns the error of a command into one line on stderr and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command. An error that has a message ends it with status 1."""
        try:
            with _interruptible():
                return super().invoke(ctx)
        except Exception as error:
            message = message_of(error)
            if message is None or wants_traceback(ctx):
                raise
            fail(message)
            raise typer.Exit(1) from error
        except KeyboardInterrupt:
            tell_interrupted("Interrupted.")
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


def message_of(error: Exception) -> str | None:
    """Return the message for an error; None if only a traceback explains it."""
    if isinstance(error, UnknownOutboxEntryError):
        return (
            f"The outbox {error.outbox!r} has no failed entry at position {error.position!r}. "
            "To list the failed events: dynamo-es outbox list"
        )
    if isinstance(error, ServiceError):
        return _with_commands(error)
    if isinstance(error, EventStoreError):
        return str(error)
    if isinstance(error, OSError):
        # If the reader of a pipe has ended (``| head``), nobody would see a message.
        return None if isinstance(error, BrokenPipeError) else str(error)
    from botocore.exceptions import BotoCoreError

    if isinstance(error, BotoCoreError):  # no client could be made, for example without a region
        from dynamo_es.dynamodb.wire.errors import translate

        return message_of(translate(error, "connect"))
    return None


def _with_commands(error: ServiceError) -> str:
    """Return the message of an error of AWS, with advice for the command line."""
    text = str(error).removesuffix(error.advice).rstrip()
    if error.code == _NO_CONNECTION:
        return f"{text} Check the address (--endpoint-url), and that an engine is running there."
    return f"{text} {_ADVICE.get(type(error), error.advice)}".rstrip()
