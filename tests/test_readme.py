"""The README's examples run, and its links work."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def run(program: str) -> str:
    """Return what a program prints; it must not complain."""
    outcome = subprocess.run(  # noqa: S603 - this interpreter, and the project's own text
        [sys.executable, "-W", "error::SyntaxWarning", "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert outcome.stderr == ""
    return outcome.stdout


EXAMPLES = list(zip(blocks("python"), blocks("text"), strict=True))


@pytest.mark.parametrize(("example", "printed"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_prints_what_it_says(example: str, printed: str) -> None:
    assert run(example) == printed


CUTTINGS = blocks("py")


@pytest.mark.parametrize("cutting", CUTTINGS, ids=range(len(CUTTINGS)))
def test_an_event_class_that_is_shown_can_be_stored(cutting: str) -> None:
    (name,) = re.findall(r"^class (\w+)\(Event\):", cutting, re.MULTILINE)
    program = (
        "from typing import Annotated, Any\n"
        "from dynamo_es import DataSubject, Encrypted, Event, EventRegistry, upcaster\n"
        f"{cutting}\n"
        f"print(EventRegistry().add({name}).__name__)\n"
    )

    assert run(program) == f"{name}\n"


def test_what_it_names_is_there() -> None:
    linked = re.findall(r"\]\(([^)#:]+)\)", README)
    commands = re.findall(r"`?(scripts/[\w-]+)", README)

    missing = [name for name in linked + commands if not (ROOT / name).exists()]

    assert linked
    assert commands
    assert missing == []


def test_every_guarantee_names_tests_that_exist() -> None:
    section = README.split("## Guarantees\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.*) \| ([^|]*) \|$", section, re.MULTILINE)[1:]

    assert len(rows) > 20
    for guarantee, tests in rows:
        names = re.findall(r"`([^`]+)`", tests)
        assert names, guarantee
        folder = ROOT
        for name in names:  # a file without a folder is in that of the file before it
            path = ROOT / name if "/" in name else folder / name
            assert path.exists(), name
            folder = path.parent
