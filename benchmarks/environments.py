"""Installs other packages into separate environments, and runs drivers in them."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT: Final = Path(__file__).parents[1]
_LIMIT_SECONDS: Final = 300


class NotRunError(Exception):
    """A package could not be installed or run; the message has the command and its result."""


def installed(name: str, requirement: str) -> Path:
    """Return the interpreter of a package's own environment, which is created if missing.

    Raises:
        NotRunError: the package cannot be installed here.
    """
    folder = ROOT / ".cache" / name
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not python.exists():
        venv.create(folder, with_pip=True)
    stamp = folder / ".installed"
    if not stamp.exists() or stamp.read_text() != requirement:
        command = [str(python), "-m", "pip", "install", "--quiet", requirement]
        call(name, command, os.environ)
        stamp.write_text(requirement)
    return python


def call(name: str, command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a command and return its output.

    Raises:
        NotRunError: the command fails, or takes too long.
    """
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter
            command,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=_LIMIT_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no message"])[-1]
        raise NotRunError(
            f"{name} was not run: `{' '.join(command[1:])}` ended with status "
            f"{error.returncode}: {last}"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise NotRunError(
            f"{name} was not run: `{' '.join(command[1:])}` took over {_LIMIT_SECONDS} s."
        ) from error
    return done.stdout
