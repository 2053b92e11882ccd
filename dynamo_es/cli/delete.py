"""``dynamo-es delete``."""

from typing import Annotated

import typer
from rich.prompt import Confirm
from rich.text import Text

from dynamo_es.cli.options import AsJson, Chosen, Place
from dynamo_es.cli.rendering import count
from dynamo_es.cli.streams import find_head
from dynamo_es.cli.terminal import messages, print_json, printable, results, tell
from dynamo_es.dynamodb.backend import DynamoBackend


def delete(
    chosen: Chosen,
    place: Place,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a stream's events and snapshot. You cannot undo this.

    If a deletion is interrupted, run it again to finish it.
    """
    stream_id = chosen.id
    storage = DynamoBackend(place.config()).in_tenant(chosen.tenant).storage
    found = find_head(storage, stream_id)
    version = 0 if found is None else found.version
    if found is not None and not yes:
        _ask(f"Delete {count(version, 'event')} of {printable(str(chosen))} for good?")
    # Even without a stream: this removes what an interrupted deletion left.
    storage.delete_stream(stream_id)
    if as_json:
        print_json({"stream": str(stream_id), "existed": version > 0, "version": version})
    elif version:
        results().print(
            f"Deleted {chosen}: {count(version, 'event')}.", markup=False, soft_wrap=True
        )
    else:
        tell(f"There was no stream {chosen}.")


def _ask(question: str) -> None:
    try:
        agreed = Confirm.ask(Text(question), console=messages(), default=False)
    except EOFError:
        messages().print()  # ends the line of the question
        agreed = False
    if not agreed:
        tell("Nothing was deleted. To delete without a question: --yes")
        raise typer.Exit(1)
