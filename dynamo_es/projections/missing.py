"""Loads the events of a stream that are missing between a cursor and given events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

_LARGEST_LOOK: Final = 1024
"""Most events that are loaded at once to find an event without a version."""


class Step(NamedTuple):
    """An event to apply, or to pass over.

    Attributes:
        uuid: id of the event.
        event: the event, or an object that stands for it; None: it is not selected, so it is passed
            over.
    """

    uuid: UUID
    event: Any


def with_missing(
    load: Callable[[int, int], list[Step]], at: int, first: int, steps: Sequence[Step]
) -> Sequence[Step]:
    """Return the events after a cursor: the missing ones, and the given ones after them.

    Args:
        load: loads a range of the stream, from a first version, inclusive, to an end, exclusive.
        at: version of the cursor.
        first: place of the first given event, 1-based.
        steps: the given events, without gaps.
    """
    if first <= at + 1:
        return steps[at + 1 - first :]
    found = load(at + 1, first + len(steps))
    # If the stream has a new generation now, the events of that generation will come on their own.
    return found if found and found[-1].uuid == steps[-1].uuid else []


def up_to(load: Callable[[int, int], list[Step]], at: int, uuid: UUID) -> Sequence[Step]:
    """Return the events after a cursor up to one with a uuid, inclusive; [] without it."""
    found: list[Step] = []
    size = 1
    while True:
        start = at + 1 + len(found)
        more = load(start, start + size)
        found += more
        for index in range(len(found) - len(more), len(found)):
            if found[index].uuid == uuid:
                return found[: index + 1]
        if len(more) < size:
            return []
        size = min(2 * size, _LARGEST_LOOK)
