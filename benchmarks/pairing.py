"""Times functions in turn, so that their ratios are reliable on a shared machine.

The speed of a shared machine changes by far more than the differences to measure. Two functions
that run right after each other see the same machine, so the median of the ratios of many such
rounds is steady even if the times are not.
"""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from statistics import median, quantiles
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as long one function takes as another.

    Attributes:
        median: median of the rounds.
        low: first quartile of the rounds.
        high: third quartile of the rounds.
    """

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"

    @classmethod
    def of(cls, ratios: list[float]) -> Ratio:
        """Return the median and the quartiles of the ratios of rounds."""
        if len(ratios) == 1:
            return cls(ratios[0], ratios[0], ratios[0])
        low, middle, high = quantiles(ratios, n=4, method="inclusive")
        return cls(middle, low, high)


@dataclass(frozen=True, slots=True)
class Samples:
    """Seconds per call in each round, by name of the function."""

    times: Mapping[str, list[float]]

    def seconds(self, name: str) -> float:
        """Return the median time of one call."""
        return median(self.times[name])

    def ratio(self, name: str, other: str) -> Ratio:
        """Return how many times as long ``name`` takes as ``other``."""
        pairs = zip(self.times[name], self.times[other], strict=True)
        return Ratio.of([one / two for one, two in pairs])

    def excess(self, name: str, other: str) -> float:
        """Return how many seconds longer ``name`` takes than ``other``: the rounds' median."""
        pairs = zip(self.times[name], self.times[other], strict=True)
        return median(one - two for one, two in pairs)


def time_in_turns(
    subjects: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    calls: int,
    clock: Callable[[], float] = time.thread_time,
) -> Samples:
    """Time functions in turn; every other round calls them in reverse order.

    Args:
        subjects: functions to call, by name.
        rounds: number of rounds.
        calls: number of calls of each function in a round.
        clock: returns a time in seconds; by default, the CPU time of this thread.
    """
    for subject in subjects.values():
        subject()
    times: dict[str, list[float]] = {name: [] for name in subjects}
    order = list(subjects)
    # The garbage collector then scans only the objects that the functions create.
    gc.collect()
    gc.freeze()
    try:
        for _ in range(rounds):
            for name in order:
                subject = subjects[name]
                begin = clock()
                for _ in range(calls):
                    subject()
                times[name].append((clock() - begin) / calls)
            order.reverse()
            gc.collect()
    finally:
        gc.unfreeze()
    return Samples(times)
