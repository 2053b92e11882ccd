"""What the README shows is what happens: its example runs, and its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_example_prints_what_it_says() -> None:
    (example,), (printed, *_) = blocks("python"), blocks("text")

    outcome = subprocess.run(  # noqa: S603 - this interpreter, and the project's own text
        [sys.executable, "-W", "error::SyntaxWarning", "-c", example],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert outcome.stderr == ""
    assert outcome.stdout == printed


def test_what_it_names_is_there() -> None:
    linked = re.findall(r"\]\(([^)#:]+)\)", README)
    proved = re.findall(r"`(tests/[\w/]+\.py)`", README)
    commands = re.findall(r"`?(scripts/[\w-]+)", README)

    missing = [name for name in linked + proved + commands if not (ROOT / name).exists()]

    assert linked
    assert proved
    assert commands
    assert missing == []
