"""Asks before a command changes what cannot be changed back."""

from __future__ import annotations

import typer

from dynamo_es.cli.terminal import confirmed, tell


def refuse_unless_confirmed(question: str, refused: str) -> None:
    """Ask a question, and end the command with status 1 unless the answer is yes.

    Args:
        question: says what the command is about to do.
        refused: says that nothing was done, if the answer is no.
    """
    if not confirmed(question):
        tell(f"{refused} To go on without a question: --yes")
        raise typer.Exit(1)
