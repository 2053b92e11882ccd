"""The verdict on a history, with the shortest part from its beginning that is wrong."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Final

from tests.linearizability.checker import Search
from tests.linearizability.histories import Append, Load, Outcome, Unless, with_memory
from tests.linearizability.model import Model, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.linearizability.histories import Call, Found, Operation

_SHOWN: Final = 40
"""Operations shown of a failing history, the last ones."""


def verify(history: Sequence[Operation], seed: object, model: Model | None = None) -> None:
    """Raise unless every stream of a history is linearizable.

    Args:
        history: operations of any streams, in any order.
        seed: what makes the history again, for the message.
        model: the rules; None: those of processes with one clock.

    Raises:
        AssertionError: with the seed and the shortest failing prefix.
    """
    if told := violation(history, model):
        raise AssertionError(f"seed {seed}: {told}")


def violation(history: Sequence[Operation], model: Model | None = None) -> str | None:
    """Return what is wrong with a history; None if it is linearizable."""
    model = model or Model()
    remembered = with_memory(history)
    for stream in sorted({operation.stream for operation in remembered}):
        operations = [one for one in remembered if one.stream == stream]
        for one in operations:
            if one.outcome is Outcome.UNDOCUMENTED:
                return f"stream {stream}: {one.call} ended with {one.error}\n{one}"
        if Search(operations, model).first_end() is None:
            return f"stream {stream}: {_explain(operations, model)}"
    return None


def prefix(operations: Sequence[Operation], until: float) -> list[Operation]:
    """Return a history as it was at a moment: what had not returned yet may still happen."""
    begun = [one for one in operations if one.invoked <= until]
    return [
        one
        if one.returned <= until
        else replace(
            one, returned=inf, outcome=Outcome.UNKNOWN, found=None, error="", actual=None, head=None
        )
        for one in begun
    ]


def shortest_failing(operations: Sequence[Operation], model: Model) -> list[Operation]:
    """Return the shortest prefix that is not linearizable; each longer one is not either."""
    moments = sorted(one.returned for one in operations if one.returned < inf)
    wrong = bisect_left(
        moments,
        True,
        key=lambda moment: Search(prefix(operations, moment), model).first_end() is None,
    )
    return prefix(operations, moments[wrong])


def _explain(operations: Sequence[Operation], model: Model) -> str:
    failing = shortest_failing(operations, model)
    last = max((one for one in failing if one.returned < inf), key=lambda one: one.returned)
    before = Search([one for one in failing if one is not last], model).ends()
    lines = [f"{last.process}: {last.call}: {_diagnose(last, before, failing)}"]
    lines += ["Without it, the stream could be:"]
    lines += [f"    {state}" for state in before]
    lines += [f"The history up to there ({len(failing)} operations, the last {_SHOWN}):"]
    shown = sorted(failing, key=lambda one: one.invoked)[-_SHOWN:]
    lines += [f"{'>' if one is last else ' '} {one}" for one in shown]
    return "\n".join(lines)


def _diagnose(last: Operation, before: list[State], history: Sequence[Operation]) -> str:
    if last.outcome is Outcome.REFUSED:
        return "refused without a reason"
    if last.outcome is Outcome.FAILED:
        return "failed, and happened all the same"
    if last.found is None:
        return "acknowledged, though it was not possible"
    return _diagnose_load(last.call, last.found, before, history)


def _diagnose_load(
    call: Call, found: Found, before: list[State], history: Sequence[Operation]
) -> str:
    told: dict[str, set[Outcome]] = {label: set() for label in found.events}
    for one in history:
        for label in one.call.events if isinstance(one.call, Append | Unless) else ():
            told.setdefault(label, set()).add(one.outcome)
    for outcome in (Outcome.REFUSED, Outcome.FAILED):
        if stored := [label for label in found.events if told[label] == {outcome}]:
            return f"stored, though {outcome}: {' '.join(stored)}"
    possible = {label for state in before for label in state.events}
    if strange := [label for label in found.events if label not in possible]:
        return f"stored, though it should not be there (any more): {' '.join(strange)}"
    certain = set.intersection(*({*state.events} for state in before)) if before else set()
    lost = [label for label in sorted(certain) if label not in found.events]
    if call == Load(1) and lost:
        return f"acknowledged, and lost: {' '.join(lost)}"
    return "no state of the stream that was"
