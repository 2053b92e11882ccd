"""Runs type checkers on what applications write; scripts/types runs this, the suite does not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

import dynamo_es.fastapi
from dynamo_es import Aggregate, Event

ROOT = Path(__file__).parents[2]
USAGE = Path(__file__).with_name("public_usage.py")
TESTING = Path(__file__).with_name("testing_usage.py")
ASYNC = Path(__file__).with_name("async_usage.py")
PRELUDE = """\
from __future__ import annotations

from typing import Any

from dynamo_es import Aggregate, Event, Snapshot, upcaster
"""


def examples() -> dict[str, str]:
    """Return the examples of the documentation that stand on classes of their own, by name."""
    page = (ROOT / "docs" / "how-to" / "evolve-a-schema.md").read_text().split("```python\n")[1:]
    blocks = [block.split("```")[0] for block in page]
    upcasters = [block for block in blocks if "@upcaster" in block]
    assert upcasters, "the page shows an upcaster"
    return {
        "upcaster_in_how_to": upcasters[0],
        "event_docstring": PRELUDE + block_of(Event),
        "aggregate_docstring": PRELUDE + EVENTS + block_of(Aggregate),
        "fastapi_docstring": block_of(dynamo_es.fastapi),
    }


EVENTS = """

class Deposited(Event):
    amount: int


class Balance(Snapshot):
    amount: int


"""


def block_of(documented: object) -> str:
    """Return the indented block after the first ``::`` of a docstring."""
    doc = dedent((documented.__doc__ or "").split("::\n", 1)[1])
    lines = []
    for line in doc.strip("\n").splitlines():
        if line and not line.startswith(" "):
            break
        lines.append(line)
    return dedent("\n".join(lines)) + "\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of an application, with nothing of the settings of this one."""
    folder = tmp_path_factory.mktemp("application")
    for usage in (USAGE, TESTING, ASYNC):
        (folder / usage.name).write_text(usage.read_text())
    for name, code in examples().items():
        (folder / f"{name}.py").write_text(code)
    settings = {
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "extraPaths": [str(ROOT)],
        "reportUnusedImport": False,  # the examples share their imports
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    (folder / "mypy.ini").write_text(f"[mypy]\nstrict = true\nmypy_path = {ROOT}\n")
    return folder


def run(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the commands of this file
        [sys.executable, "-m", *command], cwd=project, capture_output=True, text=True, check=False
    )


def check(project: Path, checker: str) -> subprocess.CompletedProcess[str]:
    if checker == "mypy":
        return run(project, "mypy", "--cache-dir", str(ROOT / ".mypy_cache" / "typing"), ".")
    return run(project, "basedpyright", "--level", "error", "--pythonpath", sys.executable, ".")


@pytest.mark.parametrize("checker", ["mypy", "basedpyright"])
def test_a_checker_accepts_what_applications_write(project: Path, checker: str) -> None:
    done = check(project, checker)

    assert done.returncode == 0, done.stdout + done.stderr


WRONG = [
    "found: list[WrappedEvent[Opened]] = store.load_stream(stream, events=Deposited)",
    "store.load_stream(stream, events=int)",
    "WrappedEvent.wrap(Deposited(cents=5)).event.owner",
    "store.append_cost(5, stream_id=stream)",
    "given(Account).when(lambda account: account.nothing())",
    "given(Account).when(lambda account: None).then(5)",
    "dynamo_es.Nothing",
    "dynamo_es.testing.Nothing",
]


@pytest.mark.parametrize("checker", ["mypy", "basedpyright"])
def test_a_checker_finds_what_is_wrong(tmp_path: Path, project: Path, checker: str) -> None:
    for name in ("mypy.ini", "pyrightconfig.json", "public_usage.py"):
        (tmp_path / name).write_text((project / name).read_text())
    lines = [
        "from public_usage import Account, Deposited, Opened",
        "import dynamo_es.testing",
        "from dynamo_es import EventStore, StreamId, WrappedEvent",
        "from dynamo_es.testing import given",
        "def use(store: EventStore, stream: StreamId) -> None:",
        *(f"    {one}" for one in WRONG),
    ]
    (tmp_path / "wrong.py").write_text("\n".join(lines) + "\n")

    done = check(tmp_path, checker)

    assert done.returncode == 1, done.stdout + done.stderr
    found = {int(line) for line in re.findall(r"wrong\.py:(\d+).*error", done.stdout)}
    assert found == set(range(len(lines) - len(WRONG) + 1, len(lines) + 1)), done.stdout
