"""Prints to the terminal: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import typer
from rich.console import Console
from rich.prompt import Confirm
from rich.text import Text

from dynamo_es.environment import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamo_es.values import RawEvent

INTERRUPTED: Final = 130
"""Exit status after Ctrl-C: 128 plus the number of the signal."""

PIPED_WIDTH: Final = 100
"""Width of output to a pipe or a file, unless the environment variable COLUMNS is set."""

_live: Final[list[Console]] = []  # for all threads


def results() -> Console:
    """Return the console of stdout."""
    return _console(stderr=False)


def messages() -> Console:
    """Return the console of stderr; if there is a live display, the console that shows it."""
    return _live[-1] if _live else _console(stderr=True)


@contextmanager
def live(console: Console) -> Iterator[None]:
    """Print all messages on this console, so that they appear above its live display."""
    _live.append(console)
    try:
        yield
    finally:
        _live.remove(console)


def tell(message: str, style: str | None = None) -> None:
    """Print one line on stderr."""
    line = " ".join(printable(part) for part in message.splitlines())
    console = messages()
    # On a terminal, let rich wrap the line: the terminal itself would break it within words.
    whole = not console.is_terminal
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=whole)


def tell_interrupted(message: str) -> None:
    """Print what an interrupted command has done, on the line after the terminal's ``^C``."""
    if messages().is_terminal:
        messages().print()
    tell(message)


def fail(message: str) -> None:
    """Print why a command failed, as one line on stderr."""
    tell(f"dynamo-es: {message}", style="red")


def refuse_unless_confirmed(question: str, refused: str) -> None:
    """Ask a question on stderr, and end the command with status 1 unless the answer is yes.

    Args:
        question: a question that says what the command is about to do.
        refused: a message for the answer no, which says that nothing was done. No answer means no.
    """
    console = messages()
    console.print(Text(printable(question)), soft_wrap=not console.is_terminal)
    try:
        confirmed = Confirm.ask("Go on?", console=console, default=False)
    except EOFError:
        console.print()  # ends the line of the question
        confirmed = False
    if not confirmed:
        tell(f"{refused} To skip the question: --yes")
        raise typer.Exit(1)


def print_json(document: Any) -> None:
    """Print a JSON document as one line on stdout, without colours or wrapping."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")


def event_document(event: RawEvent) -> dict[str, Any]:
    """Return an event as JSON."""
    return {
        "version": event.version,
        "uuid": str(event.uuid),
        "created_at": event.created_at.isoformat(),
        "name": event.name,
        "data": event.data,
        "context": event.context,
    }


def printable(text: str) -> str:
    """Return text with control characters escaped, so that it cannot control a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal and COLUMNS.read() is None:
        console.width = PIPED_WIDTH
    return console
