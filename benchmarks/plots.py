"""Draws the plots of the page. Only this module needs matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.report import Plot

_INCHES: Final = (7.0, 3.6)
_COLOURS: Final = ("#1f6feb", "#b35900", "#2a7f3f")
_MARKERS: Final = ("o", "s", "^")


def draw(plot: Plot, folder: Path) -> Path:
    """Write a plot as SVG into a folder, and return its path."""
    # Without a date and random ids, the same figures give the same file.
    mpl.rcParams["svg.hashsalt"] = plot.name
    figure = Figure(figsize=_INCHES, layout="constrained")
    axes = figure.add_subplot()
    for number, (label, (x, y)) in enumerate(plot.series.items()):
        axes.plot(x, y, label=label, color=_COLOURS[number], marker=_MARKERS[number])
    if plot.log_x:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    if plot.log_y:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    else:
        axes.set_ylim(0, axes.get_ylim()[1])
    axes.set_title(plot.title)
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    path = folder / f"{plot.name}.svg"
    figure.savefig(path, metadata={"Date": None})
    return path
