"""The events of a boundary whose costs are compared. Standard library only."""

from __future__ import annotations

from typing import Any, Final

NAME: Final = "StudentAdmitted"  # not that of the tutorial, whose class other tests load
ASKED: Final = "course:asked"
"""Tag of the events that are read; it is on the first ten, and on no other."""
MATCHING: Final = 10
_COURSES: Final = 100


def tags_of(number: int) -> list[str]:
    """Return the tags of an event, by its number from 0 on."""
    course = ASKED if number < MATCHING else f"course:{number % _COURSES}"
    return [course, f"student:{number % (7 * _COURSES)}"]


def data_of(number: int) -> dict[str, Any]:
    """Return the data of an event."""
    return {
        "course": "asked" if number < MATCHING else str(number % _COURSES),
        "student": str(number % (7 * _COURSES)),
        "by": "the office",
    }
