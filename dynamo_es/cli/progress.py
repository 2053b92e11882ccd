"""How far an import is: a bar on a terminal, else a line every few seconds; all on stderr."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from dynamo_es.cli.terminal import messages, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynamo_es.cli.importing import Counts, Source

SECONDS_BETWEEN_LINES: Final = 5.0


@contextmanager
def watched(
    source: Source, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[Counts], None]]:
    """Show how far the reading of a source is; call what this yields whenever it moved on.

    Args:
        source: what is read; with its size known, the remaining time is told.
        clock: seconds of a clock that only goes forward.
    """
    if not messages().is_terminal:
        yield _Lines(source, clock)
        return
    columns = (
        TextColumn("{task.fields[events]:,} events"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]:,.0f} a second"),
        TimeRemainingColumn(),
    )
    began = clock()
    with Progress(*columns, console=messages(), transient=True) as progress:
        task = progress.add_task("import", total=None, events=0, rate=0.0)

        def move_on(counts: Counts) -> None:
            rate = counts.done / max(clock() - began, 0.001)
            total = _expected_lines(source, counts)
            progress.update(task, completed=counts.done, total=total, events=counts.done, rate=rate)

        yield move_on


class _Lines:
    def __init__(self, source: Source, clock: Callable[[], float]) -> None:
        self._source = source
        self._clock = clock
        self._began = self._told = clock()

    def __call__(self, counts: Counts) -> None:
        now = self._clock()
        if now - self._told < SECONDS_BETWEEN_LINES:
            return
        self._told = now
        rate = counts.done / (now - self._began)
        text = f"{counts.done:,} events, {rate:,.0f} a second"
        total = _expected_lines(self._source, counts)
        if total and rate:
            left = timedelta(seconds=round((total - counts.done) / rate))
            text += f", {counts.done / total:.0%}, {left} left"
        tell(text)


def _expected_lines(source: Source, counts: Counts) -> float | None:
    """Return how many lines there will be, if those to come are like those read; None: no idea."""
    if not source.total or not source.bytes_read:
        return None
    return counts.lines * source.total / source.bytes_read
