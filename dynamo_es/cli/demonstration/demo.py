"""``dynamo-es demo``."""

from inspect import getdoc
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from dynamo_es.cli.options import AsJson
from dynamo_es.cli.terminal.output import print_json, results

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

    Every figure is measured or computed while you watch. Takes a few seconds.
    """
    # The account's classes exist from here on: other commands show your program's classes only.
    from dynamo_es.cli.demonstration.stage import Seen, sample_lines, set_stage
    from dynamo_es.cli.demonstration.steps import STEPS

    console = Console(quiet=True) if as_json else results()
    with set_stage(endpoint_url, sample_lines()) as stage:
        engine = endpoint_url or "an emulator of DynamoDB in this process"
        console.print(Text.assemble(("dynamo_es", "bold"), f" on {engine}"), soft_wrap=True)
        for number, (name, step) in enumerate(STEPS.items(), 1):
            title, _, sentence = (getdoc(step) or "").partition(".\n\n")
            console.print()
            console.rule(f"[bold]{number}  {title}", align="left", style="dim")
            console.print(Padding(" ".join(sentence.split()), _INDENT, expand=False))
            seen = Seen()
            step(stage, seen)
            stage.seen[name] = seen.figures
            console.print()
            console.print(Padding(seen.table, _INDENT, expand=False))
    if as_json:
        print_json({"engine": engine, **stage.seen})
    console.print(
        "\nNext: [bold]dynamo-es ui --demo[/bold] shows such a store in your browser; "
        "[bold]dynamo-es --help[/bold] lists all commands."
    )
