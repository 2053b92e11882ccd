"""``dynamo-es shell``."""

import code
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Annotated, Any

import typer

from dynamo_es.cli.failures import message_of
from dynamo_es.cli.options import Place
from dynamo_es.cli.terminal.output import tell
from dynamo_es.cli.your_program import load_module, your_program
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.dynamodb.config import DynamoConfig
from dynamo_es.values import StreamId


def shell(
    place: Place,
    *,
    modules: Annotated[
        list[str] | None,
        typer.Option(
            "--import",
            metavar="MODULE",
            help="Import this module, such as my_app.events, and its public names. Repeatable.",
        ),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option("--command", "-c", metavar="CODE", help="Run this Python code, then exit."),
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="Limit the backend to this tenant. Default: all tenants."
        ),
    ] = None,
) -> None:
    """Open a Python shell on the store, with `backend`, `event_store`, `StreamId` and your events.

    It is IPython if that is installed. Import the modules of your events, so that events are loaded
    as objects of their classes.
    """
    config = place.config()
    with your_program(place.variables):
        backend = DynamoBackend(config)
        if tenant is not None:
            backend = backend.in_tenant(tenant)
        names: dict[str, Any] = {}
        for module in map(load_module, modules or ()):
            names |= _public_names(module)
        names |= {"backend": backend, "event_store": backend.event_store, "StreamId": StreamId}
        if command is not None:
            _execute(command, names)
            return
        for line in _banner(config, tenant, modules or []):
            tell(line)
        _interact(names)


def _execute(command: str, names: dict[str, Any]) -> None:
    """Run Python code. An error without a message for users ends it with a traceback.

    The traceback begins in the code, as with ``python -c``.
    """
    try:
        exec(compile(command, "<command>", "exec"), names)  # noqa: S102 - the user's own code
    except Exception as error:
        if message_of(error) is not None or isinstance(error, BrokenPipeError):
            raise
        own = error.__traceback__.tb_next if error.__traceback__ is not None else None
        sys.stderr.write("".join(traceback.format_exception(error.with_traceback(own))))
        raise typer.Exit(1) from error


def _public_names(module: ModuleType) -> dict[str, Any]:
    """Return the names that ``from module import *`` would import, and the module's last name."""
    chosen = getattr(module, "__all__", None)
    names = (
        [name for name in vars(module) if not name.startswith("_")] if chosen is None else chosen
    )
    last = module.__name__.rpartition(".")[2]
    return {last: module, **{name: getattr(module, name) for name in names}}


def _banner(config: DynamoConfig, tenant: str | None, modules: list[str]) -> list[str]:
    where = config.endpoint_url or "AWS"
    scope = "the default tenant" if not tenant else f"the tenant {tenant}"
    imported = "".join(f", the names of {name}" for name in modules)
    return [
        f"dynamo_es on {where}, tables {', '.join(config.tables)}.",
        f"You have: backend, event_store (of {scope}), StreamId{imported}.",
        "For example: event_store.load_stream(StreamId(name='ann', category='account'))",
    ]


def _interact(names: dict[str, Any]) -> None:
    """Read and run Python code until the input ends."""
    if find_spec("IPython") is not None:
        import_module("IPython").start_ipython(argv=["--no-banner"], user_ns=names)
        return
    with suppress(ImportError):  # some builds of Python lack it
        import readline  # noqa: F401 - arrow keys and history
    code.interact(banner="", exitmsg="", local=names)
