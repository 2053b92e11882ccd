"""Bar charts of numbers over time: the coordinates for a template that draws SVG."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from dynamo_es.ui.rendering import grouped, when

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDTH: Final = 520
HEIGHT: Final = 180
_LEFT: Final = 56
_RIGHT: Final = 8
_TOP: Final = 12
_BOTTOM: Final = 28
_MOST_BARS: Final = 48
_MINUTE: Final = 60
_DAY: Final = 86400

_STEPS_S: Final = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400,
    172800, 604800, 1209600, 2592000, 7776000, 31536000,
)  # fmt: skip
"""The numbers of seconds that a bar may stand for."""


_EARLIEST: Final = datetime(1, 1, 2, tzinfo=UTC).timestamp()
_LATEST: Final = datetime(9999, 12, 30, tzinfo=UTC).timestamp()


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar, in the units of the drawing, and its text.

    Attributes:
        x: left edge.
        y: upper edge.
        width: width of the bar.
        height: height of the bar; 0 if nothing happened.
        text: the time span and the number that it stands for.
    """

    x: float
    y: float
    width: float
    height: float
    text: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: its place, and its text."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing.

    Attributes:
        title: title of the plot.
        description: the content in words, for people who cannot see it.
        bars: the bars, oldest first.
        rows: marks on the vertical axis.
        columns: marks on the horizontal axis, in UTC.
        left: left edge of the bars.
        right: right edge of the bars.
        bottom: lower edge of the bars.
        width: width of the drawing.
        height: height of the drawing.
    """

    title: str
    description: str
    bars: list[Bar]
    rows: list[Tick]
    columns: list[Tick]
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    bottom: int = HEIGHT - _BOTTOM
    width: int = WIDTH
    height: int = HEIGHT


def plot(title: str, unit: str, figures: Iterable[tuple[datetime, float]]) -> Plot | None:
    """Return a plot of figures over time; None without figures.

    Args:
        title: title of the plot.
        unit: unit of the figures, in the plural.
        figures: times, with a time zone, and numbers of 0 or more; a bar shows their sum.
    """
    seconds = [(moment.timestamp(), number) for moment, number in figures]
    if not seconds:
        return None
    step, first, count = _bars_of([moment for moment, _ in seconds])
    sums = [0.0] * count
    for moment, number in seconds:
        sums[int((moment - first) // step)] += number
    top = _nice(max(sums))
    height = HEIGHT - _TOP - _BOTTOM
    width = (WIDTH - _LEFT - _RIGHT) / count
    gap = min(2.0, width / 5)

    def bar(index: int, value: float) -> Bar:
        tall = round(height * value / top, 2)
        text = f"{grouped(value)} {unit}, {_span(first + index * step, step)}"
        x = round(_LEFT + index * width + gap / 2, 2)
        return Bar(x, round(HEIGHT - _BOTTOM - tall, 2), round(width - gap, 2), tall, text)

    peak = sums.index(max(sums))
    description = (
        f"{grouped(sum(sums))} {unit} in {count} bars, {_span(first, count * step)}. "
        f"The highest has {grouped(sums[peak])}, "
        f"{_span(first + peak * step, step)}."
    )
    return Plot(
        title=title,
        description=description,
        bars=[bar(index, value) for index, value in enumerate(sums)],
        rows=[
            Tick(round(HEIGHT - _BOTTOM - height * share, 2), grouped(round(top * share, 2)))
            for share in (0.5, 1.0)
        ],
        columns=_columns(first, step, count, width),
    )


def _bars_of(moments: Sequence[float]) -> tuple[int, float, int]:
    """Return the seconds for each bar, the start of the first bar, and the number of bars."""
    oldest, newest = min(moments), max(moments)
    for step in _STEPS_S:
        first = oldest // step * step
        count = int((newest - first) // step) + 1
        if count <= _MOST_BARS:
            return step, first, count
    step = int((newest - oldest) // _MOST_BARS) + 1
    return step, oldest, int((newest - oldest) // step) + 1


def _columns(first: float, step: int, count: int, width: float) -> list[Tick]:
    """Return up to four marks, each at the start of a bar."""
    every = max(1, -(-count // 4))
    days = step * count > 2 * _DAY
    ticks = []
    for index in range(0, count, every):
        moment = when(_utc(first + index * step))
        text = moment[:10] if days else moment[5:16] if index == 0 else moment[11:16]
        if step < _MINUTE and not days:
            text = moment[11:]
        ticks.append(Tick(round(_LEFT + index * width, 2), text))
    return ticks


def _nice(highest: float) -> float:
    """Return the end of the vertical axis: 1, 2, 5 or 10 times a power of ten, at least 2."""
    power = 1.0
    while True:
        for factor in (2, 4, 10):
            if power * factor >= highest:
                return power * factor
        power *= 10


def _span(begin: float, step: int) -> str:
    return f"{_moment(begin)} to {_moment(begin + step)} UTC"


def _moment(seconds: float) -> str:
    return when(_utc(seconds)).removesuffix(":00")


def _utc(seconds: float) -> datetime:
    """Return a time. It is limited, because a bar may end after the last possible time."""
    return datetime.fromtimestamp(min(max(seconds, _EARLIEST), _LATEST), UTC)
