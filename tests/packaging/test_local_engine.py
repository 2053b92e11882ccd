"""`scripts/local-engine` builds the engine once for all checkouts, completely or not at all."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
TOOLS = (
    *("basename", "bash", "cat", "chmod", "dirname", "env", "mkdir", "mktemp", "mv", "nohup"),
    *("ps", "rm", "sleep", "tail", "uname"),
)

CARGO = """#!/usr/bin/env bash
# A cargo that builds the program below; it can be slow, and it can break in the middle.
set -euo pipefail
echo "$*" >>"$CARGO_CALLS"
while [[ $1 != --root ]]; do shift; done
mkdir -p "$2/bin"
echo "Compiling dynoxide-rs" >&2
echo '#!'"$PROGRAM" >"$2/bin/dynoxide"
sleep "${CARGO_SECONDS:-0}"
[[ -z ${CARGO_BREAKS:-} ]] || { echo "error: no space left" >&2; exit 101; }
cat "$PROGRAM" >"$2/bin/dynoxide"
chmod +x "$2/bin/dynoxide"
"""

# It tests scripts.
pytestmark = pytest.mark.ci

PROGRAM = f"""#!{sys.executable}
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Healthy(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

host, port = sys.argv[sys.argv.index("--host") + 1], sys.argv[sys.argv.index("--port") + 1]
HTTPServer((host, int(port)), Healthy).serve_forever()
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine with the tools that the script needs, a cargo, and a user's cache."""

    folder: Path

    @property
    def cache(self) -> Path:
        return self.folder / "home" / ".cache" / "dynamo_es"

    @property
    def builds(self) -> int:
        calls = self.folder / "calls"
        return len(calls.read_text().splitlines()) if calls.exists() else 0

    def begin(self, *arguments: object, clone: str = "clone", **env: str) -> subprocess.Popen[str]:
        """Start the script, in a checkout of its own."""
        scripts = self.folder / clone / "scripts"
        if not scripts.exists():
            scripts.mkdir(parents=True)
            for name in ("_environment", "local-engine"):
                shutil.copy2(SCRIPTS / name, scripts)
        return subprocess.Popen(  # noqa: S603 - a copy of our own script
            [str(scripts / "local-engine"), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={
                "PATH": str(self.folder / "bin"),
                "HOME": str(self.folder / "home"),
                "CARGO_CALLS": str(self.folder / "calls"),
                "PROGRAM": str(self.folder / "program"),
                **env,
            },
        )

    def run(self, *arguments: object, **env: str) -> tuple[int, str, str]:
        """Run the script to its end: exit status, output, errors."""
        process = self.begin(*arguments, **env)
        out, errors = process.communicate(timeout=60)
        return process.returncode, out.strip(), errors


@pytest.fixture
def machine(tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in (*TOOLS, "flock"):
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    (tools / "cargo").write_text(CARGO)
    (tools / "cargo").chmod(0o755)
    (tmp_path / "program").write_text(PROGRAM)
    (tmp_path / "home").mkdir()
    return Machine(tmp_path)


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def stopping(machine, port):
    """Whatever a test does, nothing runs after it."""
    yield
    machine.run("stop", port)


# Installing


def test_the_program_is_built_into_the_users_cache_and_its_path_is_all_that_is_printed(machine):
    code, out, errors = machine.run("path")

    assert (code, Path(out).parent) == (0, machine.cache)
    assert Path(out).read_text() == PROGRAM
    assert "Compiling dynoxide-rs" in errors
    release = machine.run("name")[1].split()
    calls = (machine.folder / "calls").read_text()
    assert f"install {release[0]} --version {release[1]} --locked --no-default-features" in calls


def test_another_checkout_uses_the_same_build(machine):
    first = machine.run("path", clone="one")
    again = machine.run("path", clone="two")

    assert first[:2] == again[:2]
    assert machine.builds == 1


@pytest.mark.parametrize(
    ("variable", "value", "folder"),
    [
        ("XDG_CACHE_HOME", "xdg", "xdg/dynamo_es"),
        ("DYNAMO_ES_CACHE", "elsewhere", "elsewhere"),
    ],
)
def test_the_cache_can_be_elsewhere(machine, variable, value, folder):
    _, out, _ = machine.run("path", **{variable: str(machine.folder / value)})

    assert Path(out).parent == machine.folder / folder


def test_a_build_that_breaks_leaves_nothing_and_says_what_else_can_be_done(machine):
    code, out, errors = machine.run("path", CARGO_BREAKS="1")

    assert (code, out) == (1, "")
    assert "no space left" in errors
    assert "could not build dynoxide-rs" in errors
    assert "DYNAMO_ES_TEST_ENDPOINT" in errors
    assert {path.name for path in machine.cache.iterdir()} <= {"lock"}


def test_a_build_that_was_killed_is_not_taken_for_a_whole_one(machine):
    process = machine.begin("path", CARGO_SECONDS="30")
    wait_for(lambda: list(machine.cache.glob("partial.*/root/bin/dynoxide")))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert list(machine.cache.glob("partial.*"))

    code, out, _ = machine.run("path")

    assert (code, Path(out).read_text()) == (0, PROGRAM)
    assert not list(machine.cache.glob("partial.*"))


@pytest.mark.parametrize("flock", [True, False], ids=["flock", "no flock"])
def test_two_at_once_do_no_harm(machine, flock):
    if not flock:
        (machine.folder / "bin" / "flock").unlink(missing_ok=True)
    both = [machine.begin("path", clone=name, CARGO_SECONDS="0.3") for name in ("one", "two")]

    ends = [process.communicate(timeout=60) for process in both]

    assert [process.returncode for process in both] == [0, 0]
    (path,) = {out.strip() for out, _ in ends}
    assert Path(path).read_text() == PROGRAM
    locked = (machine.folder / "bin" / "flock").exists()
    assert machine.builds == (1 if locked else 2)
    assert any("waiting for it" in errors for _, errors in ends) == locked


def test_where_there_is_no_rust_the_message_names_the_ways_out(machine):
    (machine.folder / "bin" / "cargo").unlink()

    code, _, errors = machine.run("path")

    assert code == 1
    assert "cargo is missing" in errors
    assert "docker run --rm -p 127.0.0.1:8000:8000 ghcr.io/nubo-db/dynoxide:" in errors
    assert "DYNAMO_ES_TEST_ENDPOINT=http://127.0.0.1:8000" in errors


def test_cargo_is_found_where_rustup_puts_it(machine):
    rustup = machine.folder / "home" / ".cargo" / "bin"
    rustup.mkdir(parents=True)
    (machine.folder / "bin" / "cargo").rename(rustup / "cargo")

    assert machine.run("path")[0] == 0


# Starting and stopping


@pytest.mark.usefixtures("stopping")
def test_it_runs_on_loopback_until_it_is_stopped(machine, port):
    code, out, _ = machine.run("start", port)
    assert (code, f"running at http://127.0.0.1:{port} (pid" in out) == (0, True)
    assert connects("127.0.0.1", port)
    assert not connects("127.0.0.2", port), "it listens on every address"

    code, listed, _ = machine.run("status")
    assert (code, listed.startswith(f"http://127.0.0.1:{port} pid ")) == (0, True)
    assert machine.run("start", port)[1].startswith("The local engine is already running at")
    assert machine.run("stop", port)[1] == f"Stopped the local engine on port {port}."
    assert not connects("127.0.0.1", port)
    assert machine.run("status")[0] == 1
    assert "No local engine" in machine.run("stop", port)[1]


@pytest.mark.usefixtures("stopping")
def test_a_port_that_is_taken_is_refused(machine):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _, errors = machine.run("start", taken.getsockname()[1])

    assert code == 1
    assert "is taken by a process that this script did not start" in errors
    assert machine.builds == 0


@pytest.mark.usefixtures("stopping")
def test_one_that_ends_while_starting_is_reported_with_its_last_words(machine, port):
    (machine.folder / "program").write_text("#!/usr/bin/env bash\necho cannot listen >&2; exit 3\n")

    code, _, errors = machine.run("start", port)

    assert code == 1
    assert "cannot listen" in errors
    assert "ended while starting" in errors


@pytest.mark.parametrize("arguments", [(), ("start",), ("start", "0"), ("stop", "x"), ("up", "1")])
def test_anything_else_is_refused(machine, arguments):
    assert machine.run(*arguments)[0] == 1
    assert machine.builds == 0


def wait_for(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def connects(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=2):
            return True
    except OSError:
        return False
