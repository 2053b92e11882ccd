"""Compares the events that a test expects with the actual ones, and shows both."""

from __future__ import annotations

import textwrap
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.event_store.comparison import find_difference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.event_store.event import Event

WIDTH: Final = 48
"""The width of each of the two columns, in characters."""

_NOTHING: Final = "-"
_NUMBERS: Final = (int, float, bool)


def matches(expected: Event | type[Event], actual: Event) -> bool:
    """Return whether an event is the expected one: the same class, values and their types.

    Args:
        expected: an event; or a class, which matches any event of exactly this class.
        actual: the event.
    """
    if isinstance(expected, type):
        return type(actual) is expected
    return find_difference(expected, actual) is None


def are_same(expected: object, actual: object) -> bool:
    """Return whether two values are equal, with numbers of the same types at every depth."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return expected.keys() == actual.keys() and all(
            are_same(value, actual[name]) for name, value in expected.items()
        )
    if isinstance(expected, list | tuple) and isinstance(actual, list | tuple):
        # Also compare the whole values: a list is not a tuple, and a class may have its own `==`.
        return expected == actual and all(map(are_same, expected, actual))
    if type(expected) in _NUMBERS and type(actual) in _NUMBERS:
        return type(expected) is type(actual) and expected == actual
    return bool(expected == actual)


def all_match(expected: Sequence[Event | type[Event]], actual: Sequence[Event]) -> bool:
    """Return whether the events are exactly the expected ones, in the same order."""
    return len(expected) == len(actual) and all(map(matches, expected, actual))


def side_by_side(
    expected: Sequence[Any],
    actual: Sequence[Any],
    same: Sequence[bool],
    titles: tuple[str, str] = ("expected", "actual"),
) -> str:
    """Return a table of two lists; ``>`` marks the lines that differ.

    Args:
        expected: the left column.
        actual: the right column.
        same: for each line, whether both sides are the same.
        titles: titles of the columns.
    """
    lines = [_line(" ", "", *titles), _line(" ", "", "-" * WIDTH, "-" * WIDTH)]
    pairs = zip_longest(map(_shown, expected), map(_shown, actual), fillvalue=_NOTHING)
    for number, (left, right) in enumerate(pairs, 1):
        mark = " " if number <= len(same) and same[number - 1] else ">"
        rows = zip_longest(_wrapped(left), _wrapped(right), fillvalue="")
        for row, (one, other) in enumerate(rows):
            lines.append(_line(mark, str(number) if row == 0 else "", one, other))
    return "\n".join(lines)


def describe(expected: Sequence[Event | type[Event]], actual: Sequence[Event]) -> str:
    """Return a table of expected and actual events, and the differences in each pair."""
    same = [matches(left, right) for left, right in zip(expected, actual, strict=False)]
    text = side_by_side(expected, actual, same)
    notes = [
        f"  event {number}: {note}"
        for number, (left, right) in enumerate(zip(expected, actual, strict=False), 1)
        if (note := _note(left, right)) is not None
    ]
    return "\n".join([text, *([""] if notes else []), *notes])


def _note(expected: Event | type[Event], actual: Event) -> str | None:
    """Return the fields that differ in two events of one class."""
    if isinstance(expected, type) or type(expected) is not type(actual):
        return None
    if matches(expected, actual):
        return None
    own, others = dict(expected), dict(actual)
    names = [name for name in own if not _is_same(own[name], others.get(name))]
    return (
        "; ".join(f"{name} is {others.get(name)!r}, expected {own[name]!r}" for name in names)
        or "the values are equal, but their types differ"
    )


def _is_same(expected: object, actual: object) -> bool:
    return type(expected) is type(actual) and (expected == actual or repr(expected) == repr(actual))


def _shown(value: object) -> str:
    return f"any {value.__qualname__}" if isinstance(value, type) else repr(value)


def _wrapped(text: str) -> list[str]:
    return [part for line in text.splitlines() for part in textwrap.wrap(line, WIDTH)] or [""]


def _line(mark: str, number: str, left: str, right: str) -> str:
    return f"{mark}{number:>3} {left:<{WIDTH}} | {right}".rstrip()
