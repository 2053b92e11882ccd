"""The command writes its figures to a page, or gives a verdict."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import runs
from benchmarks.report import LOOSELY, Goal, Section

# It tests the benchmarks.
pytestmark = pytest.mark.ci


@pytest.fixture
def run(monkeypatch, tmp_path):
    def run(figure: float, *arguments: str, exact: bool = False) -> tuple[int, list[str]]:
        section = Section("Speed", "Measured so.", [], goals=[Goal("g", figure, 1.0, exact=exact)])
        monkeypatch.setattr(command, "open_engine", lambda *_: nullcontext())
        monkeypatch.setattr(command, "sections", lambda *_: [("speed", lambda: section)])
        into = ["--into", str(tmp_path)]
        status = command.main(
            ["--endpoint", "http://no.where", "--engine", "none", *into, *arguments]
        )
        return status, sorted(path.name for path in tmp_path.iterdir())

    return run


def test_each_module_with_a_section_is_on_the_page() -> None:
    modules = {
        path.stem
        for path in Path(runs.__file__).parent.glob("*.py")
        if "\ndef section(" in path.read_text(encoding="utf-8")
    }
    called = set(re.findall(r"(\w+)\.section\(", Path(runs.__file__).read_text(encoding="utf-8")))

    assert called == modules


def test_a_full_run_writes_the_page_and_says_on_it_what_is_missed(run, tmp_path) -> None:
    status, files = run(9.0)

    assert (status, files) == (0, ["benchmarks", "benchmarks.md"])
    assert "| g | 9.00 | at most 1 | **missed** |" in (tmp_path / "benchmarks.md").read_text()


def test_a_quick_run_writes_nothing(run) -> None:
    assert run(1.0, "--quick") == (0, [])


def test_a_quick_run_writes_the_page_when_asked_to(run) -> None:
    assert run(1.0, "--quick", "--write") == (0, ["benchmarks", "benchmarks.md"])


@pytest.mark.parametrize(
    ("figure", "exact", "status"),
    [(LOOSELY, False, 0), (LOOSELY + 0.01, False, 1), (1.0, True, 0), (1.01, True, 1)],
)
def test_a_quick_run_fails_on_a_goal_missed_by_far(run, capsys, figure, exact, status) -> None:
    assert run(figure, "--quick", exact=exact)[0] == status
    assert ("Missed by far: g" in capsys.readouterr().err) is (status == 1)
