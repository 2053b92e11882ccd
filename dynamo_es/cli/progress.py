"""Shows how far a command is: live on a terminal, else a line every few seconds; on stderr."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from dynamo_es.cli.terminal import live, messages, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynamo_es.cli.importing import Source, Summary

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
    source: Source, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[Summary], None]]:
    """Show how far the import of a source is; call the yielded function about every tick.

    Args:
        source: the input; the remaining time is shown if its size is known.
        clock: seconds of a clock that only goes forward.
    """
    began = clock()

    def rate(counts: Summary) -> float:
        return counts.done / max(clock() - began, 0.001)

    if not messages().is_terminal:
        with ticking("", clock) as tick:

            def tell_progress(counts: Summary) -> None:
                text = f"{counts.done:,} events, {rate(counts):,.0f} a second"
                total = _expected_lines(source, counts)
                if total and counts.done:
                    left = timedelta(seconds=round((total - counts.done) / rate(counts)))
                    text += f", {counts.done / total:.0%}, {left} left"
                tick(text)

            yield tell_progress
        return
    columns = (
        TextColumn("{task.fields[events]:,} events"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]:,.0f} a second"),
        TimeRemainingColumn(),
    )
    console = messages()
    with live(console), Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("import", total=None, events=0, rate=0.0)

        def move_bar(counts: Summary) -> None:
            done, total = counts.done, _expected_lines(source, counts)
            progress.update(task, completed=done, total=total, events=done, rate=rate(counts))

        yield move_bar


def _expected_lines(source: Source, counts: Summary) -> float | None:
    """Return the expected lines, from the average line so far; None if the size is unknown."""
    if not source.total or not source.bytes_read:
        return None
    return counts.lines * source.total / source.bytes_read
