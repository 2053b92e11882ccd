"""Runs the command ``dynamo-es`` of shell blocks in forks of a process that has loaded it.

A page with ten commands would otherwise wait ten seconds for imports. Standard input and output,
folder, variables, arguments and exit status are those of the shell.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

VARIABLE: Final = "DYNAMO_ES_COMMAND_SERVER"
_LARGEST: Final = 1 << 17


def serve_commands(address: Path, ready: Any) -> None:
    """Serve commands at a socket, for ever; send True when it listens."""
    import dynamo_es.cli.application  # noqa: F401 - loaded once, for all commands

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(str(address))
        server.listen()
        ready.send(True)
        while True:
            caller, _ = server.accept()
            if os.fork() == 0:
                os._exit(_answer(caller))
            caller.close()


def _answer(caller: socket.socket) -> int:
    request, descriptors, _, _ = socket.recv_fds(caller, _LARGEST, 3)
    arguments, folder, environ = json.loads(request)
    for standard, given in enumerate(descriptors):
        os.dup2(given, standard)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    del os.environ[VARIABLE]  # so it is no variable of the library
    sys.path[:0] = environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.argv = ["dynamo-es", *arguments]
    Thread(target=_end_with, args=[caller], daemon=True).start()
    caller.send(str(_status()).encode())
    return 0


def _end_with(caller: socket.socket) -> None:
    """End this process when its shell does, such as a server in the background of a page."""
    caller.recv(1)
    os._exit(1)


def _status() -> int:
    from dynamo_es.cli import main

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with (
        open(0, encoding="utf-8", closefd=False) as sys.stdin,
        open(1, "w", encoding="utf-8", closefd=False) as sys.stdout,
        open(2, "w", encoding="utf-8", closefd=False) as sys.stderr,
    ):
        try:
            main()
        except SystemExit as ended:
            if isinstance(ended.code, str):
                sys.stderr.write(f"{ended.code}\n")
            return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0
