"""``dynamo-es emulator``."""

from threading import Event
from typing import Annotated

import typer

from dynamo_es.cli.terminal.output import results, tell
from dynamo_es.cli.terminal.signals import ended_by_signals
from dynamo_es.exceptions import ConfigurationError, MissingExtraError


def emulator(
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port to listen on; 0: any free port.")
    ] = 8000,
) -> None:
    """Run DynamoDB on this machine until Ctrl-C, to try out programs and commands.

    It is the emulator of `DynamoBackend.local()`. Its data is in memory, and is lost when it ends.
    Only this machine can reach it. Needs the extra local.
    """
    try:
        from dynamo_es.dynamodb.emulator.server import serving
    except ImportError as error:
        raise MissingExtraError("local", "The emulator") from error
    stop = Event()
    try:
        with ended_by_signals(stop), serving(port) as address:
            results().print(f"http://{address}", markup=False, highlight=False)
            tell(f"The emulator is at http://{address} (Ctrl-C ends it).")
            stop.wait()
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen on port {port}: {error.strerror or error}. Choose another --port."
        ) from error
