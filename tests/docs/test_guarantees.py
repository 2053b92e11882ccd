"""docs/reference/guarantees.md names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "guarantees.md").read_text()


def test_every_guarantee_names_tests_that_exist() -> None:
    found = re.findall(r"^\| (.*) \| ([^|]*) \|$", PAGE, re.MULTILINE)
    rows = [row for row in found if row != ("guarantee", "proved by")]

    assert len(rows) > 20
    for guarantee, tests in rows:
        names = re.findall(r"`([^`]+)`", tests)
        assert names, guarantee
        folder = ROOT
        for name in names:  # a file without a folder is in that of the file before it
            path = ROOT / name if "/" in name else folder / name
            assert path.exists(), name
            folder = path.parent
