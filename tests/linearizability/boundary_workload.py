"""Chooses a worker's next call to a boundary, by a seed, with a preference for hard cases."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.linearizability.histories import Delete, Find, Outcome, Several, Unless
from tests.linearizability.workload import Worker

if TYPE_CHECKING:
    from tests.linearizability.histories import Call, Operation

QUERIES: Final = ("*", "x", "y", "z", "a", "b", "ax", "bz|y", "x|y")


@dataclass
class BoundaryWorker(Worker):
    """A caller of boundaries, with a memory of its own of what it saw."""

    _heads: dict[int, tuple[int, int]] = field(default_factory=dict)
    _doubtful: list[tuple[int, Unless]] = field(default_factory=list)

    def next_call(self) -> tuple[int, Call]:
        """Return the number of a boundary, and what to do with it."""
        self._calls += 1
        if self._doubtful and self.random.random() < 0.3:
            return self._doubtful.pop(self.random.randrange(len(self._doubtful)))
        stream = self.random.randrange(1, self.streams + 1)
        if self.random.random() * 100 < self.deletions:
            return stream, Delete()
        choice = self.random.choices(("unless", "several", "find", "find after"), (55, 15, 18, 12))[
            0
        ]
        version, generation = self._heads.get(stream, (0, 0))
        if choice == "find":
            return stream, Find(self.random.choice(QUERIES))
        if choice == "find after":
            return stream, Find(self.random.choice(QUERIES), version, generation)
        if choice == "unless":
            return stream, self._unless(version, generation, "")
        return stream, Several(tuple(self._unless(version, generation, at) for at in "pqr"))

    def _unless(self, version: int, generation: int, part: str) -> Unless:
        number = self.random.choice((1, 1, 1, 2))
        labels = tuple(
            f"{self.letter}{self._calls}{part}{place}{self.random.choice('ab')}"
            f"{self.random.choice('xyz')}"
            for place in range(number)
        )
        query = self.random.choice(QUERIES)
        kind = self.random.choices(
            ("known", "stale", "ahead", "nothing", "none", "only ids"), (60, 15, 2, 8, 8, 7)
        )[0]
        match kind:
            case "stale":
                version = max(version - self.random.choice((1, 2, 3)), 0)
            case "ahead":
                version += 1
            case "nothing":
                return Unless(query, None, 0, labels)
            case "none":
                return Unless(None, None, 0, labels)
            case "only ids":
                return Unless(None, version, generation if version else 0, labels)
        return Unless(query, version, generation if version else 0, labels)

    def learn(self, operation: Operation) -> None:
        """Take the end of a call."""
        call = operation.call
        if isinstance(call, Delete):
            self._heads.pop(operation.stream, None)
        elif isinstance(call, Unless) and operation.outcome is Outcome.UNKNOWN:
            # Appending the same again is safe, if the call says what it has seen.
            if call.query is not None or call.after is not None:
                self._doubtful.append((operation.stream, call))
        elif operation.head is not None and (
            isinstance(call, Find) or self.random.random() < 0.8  # at times it stays behind
        ):
            self._heads[operation.stream] = operation.head
