"""Checks whether a history is linearizable: Wing & Gong's search, with Lowe's memory.

A history is linearizable if each operation can have happened at one moment between its call and its
return, so that a model that runs them one after the other gives the same results. An operation with
an unknown outcome happens at any moment after its call, or never. Streams are independent of each
other, so the checker searches each alone.

Sources: J. Wing, C. Gong, "Testing and Verifying Concurrent Objects" (1993); G. Lowe, "Testing for
linearizability" (2017): the search skips configurations that it has met before.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from tests.linearizability.histories import Append, Outcome, Unless
from tests.linearizability.model import NO_STREAM, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.linearizability.histories import Call, Operation

MOST_CONFIGURATIONS: Final = 300_000
"""A search gives up there: neither a proof nor a failure, and never silent."""


UNSEEN: Final = "?"
"""Label of an event that no load ever showed, and whose outcome is unknown."""


class SearchTooLongError(Exception):
    """The history has too many possible orders to decide."""


class _Configuration(NamedTuple):
    """What has happened so far, in one possible order.

    Attributes:
        first: all certain operations before this one have happened.
        beyond: bit by bit, which of those from ``first`` on have happened too.
        applied: bit by bit, which of the unknown ones have happened.
        state: of the stream.
    """

    first: int
    beyond: int
    applied: int
    state: State


class Search:
    """The search for the possible orders of one stream's operations.

    Args:
        operations: of one stream; failed ones are left out.
        model: what the stream should do.
    """

    start: ClassVar[Any] = NO_STREAM
    """The state before the first operation."""

    def __init__(self, operations: Sequence[Operation], model: Any) -> None:
        self._model = model
        inorder = sorted(operations, key=lambda one: one.invoked)
        self._certain = [one for one in inorder if one.outcome in (Outcome.OK, Outcome.REFUSED)]
        self._seen = self._places()
        self._unknown = self._anonymous(
            [one for one in inorder if one.outcome is Outcome.UNKNOWN and not one.is_pure]
        )
        self._by_return = sorted((one.returned, at) for at, one in enumerate(self._unknown))
        self.configurations = 0

    def _places(self) -> dict[Any, Any]:
        """Return where each event is that a load showed."""
        return _places_seen(self._certain)

    def _anonymous(self, unknown: list[Operation]) -> list[Operation]:
        """Take the labels from what nobody saw and nobody repeats: one is like the other then."""
        told = Counter(
            label
            for one in [*self._certain, *unknown]
            if isinstance(one.call, Append | Unless)
            for label in one.call.events
        )
        return [
            replace(one, call=replace(one.call, events=_unseen(one.call)))
            if isinstance(one.call, Append | Unless)
            and not any(label in self._seen or told[label] > 1 for label in one.call.events)
            else one
            for one in unknown
        ]

    def first_end(self) -> State | None:
        """Return a state that the stream may be in at the end; None: no order is possible."""
        return next(iter(self._ends(most=1)), None)

    def ends(self, most: int = 5) -> list[State]:
        """Return states that the stream may be in at the end, that many at most."""
        return list(self._ends(most))

    def _ends(self, most: int) -> set[State]:
        ends: set[State] = set()
        met: set[_Configuration] = set()
        open_ones = [_Configuration(0, 0, 0, self.start)]
        while open_ones and len(ends) < most:
            configuration, candidates, deadline = self._take_certain(open_ones.pop())
            if configuration in met:
                continue
            met.add(configuration)
            self.configurations += 1
            if self.configurations > MOST_CONFIGURATIONS:
                raise SearchTooLongError(f"more than {MOST_CONFIGURATIONS:,} configurations")
            if not candidates:
                ends.add(configuration.state)
                continue
            # The last one in is tried first: unknown ones only where certain ones lead nowhere.
            open_ones += self._unknown_next(configuration, deadline)
            for place in reversed(candidates):
                if self._certain[place].is_pure:
                    continue
                for state in self._after(self._certain[place], configuration.state):
                    open_ones.append(self._done(configuration, place, state))
        return ends

    def _take_certain(
        self, configuration: _Configuration
    ) -> tuple[_Configuration, list[int], float]:
        """Apply the certain operations that fit and change nothing: later they fit less."""
        while True:
            candidates, deadline = self._candidates(configuration)
            for place in candidates:
                operation = self._certain[place]
                if operation.is_pure and self._model.after(operation, configuration.state):
                    configuration = self._done(configuration, place, configuration.state)
                    break
            else:
                return configuration, candidates, deadline

    def _candidates(self, configuration: _Configuration) -> tuple[list[int], float]:
        """Return what may happen next, and until when one of them has to."""
        found: list[int] = []
        deadline = inf
        beyond = configuration.beyond
        for place in range(configuration.first, len(self._certain)):
            operation = self._certain[place]
            if operation.invoked > deadline:
                break
            if not beyond >> (place - configuration.first) & 1:
                found.append(place)
                deadline = min(deadline, operation.returned)
        return found, deadline

    def _unknown_next(self, configuration: _Configuration, deadline: float) -> list[_Configuration]:
        found = []
        tried: set[tuple[int, Call]] = set()
        # Of those that are alike, the one that is soonest too late goes first.
        for returned, place in self._by_return:
            operation = self._unknown[place]
            if operation.invoked > deadline or configuration.applied >> place & 1:
                continue
            alike = operation.stream, operation.call
            if alike in tried:
                continue
            after = self._after(operation, configuration.state)
            if returned < inf and after:
                tried.add(alike)
            applied = configuration.applied | 1 << place
            found += [
                configuration._replace(applied=applied, state=state)
                for state in after
                if state != configuration.state
            ]
        return found

    def _after(self, operation: Operation, state: State) -> tuple[State, ...]:
        """Return what the model says, apart from what a load contradicts sooner or later."""
        call = operation.call
        if isinstance(call, Unless) and call.events[0] not in state.events:
            if self._seen.get(call.events[0]) not in (None, len(state.events) + 1):
                return ()
        elif isinstance(call, Append):
            place = self._seen.get(call.events[0])
            if place not in (None, len(state.events) + 1, (call.expected or 0) + 1):
                return ()
        return self._model.after(operation, state)

    @staticmethod
    def _done(configuration: _Configuration, place: int, state: State) -> _Configuration:
        first = configuration.first
        beyond = configuration.beyond | 1 << (place - first)
        while beyond & 1:
            beyond >>= 1
            first += 1
        return _Configuration(first, beyond, configuration.applied, state)


def _unseen(call: Append | Unless) -> tuple[str, ...]:
    """Return labels that nobody saw; type and tag stay, because conditions match them."""
    if isinstance(call, Append):
        return (UNSEEN,) * len(call.events)
    return tuple(UNSEEN + label[-2:] for label in call.events)


def _places_seen(certain: list[Operation]) -> dict[str, int | None]:
    """Return the version of each event that was seen at one version: it is stored nowhere else."""
    seen: dict[str, int | None] = {}
    several: set[str] = set()  # appended again in another generation
    for one in certain:
        if one.found is not None:
            for label, version in zip(one.found.events, one.found.versions, strict=True):
                if seen.setdefault(label, version) != version:
                    several.add(label)
    return {label: version for label, version in seen.items() if label not in several}
