"""The command line ``dynamo-es``; typer and rich, which it needs, come with the extra ``cli``."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import FrameType

_INTERRUPTED: Final = 130


def main() -> None:
    """Run the command that the process was started with, and exit with its status.

    0: done; 1: failed, with a message on stderr; 2: wrong usage; 130: interrupted. While modules
    are loaded, and after the command, nothing has to be tidied up: an interruption then ends the
    process at once. The command itself is interrupted as any program is.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler or current_thread() is not main_thread():
        _main()  # started with Ctrl-C ignored, as by nohup: so it stays
        return
    signal.signal(signal.SIGINT, _end_at_once)
    try:
        _main()
    finally:
        # Of a program that goes on afterwards, as a test does, the handler is its own again.
        if sys._getframe(1).f_globals.get("__name__") != "__main__":  # noqa: SLF001
            signal.signal(signal.SIGINT, before)


def _main() -> None:
    from dynamo_es.exceptions import MissingExtraError

    try:
        import rich  # noqa: F401 - both are looked for before either is used
        import typer  # noqa: F401
    except ImportError:
        sys.exit(str(MissingExtraError("cli", "The command line")))
    try:
        from dynamo_es.cli.application import application

        application(prog_name="dynamo-es")
    except KeyboardInterrupt:  # between the commands' own handling and the end
        sys.exit(_INTERRUPTED)


def _end_at_once(number: int, frame: FrameType | None) -> None:
    del number, frame
    with suppress(BaseException):  # it may have come in the middle of that
        sys.stdout.flush()
    os._exit(_INTERRUPTED)
