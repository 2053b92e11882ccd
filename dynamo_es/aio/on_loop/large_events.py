"""Estimates how much work events are, without looking at all of a large one."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from dynamo_es.aio.bridges.greenlet_bridge import this_call

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST: Final = 64 * 1024
"""Bytes of events that take about two milliseconds of work; a thread does more than that."""

_VALUE: Final = 32
"""Bytes that a value counts as, beside its text: it is checked, written and read."""

_EVENT: Final = 400
"""Bytes that an event counts as, beside its values."""

_SMALL: Final = frozenset({int, float, bool, type(None), UUID, datetime})
"""Kinds of values that hold no other ones."""


def note_size(events: Iterable[Any]) -> None:
    """Have threads work on the events of the running call from now on, if they are large."""
    call = this_call()
    if call is not None and call.is_large is None:
        call.is_large = are_large(events)


def are_large(events: Iterable[Any]) -> bool:
    """Whether events are so much work that it would hold up an event loop.

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
    """Return the values of an event, of any form."""
    values = getattr(event, "__dict__", None)
    if values is not None:  # a bare one; to ask it for other names takes long
        return values.values()
    inner = getattr(event, "event", event)  # of a wrapped one
    values = getattr(inner, "__dict__", None)
    if values is not None:
        return values.values()
    inner = getattr(inner, "entry", inner)  # of a record of the log
    data = getattr(inner, "data", None)  # of a raw one
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
