"""``dynamo-es template``."""

import sys
from typing import Annotated, Final

import typer

from dynamo_es.cli.terminal.output import results
from dynamo_es.dynamodb.tables.template import template_path

TEMPLATES: Final = {
    "app": "everything below in one stack, which `dynamo-es deploy` deploys",
    "event-store": "the tables",
    "global-event-store": "the tables in several regions, instead of event-store",
    "existing-tables": "names of existing tables, such as restored ones, instead of event-store",
    "access": "a managed policy for each role of a program",
    "sequencer": "the function that gives events their positions in the log",
    "projection": "your read model as a function",
    "outbox": "the function that publishes events",
    "alarms": "alarms for the tables",
}
"""The templates in the order of deployment, with a description of what each one deploys."""


def template(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Name of the template. Default: list all templates."),
    ] = None,
) -> None:
    """Print a CloudFormation template, to deploy tables and functions on AWS.

    The comments in each template say how to deploy it, and which parts cost money.
    """
    if name is None:
        for known, what in TEMPLATES.items():
            results().print(f"{known:<18} {what}", markup=False, highlight=False)
        return
    if name not in TEMPLATES:
        raise typer.BadParameter(f"There is no template {name!r}. Names: {', '.join(TEMPLATES)}.")
    sys.stdout.write(text_of(name))


def text_of(name: str) -> str:
    """Return a template, from the installed package or the checkout.

    Raises:
        ConfigurationError: the template is missing, because the installation is damaged.
    """
    return template_path(name).read_text(encoding="utf-8")
