"""``dynamo-es demo``."""

from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.padding import Padding

from dynamo_es.cli.demonstration import steps
from dynamo_es.cli.demonstration.stage import Stage, describe, open_sample, read_streams, set_stage
from dynamo_es.cli.options import AsJson
from dynamo_es.cli.terminal.output import print_json, results

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.cli.demonstration.stage import Seen

_INDENT: Final = (0, 0, 0, 3)


def demo(
    *,
    endpoint_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Run on the DynamoDB at this address, in tables that the demo creates and "
            "deletes at the end. Default: an emulator in this process.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Import a sample of a real history and show what the store does with it.

    Every figure is measured or computed while you watch. Takes about ten seconds.
    """
    with open_sample() as source:
        streams = read_streams(source)
    console = Console(quiet=True) if as_json else results()
    with set_stage(endpoint_url, streams) as stage:
        console.print(f"[bold]dynamo_es[/bold] on {stage.engine}", soft_wrap=True)
        _play(stage, console)
    if as_json:
        print_json({"engine": stage.engine, **stage.seen})
        return
    console.print()
    console.print(
        "Next: [bold]dynamo-es --help[/bold], [bold]create-tables[/bold] and [bold]import[/bold]."
    )


def _steps() -> "dict[str, Callable[[Stage], Seen]]":
    """Return the steps by their names in the result."""
    # Its classes exist from here on: other commands show the classes of the user's program alone.
    from dynamo_es.cli.demonstration import account

    return {
        "import": steps.import_sample,
        "comparison": steps.compare,
        "conflict": steps.provoke_conflict,
        "snapshot": steps.use_snapshot,
        "transaction": account.transact,
        "lifted": account.upcast,
        "forgotten": account.forget,
        "tenants": steps.separate_tenants,
        "lost_reply": steps.lose_a_reply,
        "bill": steps.make_bill,
    }


def _play(stage: Stage, console: Console) -> None:
    """Announce each step, take it, and show what it saw."""
    for number, (name, step) in enumerate(_steps().items(), 1):
        title, sentence = describe(step)
        console.print()
        console.rule(f"[bold]{number}  {title}", align="left", style="dim")
        console.print(Padding(sentence, _INDENT, expand=False))
        stage.seen[name], shown = step(stage)
        if not shown.show_header:  # a table with headings brings an empty line of its own
            console.print()
        console.print(Padding(shown, _INDENT, expand=False))
