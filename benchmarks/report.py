"""What a measurement hands over: tables, plots and goals, in Markdown where they are text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOTHING: Final = "-"
"""The cell of what does not apply."""

LOOSELY: Final = 1.6
"""How far off a goal a quick run may be: it is short, and the machine may be busy."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure that should not be above its limit.

    Attributes:
        name: what it is about.
        figure: as measured.
        limit: the goal.
        text: the figure as the page shows it; empty: the number with two digits.
        exact: whether it counts something, so that even a quick run has to meet it.
    """

    name: str
    figure: float
    limit: float
    text: str = ""
    exact: bool = False

    @property
    def met(self) -> bool:
        """Whether the figure is at or below the limit."""
        return self.figure <= self.limit

    @property
    def met_loosely(self) -> bool:
        """Whether it is near enough for a quick run."""
        return self.figure <= self.limit * (1.0 if self.exact else LOOSELY)

    def cells(self) -> list[str]:
        """Return the row of the page's summary."""
        figure = self.text or f"{self.figure:.2f}"
        limit = f"{self.limit:g}" if self.exact else f"{self.limit:.3g}"
        return [self.name, figure, f"at most {limit}", "met" if self.met else "**missed**"]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the page; figures are on the right of their columns."""

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """Return it in Markdown."""
        rule = ["---", *("---:" for _ in self.headers[1:])]
        lines = [self.headers, rule, *self.rows]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines, or bars, to be drawn.

    Attributes:
        name: of the file, without its ending.
        title: what it shows.
        x_label: what is on the horizontal axis, with its unit; empty for bars.
        y_label: likewise, vertical.
        series: by name, the points; of bars, the labels and heights.
        log_x: whether the horizontal axis is logarithmic.
        log_y: likewise, vertical.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """One measurement, as the page shows it.

    Attributes:
        title: heading.
        how: how it was measured, in a paragraph or more.
        tables: the figures.
        remarks: what is to be seen in them.
        plots: the figures, drawn.
        goals: what they should be.
    """

    title: str
    how: str
    tables: Sequence[Table]
    remarks: str = ""
    plots: Sequence[Plot] = field(default_factory=tuple)
    goals: Sequence[Goal] = field(default_factory=tuple)

    def markdown(self, folder: str) -> str:
        """Return it in Markdown, its plots in a folder."""
        parts = [f"## {self.title}", self.how, *(table.markdown() for table in self.tables)]
        if self.goals:
            headers = ["goal", "figure", "limit", ""]
            parts.append(Table(headers, [goal.cells() for goal in self.goals]).markdown())
        if self.remarks:
            parts.append(self.remarks)
        parts += [f"![{plot.title}]({folder}/{plot.name}.svg)" for plot in self.plots]
        return "\n\n".join(parts)
