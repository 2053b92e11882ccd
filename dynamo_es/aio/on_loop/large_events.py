"""Estimates how much work events are, without looking at every value of a large event."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from dynamo_es.aio.bridges.greenlet_bridge import this_call

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST: Final = 64 * 1024
"""Bytes of events that take about two milliseconds of work. Threads do more work than that."""

_VALUE: Final = 32
"""Bytes that each value counts, besides its text, because it is checked, encoded and decoded."""

_EVENT: Final = 400
"""Bytes that each event counts, besides its values."""

_SMALL: Final = frozenset({int, float, bool, type(None), UUID, datetime})
"""Types of small values that contain no other values."""


def note_size(events: Iterable[Any]) -> None:
    """Let threads work on the events of the running call from now on, if they are large."""
    call = this_call()
    if call is not None and call.is_large is None:
        call.is_large = are_large(events)


def are_large(events: Iterable[Any]) -> bool:
    """Return whether the work on events is so much that it would block an event loop.

    Args:
        events: raw or typed events, wrapped or not.
    """
    left = MOST
    waiting: list[Any] = []
    for event in events:
        left -= _EVENT
        values = _values(event)
        for value in values:
            kind = type(value)
            if kind is str or kind is bytes:
                left -= len(value)
            elif kind not in _SMALL:
                waiting.append(value)
        left -= _VALUE * len(values)
        if left < 0:
            return True
    return bool(waiting) and _exceed(waiting, left)


def _values(event: Any) -> Any:
    """Return the values of an event in any form: typed, wrapped, raw or from the log."""
    values = getattr(event, "__dict__", None)
    if values is not None:  # a bare typed event; other attribute look-ups on it are slow
        return values.values()
    inner = getattr(event, "event", event)  # of a wrapped event
    values = getattr(inner, "__dict__", None)
    if values is not None:
        return values.values()
    inner = getattr(inner, "entry", inner)  # of a record of the log
    data = getattr(inner, "data", None)  # of a raw event
    return data.values() if type(data) is dict else ()


def _exceed(waiting: list[Any], left: int) -> bool:
    while waiting and left >= 0:
        value = waiting.pop()
        left -= _VALUE
        if isinstance(value, str | bytes):
            left -= len(value)
        elif isinstance(value, dict):
            left -= _VALUE * len(value)
            if left >= 0:
                waiting += value.values()
        elif isinstance(value, list | tuple | set | frozenset):
            left -= _VALUE * len(value)
            if left >= 0:
                waiting += value
        elif type(value) not in _SMALL:
            waiting += getattr(value, "__dict__", {}).values()
    return left < 0
