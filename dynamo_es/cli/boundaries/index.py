"""``dynamo-es boundary index``: the worker that writes a boundary's tag index."""

from threading import Event
from typing import Annotated

import typer

from dynamo_es.cli.options import AsJson, Place
from dynamo_es.cli.terminal.output import print_json, tell
from dynamo_es.cli.terminal.progress import ticking
from dynamo_es.cli.terminal.rendering import count
from dynamo_es.cli.terminal.signals import ended_by_signals
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.values import DEFAULT_TENANT


def index(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the boundary.")],
    place: Place,
    *,
    tenant: Annotated[str, typer.Option(metavar="TEXT", help="The boundary's tenant.")] = (
        DEFAULT_TENANT
    ),
    once: Annotated[
        bool, typer.Option("--once", help="Exit when all events are in the index.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run a worker that writes the tag index of a boundary, until Ctrl-C or SIGTERM.

    A process with DYNAMO_ES_TAG_INDEX=true uses the index. Several workers may run at once.
    """
    worker = DynamoBackend(place.config()).in_tenant(tenant).boundary(name).index
    stop = Event()
    with ended_by_signals(stop), ticking("Writing the tag index"):
        indexed = worker.run_once(stop=stop) if once else worker.run_forever(stop)
    if as_json:
        print_json({"boundary": name, "indexed": indexed})
    tell(f"{count(indexed, 'event')} indexed.")
    if stop.is_set():
        raise KeyboardInterrupt
