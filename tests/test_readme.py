"""What the README names exists. `tests/docs/test_snippets.py` runs what it shows."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


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
