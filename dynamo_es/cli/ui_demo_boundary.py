"""The boundary that ``dynamo-es ui --demo`` shows: courses, and the students who subscribe."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid5

from dynamo_es.contracts.boundaries.strategy import ConditionalAppend, boundary_stream
from dynamo_es.values import RawEvent
from dynamo_es.values.queries import TAGS_KEY

if TYPE_CHECKING:
    from dynamo_es.facade.backend import Backend

UNIVERSITY: Final = "university"
"""The tenant of the boundary."""
COURSES: Final = boundary_stream("courses")

_NAMESPACE: Final = UUID("2b8f3f62-5c0e-4c0a-9d53-0a3fd9f1a7a4")
_MORNING: Final = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
_HISTORY: Final[tuple[tuple[str, dict[str, str | int]], ...]] = (
    ("CourseDefined", {"course": "maths", "capacity": 3}),
    ("CourseDefined", {"course": "art", "capacity": 20}),
    ("StudentEnrolled", {"student": "ann", "course": "maths"}),
    ("StudentEnrolled", {"student": "bob", "course": "maths"}),
    ("StudentEnrolled", {"student": "ann", "course": "art"}),
    ("CapacityChanged", {"course": "maths", "capacity": 2}),
    ("StudentEnrolled", {"student": "carol", "course": "art"}),
    ("StudentLeft", {"student": "bob", "course": "maths"}),
    ("StudentEnrolled", {"student": "dan", "course": "maths"}),
)


def fill_boundary(backend: Backend) -> None:
    """Write courses and enrolments to a boundary, one a commit."""
    storage = backend.in_tenant(UNIVERSITY).storage
    for number, (name, data) in enumerate(_HISTORY):
        tags = [f"{kind}:{data[kind]}" for kind in ("course", "student") if kind in data]
        event = RawEvent(
            uuid5(_NAMESPACE, str(number)),
            COURSES,
            _MORNING + timedelta(minutes=number),
            name,
            dict(data),
            {TAGS_KEY: tags},
        )
        storage.insert_unless(COURSES, [ConditionalAppend([event])])
