"""Recorders that race each other break no rule of a boundary."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest
from eventsourcing.persistence import IntegrityError

from dynamo_es import MemoryBackend
from dynamo_es.adapters.eventsourcing import DynamoDCBRecorder
from dynamo_es.adapters.eventsourcing.versions import DCBQuery
from dynamo_es.contracts.boundaries.strategy import boundary_stream
from tests.adapters.eventsourcing.engine import ENGINES, Tables, query, tagged, unless
from tests.engine import LOCAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.ci, pytest.mark.concurrent]

RACERS = 8
PLACES = 10
MOST_COURSES = 2

# moto is not safe under concurrency.
ON = ["memory", *(name for name in ENGINES if name == LOCAL)]


@pytest.fixture(params=ON)
def make(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Make recorders of one boundary, each as in a process of its own."""
    if request.param == "memory":
        with MemoryBackend() as backend:
            yield lambda: DynamoDCBRecorder(backend.storage, boundary_stream("school"), 0.05)
        return
    tables = Tables(ENGINES[request.param])
    yield lambda: tables.dcb_recorder("school")
    tables.close()


def race(make: Any, run: Callable[[DynamoDCBRecorder, int], Any]) -> list[Any]:
    recorders = [make() for _ in range(RACERS)]
    start = Barrier(RACERS)

    def racer(number: int) -> Any:
        start.wait()
        return run(recorders[number], number)

    with ThreadPoolExecutor(RACERS) as pool:
        return list(pool.map(racer, range(RACERS)))


@pytest.mark.parametrize("seen", [None, 1])
def test_of_eight_racers_on_one_condition_one_wins(make, seen):
    taken = query("username:ann")
    if seen:
        make().append([tagged("Registered", "username:bob")])

    def claim(recorder: DynamoDCBRecorder, number: int) -> bool:
        try:
            recorder.append([tagged("Registered", "username:ann")], unless(taken, seen))
        except IntegrityError:
            return False
        return True

    assert sum(race(make, claim)) == 1
    assert len(list(make().read(taken))) == 1


def test_eight_recorders_exceed_no_course_and_no_student(make):
    courses, students = ("course:a", "course:b", "course:c"), [f"student:{n}" for n in range(16)]

    def enrol(recorder: DynamoDCBRecorder, number: int) -> None:
        for student in students[number % 4 :]:
            for course in courses:
                while True:
                    rule = DCBQuery([*query(course).items, *query(student).items])
                    found = recorder.read(rule)
                    tags = [set(each.event.tags) for each in found]
                    full = sum(course in each for each in tags) >= PLACES
                    busy = sum(student in each for each in tags) >= MOST_COURSES
                    if full or busy or {course, student} in tags:
                        break
                    try:
                        recorder.append(
                            [tagged("Joined", course, student)], unless(rule, found.head)
                        )
                    except IntegrityError:
                        continue
                    break

    race(make, enrol)

    events = list(make().read())
    assert [each.position for each in events] == list(range(1, len(events) + 1))
    joined = [tuple(each.event.tags) for each in events]
    assert len(set(joined)) == len(joined)
    of_courses = Counter(course for course, _ in joined)
    assert of_courses["course:a"] == of_courses["course:b"] == max(of_courses.values()) == PLACES
    assert max(Counter(student for _, student in joined).values()) <= MOST_COURSES
