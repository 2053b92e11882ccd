"""Timing in turns: what is compared runs alternately, and is compared within each round.

A shared machine is slower at one moment than at another, by far more than the differences at
hand. Two things timed one right after the other see the same machine; the median of the ratios
of many such rounds is steady where the times are not.
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
    """How many times as long one takes as the other.

    Attributes:
        median: of the rounds.
        low: a quarter of the rounds is below.
        high: a quarter of the rounds is above.
    """

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"

    @classmethod
    def of(cls, ratios: list[float]) -> Ratio:
        """Return median and quartiles of the ratios of single rounds."""
        if len(ratios) == 1:
            return cls(ratios[0], ratios[0], ratios[0])
        low, middle, high = quantiles(ratios, n=4, method="inclusive")
        return cls(middle, low, high)


@dataclass(frozen=True, slots=True)
class Samples:
    """Seconds per call, of each round, by name."""

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
    """Call each subject so many times in each round, every other round in reverse order.

    Args:
        subjects: what to call, by name.
        rounds: of all subjects.
        calls: of each subject in one round.
        clock: seconds; by default those of CPU time that this thread has used.
    """
    for subject in subjects.values():
        subject()
    times: dict[str, list[float]] = {name: [] for name in subjects}
    order = list(subjects)
    # The collector leaves alone what is there already, and collects what they leave.
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
