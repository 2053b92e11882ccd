"""Runs the blocks of a page in a process of its own, like a reader who types them in."""

from __future__ import annotations

import io
import linecache
import os
import re
import signal
import subprocess
import sys
import traceback
import types
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

from tests.docs.command_server import VARIABLE
from tests.docs.pages import PYTHON, ROOT, Block, blocks_of, name_of

COMMANDS: Final = Path(__file__).with_name("commands")
"""Stand-ins for commands that install or deploy; they check their arguments."""

ENDPOINT: Final = "127.0.0.1:8000"
"""Where the pages say that an emulator answers."""

_PORT: Final = "--port 8000"

_TABLES: Final = {f"DYNAMO_ES_{name}_TABLE": name.lower() for name in ("EVENTS", "LOG", "KEYS")}
_AWS: Final = {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
_SECONDS: Final = 60


class BlockFailedError(Exception):
    """A block failed, or printed something other than its page says."""


@dataclass(slots=True)
class Terminal:
    """The shell of a reader: a folder, and the variables that were exported in it.

    Attributes:
        folder: where it began.
        emulator: host and port of the emulator.
    """

    folder: Path
    emulator: str
    _groups: list[int] = field(default_factory=list)

    def run(self, block: Block, where: str) -> str:
        """Run a block and return what it prints."""
        state = self.folder / ".terminal"
        known = f". {state}\n" if state.exists() else ""
        keep = f'{{ export -p; printf "cd %q\\n" "$PWD"; }} >{state}\n'
        program = f"set -euo pipefail\n{known}{self.resolved(block.code)}\n{keep}"
        printed, told = self.folder / ".stdout", self.folder / ".stderr"
        with printed.open("wb") as out, told.open("wb") as err:
            shell = subprocess.Popen(  # noqa: S603 - the project's own text
                ["bash", "-c", program],  # noqa: S607 - the reader's own shell
                cwd=self.folder,
                env=_of_a_reader(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
            self._groups.append(shell.pid)
            status = shell.wait(_SECONDS)
        if status:
            raise BlockFailedError(f"{where} ended with {status}:\n{told.read_text()}")
        return self.unresolved(printed.read_text())

    def close(self) -> None:
        """End what the blocks started in the background."""
        for group in self._groups:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def resolved(self, text: str) -> str:
        """Return text with the address of the emulator of this run."""
        port = self.emulator.partition(":")[2]
        return text.replace(ENDPOINT, self.emulator).replace(_PORT, f"--port {port}")

    def unresolved(self, text: str) -> str:
        """Return text with the address that pages show."""
        return text.replace(self.emulator, ENDPOINT)


def _of_a_reader() -> dict[str, str]:
    """Return the variables of a new terminal: a page says which settings it needs."""
    ours = {*_AWS, *_TABLES}
    return {name: value for name, value in os.environ.items() if name not in ours}


def run_page(page: Path, folder: Path, emulator: str, commands: str, result: Any) -> None:
    """Run a page in the process that calls; send None, or the failure as text, to the result."""
    os.chdir(folder)
    _prepare(folder, commands)
    terminal = Terminal(folder, emulator)
    failure = None
    try:
        _run(page, terminal)
    except BlockFailedError as failed:
        failure = str(failed)
    except BaseException:  # noqa: BLE001 - all of them fail the test of the page
        failure = traceback.format_exc()
    finally:
        terminal.close()
    result.send(failure)  # last: the process that receives it ends this one


def _prepare(folder: Path, commands: str) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "DYNAMO_ES_"))]:
        del os.environ[name]
    path = os.pathsep.join(
        [str(COMMANDS), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    )
    python_path = os.pathsep.join([str(folder), str(ROOT)])
    os.environ.update(
        _AWS, **_TABLES, PATH=path, PYTHONPATH=python_path, HOME=str(folder), COLUMNS="100"
    )
    os.environ[VARIABLE] = commands
    # A reader has the package of today that this warning asks for.
    os.environ["PYTHONWARNINGS"] = "ignore:Using `httpx`"
    if not _plugin_is_installed():
        os.environ["PYTEST_ADDOPTS"] = "-p dynamo_es.testing.plugin"
    sys.path.insert(0, str(folder))


def _plugin_is_installed() -> bool:
    """Whether pytest finds the plugin by itself: not in an environment of an older checkout."""
    return bool(entry_points(group="pytest11", name="dynamo_es"))


def _run(page: Path, terminal: Terminal) -> None:
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    for block in blocks_of(page):
        where = f"{name_of(page)}:{block.line}"
        if block.title and block.not_run is None:
            _write(terminal.folder / block.title, terminal.resolved(block.code), where)
        if not block.is_run:
            continue
        if block.language in PYTHON:
            printed = _run_python(block, page, module, terminal)
        else:
            printed = terminal.run(block, where)
        if block.prints is not None and not _same(block.prints, printed):
            raise BlockFailedError(f"{where} prints\n{printed}\ninstead of\n{block.prints}")


def _same(shown: str, printed: str) -> bool:
    """Whether a text is what was printed. A ``…`` stands for anything; ends of lines are bare."""
    parts = [re.escape(part) for part in _bare(shown).split("…")]
    return re.fullmatch(".*".join(parts), _bare(printed), re.DOTALL) is not None


def _bare(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def _write(file: Path, code: str, where: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(code, encoding="utf-8")
    if file.suffix == ".py":
        try:
            compile(code, str(file), "exec")
        except SyntaxError as error:
            raise BlockFailedError(f"{where}: {error}") from error


def _run_python(block: Block, page: Path, module: types.ModuleType, terminal: Terminal) -> str:
    where = f"{name_of(page)}:{block.line}"
    # Line numbers of a traceback are those of the page.
    source = "\n" * (block.line - 1) + terminal.resolved(block.code)
    linecache.checkcache()
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            exec(compile(source, str(page), "exec", dont_inherit=True), module.__dict__)  # noqa: S102
        except BaseException as error:
            raise BlockFailedError(f"{where} raised:\n{traceback.format_exc()}") from error
    if err.getvalue():
        raise BlockFailedError(f"{where} complained:\n{err.getvalue()}")
    return terminal.unresolved(out.getvalue())
