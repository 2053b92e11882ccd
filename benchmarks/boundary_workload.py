"""The events of the boundary that is measured. It uses only the standard library."""

from __future__ import annotations

from typing import Any, Final

NAME: Final = "StudentAdmitted"  # differs from the tutorial's class, which other tests load
ASKED: Final = "course:asked"
"""Tag of the events that are read: the first ten, and no others."""
MATCHING: Final = 10
_COURSES: Final = 100


def tags_of(number: int) -> list[str]:
    """Return the tags of an event by its number, which begins at 0."""
    course = ASKED if number < MATCHING else f"course:{number % _COURSES}"
    return [course, f"student:{number % (7 * _COURSES)}"]


def data_of(number: int) -> dict[str, Any]:
    """Return the data of an event by its number, which begins at 0."""
    return {
        "course": "asked" if number < MATCHING else str(number % _COURSES),
        "student": str(number % (7 * _COURSES)),
        "by": "the office",
    }
