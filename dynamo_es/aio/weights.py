"""Estimates how much work events are, without looking at all of a large one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST: Final = 64 * 1024
"""Bytes of events that take about two milliseconds of work; a thread does more than that."""

_VALUE: Final = 64
"""Bytes that a value counts as, beside its text: it is checked, written and read."""


def are_large(events: Iterable[Any]) -> bool:
    """Whether events are so much work that it would hold up an event loop.

    Args:
        events: raw or typed events, wrapped or not.
    """
    left = MOST
    waiting: list[Any] = list(events)
    while waiting:
        value = waiting.pop()
        left -= _VALUE
        if left < 0:
            return True
        if isinstance(value, str | bytes):
            left -= len(value)
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple | set | frozenset):
            left -= _VALUE * len(value)
            if left >= 0:
                waiting += value
        else:
            waiting += _parts(value)
    return left < 0


def _parts(value: Any) -> Iterable[Any]:
    for name in ("event", "data", "entry"):  # of a wrapped event, a raw one, a record of the log
        part = getattr(value, name, None)
        if part is not None and not callable(part):
            return (part,)
    return getattr(value, "__dict__", {}).values()
