"""Writes the page ``docs/explanation/benchmarks.md``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from benchmarks.engine import machine, versions
from benchmarks.report import Table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.report import Section

NAME: Final = "benchmarks"


def write_page(sections: Sequence[Section], engine: str, folder: Path) -> Path:
    """Write the page and its plots into a folder, and return the page's path."""
    from benchmarks.plots import draw

    plots = folder / NAME
    plots.mkdir(parents=True, exist_ok=True)
    for section in sections:
        for plot in section.plots:
            draw(plot, plots)
    path = folder / f"{NAME}.md"
    path.write_text(page_text(sections, engine), encoding="utf-8")
    return path


def page_text(sections: Sequence[Section], engine: str) -> str:
    """Return the page in Markdown."""
    goals = [goal.cells() for section in sections for goal in section.goals]
    parts = [
        "# Benchmarks",
        "Made by `scripts/bench`, all in one run: change nothing here by hand.",
        (
            f"- date: {datetime.now(UTC):%Y-%m-%d}\n"
            f"- engine: {engine}\n"
            f"- versions: {versions()}\n"
            f"- machine: {machine()}, shared with other work"
        ),
        (
            "Requests and units do not depend on the machine. Units are those that the engine "
            "reports. Times depend on the machine; what is compared runs therefore in turns, "
            "within one run, and the ratio is the median of the ratios of neighbours. **No "
            "engine's times are AWS's**: this page does not tell how fast DynamoDB answers."
        ),
        "## Goals",
        Table(["goal", "figure", "limit", ""], goals).markdown(),
        *(section.markdown(NAME) for section in sections),
    ]
    return "\n\n".join(parts) + "\n"
