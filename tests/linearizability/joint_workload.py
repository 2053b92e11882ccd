"""Chooses calls on several streams together, by a seed, with a preference for hard cases."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.linearizability.histories import Append, AppendAll, Delete, Load, Outcome
from tests.linearizability.workload import Worker

if TYPE_CHECKING:
    from tests.linearizability.histories import Call, Operation


@dataclass
class JointWorker(Worker):
    """A caller of the store that appends to several streams, and to one while others stay.

    It does so at the versions that it saw last, which others have changed at times.
    """

    _lost: list[AppendAll] = field(default_factory=list)

    def next_call(self) -> tuple[int, Call]:
        """Return the number of a stream, or 0 for several, and what to do."""
        self._calls += 1
        chance = self.random.random()
        if self._lost and chance < 0.2:
            return 0, self._lost.pop(self.random.randrange(len(self._lost)))
        if chance < 0.6:
            return 0, self._several()
        stream = self.random.randrange(1, self.streams + 1)
        if self.random.random() * 100 < self.deletions:
            return stream, Delete()
        known = self._versions.get(stream, 0)
        return stream, self.random.choice((Load(1), Load(1), self._numbered(stream, known)))

    def _several(self) -> AppendAll:
        """Mostly one stream is written and another checked: two such must never both succeed."""
        numbers = list(range(1, self.streams + 1))
        self.random.shuffle(numbers)
        written = self.random.choice((1, 1, 1, 2, len(numbers)))
        checked = self.random.choice((0, 1, 1, 2)) if written > 1 else self.random.choice((1, 1, 2))
        parts = [(n, self._numbered(n, self._version(n))) for n in numbers[:written]]
        still = [(n, self._version(n)) for n in numbers[written : written + checked]]
        return AppendAll(tuple(parts), tuple(still))

    def _version(self, stream: int) -> int:
        known = self._versions.get(stream, 0)
        wrong = self.random.random() < 0.15
        return max(known + self.random.choice((-2, -1, 1)), 0) if wrong else known

    def _numbered(self, stream: int, expected: int) -> Append:
        """Return an append whose labels no other append of the call has."""
        number = self.random.choice((1, 1, 2))
        labels = (f"{self.letter}{self._calls}{letter}{stream}" for letter in "ab"[:number])
        return Append(expected, tuple(labels))

    def learn(self, operation: Operation) -> None:
        """Take the end of a call."""
        call = operation.call
        if not isinstance(call, AppendAll):
            super().learn(operation)
            return
        if operation.outcome is Outcome.UNKNOWN:
            self._lost.append(call)
        elif operation.outcome is Outcome.OK:
            for number, append in call.parts:
                self._versions[number] = (append.expected or 0) + len(append.events)
            self._versions |= dict(call.unchanged)
        for number, actual in operation.moved:
            if actual is not None and self.random.random() < 0.8:
                self._versions[number] = actual
