"""Shows a command's progress on stderr: live on a terminal, otherwise a line every few seconds."""

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
    """Show what a command is doing. Call the yielded function with each new text.

    Args:
        first: the text that a terminal shows at first.
        clock: returns seconds of a monotonic clock.
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
    """Show the progress of a command. Call the yielded function with a text and the done share.

    Args:
        first: the text that a terminal shows at first.
        clock: returns seconds of a monotonic clock.
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
