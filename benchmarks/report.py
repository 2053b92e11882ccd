"""Tables, plots and goals, the parts of a section of the page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOTHING: Final = "-"
"""The text of a cell that does not apply."""

LOOSELY: Final = 1.6
"""Factor by which a quick run may miss a goal, as it is short and the machine may be busy."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure that should not exceed its limit.

    Attributes:
        name: description of the figure.
        figure: the measured figure.
        limit: greatest figure that meets the goal.
        text: text of the figure on the page; empty for the number with two decimals.
        exact: whether the figure is a count, so that even a quick run must meet the goal.
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
        """Whether the figure is near enough to the limit for a quick run."""
        return self.figure <= self.limit * (1.0 if self.exact else LOOSELY)

    def cells(self) -> list[str]:
        """Return the cells of its row in the page's summary."""
        figure = self.text or f"{self.figure:.2f}"
        limit = f"{self.limit:g}" if self.exact else f"{self.limit:.3g}"
        return [self.name, figure, f"at most {limit}", "met" if self.met else "**missed**"]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the page. All columns but the first are right-aligned."""

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """Return the table in Markdown."""
        rule = ["---", *("---:" for _ in self.headers[1:])]
        lines = [self.headers, rule, *self.rows]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot of lines.

    Attributes:
        name: name of the file, without its extension.
        title: title of the plot.
        x_label: label of the horizontal axis, with the unit.
        y_label: label of the vertical axis, with the unit.
        series: for each line, by name, the horizontal and the vertical coordinates.
        log_x: whether the horizontal axis is logarithmic.
        log_y: whether the vertical axis is logarithmic.
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
    """A section of the page, about one measurement.

    Attributes:
        title: heading.
        how: description of the measurement, in one or more paragraphs.
        tables: tables of the figures.
        remarks: text about the figures, below the tables.
        plots: plots of the figures.
        goals: goals for the figures.
    """

    title: str
    how: str
    tables: Sequence[Table]
    remarks: str = ""
    plots: Sequence[Plot] = field(default_factory=tuple)
    goals: Sequence[Goal] = field(default_factory=tuple)

    def markdown(self, folder: str) -> str:
        """Return the section in Markdown; ``folder`` is that of the plots, relative to the page."""
        parts = [f"## {self.title}", self.how, *(table.markdown() for table in self.tables)]
        if self.goals:
            headers = ["goal", "figure", "limit", ""]
            parts.append(Table(headers, [goal.cells() for goal in self.goals]).markdown())
        if self.remarks:
            parts.append(self.remarks)
        parts += [f"![{plot.title}]({folder}/{plot.name}.svg)" for plot in self.plots]
        return "\n\n".join(parts)
