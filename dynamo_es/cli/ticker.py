"""What a command that takes long is at: one line on a terminal, else one every few seconds."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dynamo_es.cli.progress import SECONDS_BETWEEN_LINES
from dynamo_es.cli.terminal import messages, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def ticking(
    first: str, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[str], None]]:
    """Show what a command is at, on stderr; call what this yields whenever that has changed.

    Args:
        first: shown on a terminal until then.
        clock: seconds of a clock that only goes forward.
    """
    console = messages()
    if console.is_terminal:
        with console.status(first) as status:
            yield status.update
        return
    told = clock()

    def show(text: str) -> None:
        nonlocal told
        if clock() - told >= SECONDS_BETWEEN_LINES:
            told = clock()
            tell(text)

    yield show
