"""The model of several streams together: the effect of each operation, one after the other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from tests.linearizability.histories import AppendAll, Outcome
from tests.linearizability.model import Model, State

if TYPE_CHECKING:
    from tests.linearizability.histories import Append, Operation

Streams: TypeAlias = tuple[State, ...]
"""The streams at one moment, in the order of their numbers, from 1."""


@dataclass(frozen=True, slots=True)
class JointModel:
    """The rules.

    Attributes:
        one: those of each stream alone.
    """

    one: Model = field(default_factory=Model)

    def after(self, operation: Operation, streams: Streams) -> tuple[Streams, ...]:
        """Return the states an operation may lead to, happening now; none: not possible now."""
        call = operation.call
        if isinstance(call, AppendAll):
            if operation.outcome is Outcome.REFUSED:
                return (streams,) if _is_true_refusal(call, operation, streams) else ()
            return self._append_all(call, operation, streams)
        number = operation.stream
        after = self.one.after(operation, streams[number - 1])
        return tuple(_with(streams, number, state) for state in after)

    def _append_all(
        self, call: AppendAll, operation: Operation, streams: Streams
    ) -> tuple[Streams, ...]:
        stored = [_is_stored(append, streams[number - 1]) for number, append in call.parts]
        if all(stored):
            return (streams,) if operation.outcome is Outcome.OK else ()
        if any(stored) or any(len(streams[n - 1].events) != at for n, at in call.unchanged):
            return ()
        for number, append in call.parts:
            alone = replace(operation, stream=number, call=append)
            after = self.one.after(alone, streams[number - 1])
            if not after:
                return ()
            streams = _with(streams, number, after[0])
        return (streams,)


def _with(streams: Streams, number: int, state: State) -> Streams:
    return (*streams[: number - 1], state, *streams[number:])


def _is_stored(append: Append, state: State) -> bool:
    first = append.expected or 0
    return state.events[first : first + len(append.events)] == append.events


def _is_true_refusal(call: AppendAll, operation: Operation, streams: Streams) -> bool:
    """Whether the streams that the refusal names are not as the call expected.

    The store reads them one after the other. So one that was found may have been deleted, created
    again, or have come as far as the call expected, when the next one is read.
    """
    if all(_is_stored(append, streams[number - 1]) for number, append in call.parts):
        return False
    looks = dict(operation.looks)
    named = []
    for number, actual in operation.moved:
        state, expected = streams[number - 1], call.expected[number]
        version = len(state.events)
        shown = actual is None or version == 0 or 0 < actual <= version
        moved = shown and (version != expected or _is_another(expected, looks.get(number), state))
        came_further = actual is not None and actual < expected
        if not moved and not came_further and not state.since > operation.invoked:
            return False
        named.append(moved)
    return any(named)


def _is_another(expected: int, look: tuple[float, float] | None, state: State) -> bool:
    """Whether the generation may be another one than the process saw last."""
    return expected > 0 and look is not None and state.since > look[0] and state.since != look[1]
