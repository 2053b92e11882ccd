"""Ctrl-C ends the command line with status 130 and without a traceback, whenever it comes."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import pytest

_WHEN = {
    "while it loads typer": "interrupt_import_of('typer')",
    "while it loads its commands": "interrupt_import_of('dynamo_es.cli.application')",
    "after the command": "atexit.register(os.kill, os.getpid(), signal.SIGINT)",
}
_PROGRAM = """
import atexit, os, signal, sys
from dynamo_es.cli import main

class Interrupting:
    def __init__(self, name):
        self.name = name

    def find_spec(self, name, *_):
        if name == self.name:
            os.kill(os.getpid(), signal.SIGINT)

def interrupt_import_of(name):
    sys.meta_path.insert(0, Interrupting(name))

# A program that a shell starts in the background ignores the signal.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = ["dynamo-es", "--version"]
{when}
main()
"""


@pytest.mark.parametrize("when", _WHEN)
def test_an_interruption_is_no_traceback(when: str) -> None:
    program = _PROGRAM.format(when=_WHEN[when])
    ended = subprocess.run(  # noqa: S603 - this very program
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 130
    assert ended.stderr == ""
    if when == "after the command":
        assert ended.stdout.startswith("dynamo-es ")


def test_a_command_is_interrupted_as_usual(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "dynamo_es.cli.options.Place.config", lambda _: signal.raise_signal(signal.SIGINT)
    )
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        ended = run("sequence")
        assert (ended.status, ended.err) == (130, "Interrupted.\n")
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_stays_ignored_where_it_is(run: Any) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run("--version").status == 0
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
