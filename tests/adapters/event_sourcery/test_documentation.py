"""The page on moving from SQLAlchemy shows what really happens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import event_sourcery.exceptions
import pytest

import dynamo_es.exceptions

PAGE = Path(__file__).parents[3] / "docs/from-sqlalchemy/python-event-sourcery.md"
TEXT = PAGE.read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("program", "printed"), list(zip(blocks("python"), blocks("text"), strict=True))
)
def test_the_example_prints_what_it_says(program, printed):
    done = subprocess.run(  # noqa: S603 - this interpreter, and the project's own text
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60
    )

    assert (done.stdout, done.stderr) == (printed, "")


def test_what_it_names_is_there():
    for link in re.findall(r"\]\(([^):]+)\)", TEXT):
        assert (PAGE.parent / link).exists(), link
    for path in re.findall(r"`((?:tests|infra)/[\w/.-]+)`", TEXT):
        assert (PAGE.parents[2] / path).exists(), path
    for error in re.findall(r"`(\w+(?:Error|Exists|Stream))`", TEXT):
        assert (
            hasattr(dynamo_es.exceptions, error)
            or hasattr(event_sourcery.exceptions, error)
            or error == "IntegrityError"
        ), error
