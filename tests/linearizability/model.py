"""The model of one stream: the effect of each operation, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Final, NamedTuple

from tests.linearizability.histories import (
    Append,
    AppendAll,
    Delete,
    Find,
    Found,
    Load,
    Operation,
    Outcome,
    Save,
    Several,
    Unless,
    matches,
)


class State(NamedTuple):
    """A stream at one moment.

    Attributes:
        events: labels of the current generation's events; none: there is no stream.
        snapshots: version and label of the current generation's, the newest last, and when at the
            latest each was saved.
        since: when at the latest the current generation, or the absence of one, began.
        youngest: when the creation of a generation was invoked, of all generations so far the last.
        generation: number of the current generation; 0: unknown.
    """

    events: tuple[str, ...] = ()
    snapshots: tuple[tuple[int, str, float], ...] = ()
    since: float = -inf
    youngest: float = -inf
    generation: int = 0

    def __str__(self) -> str:
        if not self.events:
            return "no stream"
        of = ", snapshot {1} of {0}".format(*self.snapshots[-1]) if self.snapshots else ""
        return f"{' '.join(self.events)}{of}"


NO_STREAM: Final = State()


@dataclass(frozen=True, slots=True)
class Model:
    """The rules.

    Attributes:
        clocks_agree: whether all processes number generations by one clock. Otherwise a creation
            whose outcome was unknown may still succeed after generations that began later have
            ended.
    """

    clocks_agree: bool = True

    def after(self, operation: Operation, state: State) -> tuple[State, ...]:
        """Return the states an operation may lead to, happening now; none: not possible now."""
        match operation.call:
            case Load() as load:
                return (state,) if _fits(load, operation, state) else ()
            case Append() as append:
                return self._append(append, operation, state)
            case Save() as save:
                return _save(save, operation, state)
            case Delete():
                return _delete(operation, state)
            case Find() as find:
                return (state,) if _finds(find, operation, state) else ()
            case Unless() as unless:
                return self._unless(unless, operation, state)
            case AppendAll() | Several():
                raise AssertionError("each part is an operation of its own, or has its own model")

    def _append(self, call: Append, operation: Operation, state: State) -> tuple[State, ...]:
        version, expected = len(state.events), call.expected
        stored = _stored(call, state)
        if operation.outcome is Outcome.REFUSED:
            assert operation.actual is not None
            # A commit of a generation that has just ended, or an earlier one, may have refused it.
            shown = version == 0 or 0 < operation.actual <= version
            reason = version != expected and not stored
            another_generation = bool(expected) and _may_know_another_generation(operation, state)
            return (state,) if shown and (reason or another_generation) else ()
        if expected not in (None, version):
            return (state,) if stored and operation.outcome is Outcome.OK else ()
        creates = not state.events
        if _too_late(operation, state) and (self.clocks_agree or not creates):
            return ()
        if creates:
            youngest = max(state.youngest, operation.invoked)
            return (State(call.events, (), _happened_by(operation), youngest),)
        return (state._replace(events=state.events + call.events),)

    def _unless(  # noqa: PLR0911 - one a reason
        self, call: Unless, operation: Operation, state: State
    ) -> tuple[State, ...]:
        last = _end_of(call, state)
        if operation.outcome is Outcome.REFUSED:
            return (state,) if last is None and _is_right(call, operation, state) else ()
        version = len(state.events) + len(call.events)
        if last is not None and (call.query is not None or call.after is not None):
            told = operation.head is None or operation.head[0] == last
            return (state,) if told and _is_of(operation, state) else ()
        if operation.head is not None and operation.head[0] != version:
            return ()
        if _is_unreached(call, state) or (
            call.query is not None and _matching(call.query, call.after or 0, state)
        ):
            return ()
        creates = not state.events
        if _too_late(operation, state) and (self.clocks_agree or not creates):
            return ()
        generation = 0 if operation.head is None else operation.head[1]
        if creates:
            youngest = max(state.youngest, operation.invoked)
            return (State(call.events, (), _happened_by(operation), youngest, generation),)
        if not _is_of(operation, state):
            return ()
        known = state.generation or generation
        return (state._replace(events=state.events + call.events, generation=known),)


def _matching(
    query: str, after: int, state: State, until: int | None = None
) -> tuple[tuple[str, int], ...]:
    """Return the events above a version that match, with their versions: the whole rule."""
    return tuple(
        (label, version)
        for version, label in enumerate(state.events[:until], 1)
        if version > after and matches(query, label)
    )


def _is_of(operation: Operation, state: State) -> bool:
    """Whether the answer names the stream's generation, as far as that is known."""
    return operation.head is None or state.generation in (0, operation.head[1])


def _is_unreached(call: Unless | Find, state: State) -> bool:
    """Whether the stream has not the version that the caller has seen: it was deleted since."""
    if not call.after:
        return False
    return len(state.events) < call.after or state.generation not in (0, call.generation)


def _is_right(call: Unless | Find, operation: Operation, state: State) -> bool:
    """Whether a refusal is true."""
    assert operation.found is not None
    assert operation.head is not None
    if not operation.found.events:
        # If the generation is unknown, it may be another.
        return bool(call.after) and (_is_unreached(call, state) or not state.generation)
    version, generation = operation.head
    if not state.events or (state.generation and state.generation != generation):
        # A commit of a generation that has just ended may have refused it.
        return generation not in (0, state.generation)
    shown = tuple(zip(operation.found.events, operation.found.versions, strict=True))
    after = call.after or 0
    return version <= len(state.events) and shown == _matching(
        call.query or "", after, state, version
    )


def _finds(call: Find, operation: Operation, state: State) -> bool:
    if operation.outcome is Outcome.REFUSED:
        return _is_right(call, operation, state)
    assert operation.found is not None
    assert operation.head is not None
    shown = tuple(zip(operation.found.events, operation.found.versions, strict=True))
    return (
        operation.head[0] == len(state.events)
        and (not state.events or _is_of(operation, state))
        and not _is_unreached(call, state)
        and shown == _matching(call.query, call.after or 0, state)
    )


def _end_of(call: Unless, state: State) -> int | None:
    """Return the version of the last event, if the events are stored; None: they are not."""
    first = call.events[0]
    if first.startswith("?") or first not in state.events:
        return None
    return state.events.index(first) + len(call.events)


def _save(call: Save, operation: Operation, state: State) -> tuple[State, ...]:
    version = len(state.events)
    if operation.outcome is Outcome.REFUSED:
        return (state,) if version < call.version else ()
    after = []
    if call.version <= version and not _too_late(operation, state):
        newer = not state.snapshots or state.snapshots[-1][0] < call.version
        one = call.version, call.label, _happened_by(operation)
        snapshots = (*state.snapshots, one) if newer else state.snapshots
        after.append(state._replace(snapshots=snapshots))
    # A snapshot of an earlier generation is silently dropped.
    if operation.outcome is Outcome.OK and _may_know_another_generation(operation, state):
        after.append(state)
    return tuple(after)


def _delete(operation: Operation, state: State) -> tuple[State, ...]:
    if not state.events:
        return (state,) if operation.outcome is Outcome.OK else ()
    if _too_late(operation, state):
        return ()
    return (State(since=_happened_by(operation), youngest=state.youngest),)


def _fits(call: Load, operation: Operation, state: State) -> bool:
    assert operation.found is not None
    end = len(state.events) if call.stop is None else min(call.stop - 1, len(state.events))
    if call.start is not None:
        return operation.found == _found(None, call.start, end, state)
    # The snapshot is on the first page of a load, the newest events perhaps on the next: one that
    # is saved meanwhile may be missed. The events are complete without it.
    for version, label, saved_by in reversed(state.snapshots):
        usable = version <= end
        kept, first = ((version, label), version + 1) if usable else (None, 1)
        if operation.found == _found(kept, first, end, state):
            return True
        if saved_by <= operation.invoked:
            return False
    return operation.found == _found(None, 1, end, state)


def _found(snapshot: tuple[int, str] | None, first: int, end: int, state: State) -> Found:
    events = state.events[first - 1 : end]
    return Found(snapshot, events, tuple(range(first, first + len(events))))


def _stored(call: Append, state: State) -> bool:
    first = call.expected
    return first is not None and state.events[first : first + len(call.events)] == call.events


def _too_late(operation: Operation, state: State) -> bool:
    """Whether this generation, or one before it, began when the caller had given up already.

    What may arrive later was sent before, and belongs to a generation that was there before.
    """
    return operation.outcome is Outcome.UNKNOWN and state.youngest > operation.returned


def _may_know_another_generation(operation: Operation, state: State) -> bool:
    """Whether the stream was deleted or created since the process last looked.

    What it created or deleted itself, it knows.
    """
    if operation.last_look is None:
        return False
    invoked, returned = operation.last_look
    return state.since > invoked and state.since != returned


def _happened_by(operation: Operation) -> float:
    return inf if operation.outcome is Outcome.UNKNOWN else operation.returned
