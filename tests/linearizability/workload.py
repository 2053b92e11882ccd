"""Chooses a worker's next call, by a seed, with a preference for hard cases."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.linearizability.histories import Append, Delete, Load, Outcome, Save

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.linearizability.histories import Call, Operation


@dataclass
class Worker:
    """A caller of the store, with a memory of its own of what it saw.

    Attributes:
        letter: its name; labels of its events begin with it.
        random: what it decides by.
        streams: how many there are.
        deletions: how many of a hundred calls delete.
    """

    letter: str
    random: Random
    streams: int
    deletions: int = 6
    _calls: int = 0
    _versions: dict[int, int] = field(default_factory=dict)
    _unknown: list[tuple[int, Append]] = field(default_factory=list)

    def next_call(self) -> tuple[int, Call]:
        """Return the number of a stream, and what to do with it."""
        self._calls += 1
        chance = self.random.random()
        if self._unknown and chance < 0.25:
            return self._unknown.pop(self.random.randrange(len(self._unknown)))
        stream = self.random.randrange(1, self.streams + 1)
        known = self._versions.get(stream, 0)
        if self.random.random() * 100 < self.deletions:
            return stream, Delete()
        return stream, self._call(known)

    def _call(self, known: int) -> Call:
        choice = self.random.choices(
            ("right", "wrong", "new", "any", "load", "whole", "range", "save"),
            (34, 9, 5, 12, 12, 12, 7, 9),
        )[0]
        wrong = max(known + self.random.choice((-4, -3, -2, -1, 1, 2)), 0)
        start = self.random.randint(1, known + 1)
        calls: dict[str, Callable[[], Call]] = {
            "right": lambda: self._append(known),
            "wrong": lambda: self._append(wrong),
            "new": lambda: self._append(0),
            "any": lambda: self._append(None),
            "load": lambda: Load(None, self.random.choice((None, None, None, known + 1))),
            "whole": lambda: Load(1),
            "range": lambda: Load(start, start + self.random.randint(0, 4)),
            "save": lambda: self._save(known),
        }
        return calls[choice]()

    def _save(self, known: int) -> Save:
        version = max(known - self.random.choice((0, 0, 0, 1, 2, -1)), 1)
        return Save(version, f"{self.letter}{self._calls}s")

    def _append(self, expected: int | None) -> Append:
        number = self.random.choice((1, 1, 1, 2, 2, 3))
        labels = (f"{self.letter}{self._calls}{letter}" for letter in "abc"[:number])
        return Append(expected, tuple(labels))

    def learn(self, operation: Operation) -> None:
        """Take the end of a call."""
        stream = operation.stream
        known = self._versions.get(stream, 0)
        match operation.call:
            case Append(expected, _) as append if operation.outcome is Outcome.UNKNOWN:
                # With the version given, appending the same again is safe; without, it is not.
                if expected is not None:
                    self._unknown.append((stream, append))
            case Append(expected, labels) if operation.outcome is Outcome.OK:
                known = (known if expected is None else expected) + len(labels)
            case Append() if operation.actual is not None:
                # At times it goes on as if nothing had been said.
                known = operation.actual if self.random.random() < 0.8 else known
            case Delete() if operation.outcome is Outcome.OK:
                known = 0
            case Load(start, None) if operation.found is not None:
                found = operation.found
                versions = [at for at in found.versions if at is not None]
                if start is None and not versions:
                    versions = [0 if found.snapshot is None else found.snapshot[0]]
                known = versions[-1] if versions else known
        self._versions[stream] = known
