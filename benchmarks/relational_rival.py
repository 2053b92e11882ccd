"""Starts a PostgreSQL server, and runs the driver of eventsourcing's DCB recorder on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from benchmarks.environments import ROOT, NotRunError, call, installed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NAME: Final = "eventsourcing on PostgreSQL"
REQUIREMENT: Final = "eventsourcing[postgres]==9.5.6"
_PACKAGE: Final = "eventsourcing-postgres"
_DEBIAN: Final = "/usr/lib/postgresql/*/bin"
_START_SECONDS: Final = 20
_USER: Final = "postgres"
"""User of Debian's package, because the server refuses to run as root."""


class Times(NamedTuple):
    """Times of an operation, in milliseconds.

    Attributes:
        elapsed: elapsed time.
        cpu: CPU time of the client.
    """

    elapsed: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.elapsed:.1f} ({self.cpu:.1f})"


def run(lengths: Sequence[int], rounds: int) -> Mapping[int, tuple[Times, Times]]:
    """Return the times of an append and of a read, by length of the boundary.

    Raises:
        NotRunError: there is no server, or the library cannot be installed or run here.
    """
    programs = _programs()
    python = installed(_PACKAGE, REQUIREMENT)
    with _server(programs) as socket:
        command = [str(python), "-m", "benchmarks.relational_driver", str(socket), str(rounds)]
        printed = call(
            NAME, [*command, *map(str, lengths)], {**os.environ, "PYTHONPATH": str(ROOT)}
        )
    return {
        int(length): (Times(*times["append"]), Times(*times["read"]))
        for length, times in json.loads(printed).items()
    }


def _programs() -> Path:
    """Return the folder of the server's programs."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    folders = sorted(Path("/").glob(f"{_DEBIAN.lstrip('/')}/initdb"))
    if not folders:
        raise NotRunError(
            f"{NAME} was not run: there is no PostgreSQL server. Debian's package is postgresql."
        )
    return folders[-1].parent


@contextmanager
def _server(programs: Path) -> Iterator[Path]:
    """Run a server that only this machine can reach; yield the folder of its socket."""
    with ExitStack() as cleaning:
        folder = Path(tempfile.mkdtemp(prefix="dynamo-es-bench-"))
        cleaning.callback(shutil.rmtree, folder, ignore_errors=True)
        options: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        if os.geteuid() == 0:
            shutil.chown(folder, _USER)
            options |= {"user": _USER, "extra_groups": [], "cwd": folder}
        data = folder / "data"
        initdb = [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust"]
        done = subprocess.run(initdb, check=False, text=True, **options)  # noqa: S603 - no input
        if done.returncode:
            raise NotRunError(f"{NAME} was not run: initdb says {done.stderr.strip()[-200:]}")
        settings = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}"]
        server = subprocess.Popen(  # noqa: S603 - no input
            [str(programs / "postgres"), "-D", str(data), *settings], **options
        )
        cleaning.callback(_stop, server)
        _wait_for(folder / ".s.PGSQL.5432", server)
        yield folder


def _wait_for(socket: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not socket.exists():
        if server.poll() is not None or time.monotonic() > deadline:
            raise NotRunError(f"{NAME} was not run: the server did not start.")
        time.sleep(0.05)
    time.sleep(0.3)  # the server accepts connections a moment after the socket exists


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    server.wait(timeout=_START_SECONDS)
    if server.stderr is not None:
        server.stderr.close()
