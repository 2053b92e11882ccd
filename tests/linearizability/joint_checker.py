"""Checks whether a history of several streams together is linearizable."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any, Final

from tests.linearizability.checker import UNSEEN, Search
from tests.linearizability.histories import Append, AppendAll, Load, Outcome, Save
from tests.linearizability.joint_model import JointModel, Streams
from tests.linearizability.model import NO_STREAM
from tests.linearizability.verdicts import prefix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.linearizability.histories import Call, Operation

_SHOWN: Final = 40
"""Operations shown of a failing history, the last ones."""


class JointSearch(Search):
    """The search for the possible orders of the operations on several streams.

    Args:
        operations: on any of the streams.
        model: what the streams should do.
        streams: how many there are.
    """

    def __init__(self, operations: Sequence[Operation], model: JointModel, streams: int) -> None:
        self.start = (NO_STREAM,) * streams  # type: ignore[misc]  # of this search
        super().__init__(operations, model)

    def _places(self) -> dict[Any, Any]:
        return {
            label: version
            for one in self._certain
            if one.found is not None
            for label, version in zip(one.found.events, one.found.versions, strict=True)
        }

    def _anonymous(self, unknown: list[Operation]) -> list[Operation]:
        told = Counter(label for one in [*self._certain, *unknown] for label in labels_of(one.call))
        return [
            replace(one, call=_without_labels(one.call))
            if not any(label in self._seen or told[label] > 1 for label in labels_of(one.call))
            else one
            for one in unknown
        ]

    def _after(self, operation: Operation, state: Any) -> tuple[Any, ...]:
        streams: Streams = state
        for number, append in appends_of(operation):
            place = self._seen.get(append.events[0])
            next_one = len(streams[number - 1].events) + 1
            if place not in (None, next_one, (append.expected or 0) + 1):
                return ()
        return tuple(self._model.after(operation, streams))


def appends_of(operation: Operation) -> Iterator[tuple[int, Append]]:
    """Yield what an operation appends to which stream."""
    match operation.call:
        case Append() as append:
            yield operation.stream, append
        case AppendAll(parts, _):
            yield from parts


def labels_of(call: Call) -> Iterator[str]:
    """Yield the events that a call appends."""
    match call:
        case Append(_, labels):
            yield from labels
        case AppendAll(parts, _):
            for _, append in parts:
                yield from append.events


def _without_labels(call: Call) -> Call:
    match call:
        case Append(_, labels):
            return replace(call, events=(UNSEEN,) * len(labels))
        case AppendAll(parts, _):
            anonymous = tuple(
                (n, replace(one, events=(UNSEEN,) * len(one.events))) for n, one in parts
            )
            return replace(call, parts=anonymous)
    return call


def verify_jointly(
    history: Sequence[Operation], seed: object, streams: int, model: JointModel | None = None
) -> None:
    """Raise unless a history of several streams is linearizable.

    Raises:
        AssertionError: with the seed and the shortest failing prefix.
    """
    model = model or JointModel()
    operations = with_looks(history)
    for one in operations:
        assert one.outcome is not Outcome.UNDOCUMENTED, f"seed {seed}: {one}\n{one.error}"

    def fails(some: Sequence[Operation]) -> bool:
        return JointSearch(some, model, streams).first_end() is None

    if not fails(operations):
        return
    moments = sorted(one.returned for one in operations if one.returned < inf)
    low, high = 0, len(moments) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (
            (low, middle) if fails(prefix(operations, moments[middle])) else (middle + 1, high)
        )
    told = [one for one in operations if one.invoked <= moments[low]][-_SHOWN:]
    raise AssertionError(
        f"seed {seed}: no order explains the operations up to {moments[low]:.0f}:\n"
        + "\n".join(f"stream {one.stream or '*'} {one}" for one in told)
    )


def with_looks(operations: Sequence[Operation]) -> list[Operation]:
    """Return a history in the order of invocation, each operation with its looks at the streams.

    A process remembers a head from its last load, append or refusal of the stream, alone or with
    others.
    """
    looks: dict[tuple[str, int], tuple[float, float]] = {}
    told: list[Operation] = []
    for operation in sorted(operations, key=lambda one: one.invoked):
        call = operation.call
        numbers = [*call.expected] if isinstance(call, AppendAll) else [operation.stream]
        known = tuple((n, looks[at]) for n in numbers if (at := (operation.process, n)) in looks)
        alone = None if isinstance(call, AppendAll) else dict(known).get(operation.stream)
        told.append(replace(operation, looks=known, last_look=alone))
        certain = operation.outcome in (Outcome.OK, Outcome.REFUSED)
        for number in numbers:
            place = operation.process, number
            # An append to several does not look at each stream.
            looked = certain and isinstance(call, Load | Append)
            if (looked and not isinstance(call, Save)) or place not in looks:
                looks[place] = operation.invoked, operation.returned
    return told
