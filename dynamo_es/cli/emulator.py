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
        int, typer.Option(min=0, max=65_535, help="Port to listen on; 0: any free one.")
    ] = 8000,
) -> None:
    """Run DynamoDB on this machine until Ctrl-C, for programs and commands that you try out.

    It is the emulator of `DynamoBackend.local()`, in memory: what is stored ends with it. Only this
    machine reaches it. Needs the extra local.
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
            f"Port {port} cannot be listened on: {error.strerror or error}. Choose another --port."
        ) from error
