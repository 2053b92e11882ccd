"""Shows how far a command is: live on a terminal, else a line every few seconds; on stderr."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from dynamo_es.cli.terminal.output import live, messages, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS_BETWEEN_LINES: Final = 5.0


@contextmanager
def ticking(
    first: str, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[str], None]]:
    """Show what a command is doing; call the yielded function whenever that changes.

    Args:
        first: the text that a terminal shows until then.
        clock: seconds of a clock that only goes forward.
    """
    console = messages()
    if console.is_terminal:
        with live(console), console.status(first) as status:
            yield status.update
        return
    shown = clock()

    def show(text: str) -> None:
        nonlocal shown
        if clock() - shown >= SECONDS_BETWEEN_LINES:
            shown = clock()
            tell(text)

    yield show


@contextmanager
def watched(
    first: str, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[str, float | None], None]]:
    """Show how far a command is; call the yielded function with a text and the part that is done.

    Args:
        first: the text that a terminal shows until then.
        clock: seconds of a clock that only goes forward.
    """
    console, began = messages(), clock()
    if not console.is_terminal:
        with ticking(first, clock) as tick:

            def tell_progress(text: str, part: float | None) -> None:
                if part:
                    left = timedelta(seconds=round((clock() - began) * (1 / part - 1)))
                    text += f", {part:.0%}, {left} left"
                tick(text)

            yield tell_progress
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        TimeRemainingColumn(compact=True),
    )
    with live(console), Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(first, total=None)

        def move_bar(text: str, part: float | None) -> None:
            total = None if part is None else 1.0
            progress.update(task, description=text, completed=part or 0.0, total=total)

        yield move_bar
