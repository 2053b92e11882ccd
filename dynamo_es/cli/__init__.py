"""The command line ``dynamo-es``. It needs typer and rich, which the extra ``cli`` installs."""

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
    """Run the command in ``sys.argv`` and exit with its status.

    0: done; 1: failed, with a message on stderr; 2: wrong usage; 130: interrupted. While modules
    are imported, and after the command, there is nothing to clean up, so Ctrl-C ends the process at
    once. The command itself handles Ctrl-C like any program.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler or current_thread() is not main_thread():
        _main()  # Ctrl-C was ignored at the start, for example by nohup: keep it ignored
        return
    signal.signal(signal.SIGINT, _end_at_once)
    try:
        _main()
    finally:
        # Give a caller that goes on afterwards, such as a test, its handler back.
        if sys._getframe(1).f_globals.get("__name__") != "__main__":  # noqa: SLF001
            signal.signal(signal.SIGINT, before)


def _main() -> None:
    from dynamo_es.exceptions import MissingExtraError

    try:
        import rich  # noqa: F401 - checks that both are installed
        import typer  # noqa: F401
    except ImportError:
        sys.exit(str(MissingExtraError("cli", "The command line")))
    try:
        from dynamo_es.cli.application import application

        application(prog_name="dynamo-es")
    except KeyboardInterrupt:  # after the command's own handling
        sys.exit(_INTERRUPTED)


def _end_at_once(number: int, frame: FrameType | None) -> None:
    del number, frame
    with suppress(BaseException):  # the signal may arrive during a flush
        sys.stdout.flush()
    os._exit(_INTERRUPTED)
