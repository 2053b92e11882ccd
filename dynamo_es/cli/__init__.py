"""The command line ``dynamo-es``; typer and rich, which it needs, come with the extra ``cli``."""

from __future__ import annotations

import sys

from dynamo_es.exceptions import MissingExtraError


def main() -> None:
    """Run the command that the process was started with, and exit with its status.

    0: done; 1: failed, with a message on stderr; 2: wrong usage; 130: interrupted.
    """
    try:
        import rich  # noqa: F401 - both are looked for before either is used
        import typer  # noqa: F401
    except ImportError:
        sys.exit(str(MissingExtraError("cli", "The command line")))
    try:
        from dynamo_es.cli.application import application

        application(prog_name="dynamo-es")
    except KeyboardInterrupt:  # between the commands' own handling and the end
        sys.exit(130)
