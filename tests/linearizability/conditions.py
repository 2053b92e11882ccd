"""The conditions under which a history is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.linearizability.model import Model

if TYPE_CHECKING:
    from random import Random


@dataclass(frozen=True, slots=True)
class Conditions:
    """How many do what, and what befalls them.

    Attributes:
        workers: processes.
        streams: that they share.
        fault_rate: how likely each kind of fault is, at each attempt of a request.
        crash_rate: how likely a process dies, instead of each attempt.
        deletions: how many of a hundred calls delete.
        skew: most seconds that a process's clock is off.
        tick: seconds between two steps.
        leap_rate: how likely days pass, at each moment when nobody is at work.
    """

    workers: int = 3
    streams: int = 1
    fault_rate: float = 0.05
    crash_rate: float = 0.01
    deletions: int = 6
    skew: float = 0
    tick: float = 0.001
    leap_rate: float = 0

    @classmethod
    def any(cls, random: Random) -> Conditions:
        """Return some conditions: calm and stormy, close and wide."""
        return cls(
            workers=random.choice((2, 3, 3, 4)),
            streams=random.choice((1, 1, 2)),
            fault_rate=random.choice((0, 0.01, 0.05, 0.05, 0.1)),
            crash_rate=random.choice((0, 0.01, 0.03)),
            deletions=random.choice((3, 6, 12, 20)),
            skew=random.choice((0, 0, 0.01, 5)),
            tick=random.choice((0.001, 0.001, 0.000_001, 0)),
            leap_rate=random.choice((0, 0, 0.2)),
        )

    @property
    def model(self) -> Model:
        """The rules that hold under them."""
        return Model(clocks_agree=self.skew == 0)
