"""The README names things that exist; `tests/docs/test_snippets.py` runs its examples."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def names_of(requirements: list[str]) -> list[str]:
    return [re.split(r"[^\w-]", requirement)[0] for requirement in requirements]


def sentence(pattern: str) -> list[str]:
    """Return what a sentence of the README says in the places of a pattern."""
    (found,) = re.findall(pattern, " ".join(README.split()))
    return re.split(r", | and ", found)


def test_what_it_names_is_there() -> None:
    linked = re.findall(r"\]\(([^)#:]+)\)", README)
    commands = re.findall(r"`?(scripts/[\w-]+)", README)

    missing = [name for name in linked + commands if not (ROOT / name).exists()]

    assert linked
    assert commands
    assert missing == []


def test_it_fits_on_a_page() -> None:
    example = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)[0]

    assert len(README.splitlines()) < 100
    assert len([line for line in example.splitlines() if line]) <= 30


def test_the_core_needs_what_it_says() -> None:
    assert sentence(r"The core needs ([^.]*)\.") == names_of(PROJECT["dependencies"])


def test_it_needs_the_python_that_it_says() -> None:
    assert PROJECT["requires-python"] == ">=" + sentence(r"You need Python (\S+) or newer")[0]


def test_its_extras_exist() -> None:
    (said,) = re.findall(r"The extra (.*?)\. ## ", " ".join(README.split()))
    extras = re.findall(r"`(\w+)`(?: is)? the", said)

    assert {"local", "encryption"} <= set(extras) <= set(PROJECT["optional-dependencies"])


def test_its_figures_are_those_of_the_costs() -> None:
    costs = (ROOT / "docs" / "reference" / "costs.md").read_text()
    figures = dict(re.findall(r"^\| ([^|]*?) \| ([\d.]+) \| [\d.]+ \|$", costs, re.MULTILINE))
    (ours,) = sentence(r"append take ([\d.]+) write units")
    (others,) = sentence(r"one item per event takes ([\d.]+)\. ")
    assert ours == figures["dynamo_es, up to 3 events a commit"]
    assert others == figures["one item per event, up to 3 in a transaction"]


def test_its_bill_is_that_of_the_page_that_estimates_it() -> None:
    page = (ROOT / "docs" / "how-to" / "cost.md").read_text()
    bill = dict(re.findall(r"^  (appends|log) .* ([\d.]+)$", page, re.MULTILINE))
    (said,) = re.findall(
        r"cost about \$([\d.]+) a month, and their log \$([\d.]+)\.", " ".join(README.split())
    )
    assert [float(one) for one in said] == [
        round(float(bill[row]), 1) for row in ("appends", "log")
    ]


def test_its_limits_are_those_of_the_reference() -> None:
    limits = (ROOT / "docs" / "reference" / "limits.md").read_text()
    for figure in sentence(r"- One stream takes (.*? MB) \("):
        for number in re.findall(r"[\d,]*\d (?:write units|commits|MB)", figure):
            assert number in limits, number
