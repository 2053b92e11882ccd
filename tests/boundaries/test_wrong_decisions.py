"""A decision whose models would have other events than its rules need is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from dynamo_es import Decision, DecisionModel, Event, MemoryBackend, Query, Tag
from dynamo_es.exceptions import AsynchronousFunctionError, InputError
from tests.boundaries.courses import (
    Capacity,
    CourseDefined,
    CoursesOf,
    Define,
    Definition,
    Subscribed,
)


@pytest.fixture
def boundary():
    """A boundary in memory: nothing here depends on the backend."""
    boundary = MemoryBackend().boundary("courses")
    boundary.append(CourseDefined(course="c1", capacity=1), Subscribed(student="s", course="c1"))
    return boundary


class Taken(Decision):
    """Defines a course with as many places as a student takes courses."""

    def __init__(self, model: CoursesOf) -> None:
        self.courses = self.use(model)

    def decide(self) -> CourseDefined:
        return CourseDefined(course="c2", capacity=self.courses.number)


def test_a_model_that_comes_after_the_read_would_have_no_events(boundary):
    class Late(Taken):
        def decide(self):
            places = self.use(Capacity("c1")).places
            return CourseDefined(course="c2", capacity=places)

    with pytest.raises(InputError, match=r"called self\.use.* call self\.use\(…\) in __init__"):
        boundary.decide(Late, CoursesOf("s"))
    assert boundary.read(Query.everything()).head == 2


def test_a_model_that_is_used_twice_would_get_its_events_twice(boundary):
    class Twice(Taken):
        def __init__(self, model: CoursesOf) -> None:
            self.use(model)
            super().__init__(model)

    model = CoursesOf("s")
    for wrong in (Twice, Taken):  # in one decision, and in the next one
        with pytest.raises(InputError, match="in use already"):
            boundary.decide(wrong, model)


def test_a_decision_is_made_once(boundary):
    decision = Taken(CoursesOf("s"))
    assert boundary.decide(lambda _: decision, None).events[0].capacity == 1

    with pytest.raises(InputError, match="make a new decision at each call"):
        boundary.decide(lambda _: decision, None)


def test_a_query_that_changes_would_miss_events(boundary):
    class Widening(DecisionModel):
        def __init__(self) -> None:
            self.query = Query(types=[CourseDefined])

        def __apply__(self, event: CourseDefined) -> None:
            self.query |= Query(tags=[Tag("course", event.course)])

    class Wide(Decision):
        def __init__(self, command: object) -> None:
            self.use(Widening())

        def decide(self) -> Event:
            return Subscribed(student="t", course="c1")

    with pytest.raises(InputError, match=r"Widening\.query has changed"):
        boundary.decide(Wide, None)
    assert boundary.read(Query.everything()).head == 2


def test_a_query_that_is_computed_anew_is_the_same(boundary):
    class Computed(DecisionModel):
        number = 0

        @property
        def query(self) -> Query:  # type: ignore[override]
            return Query(types=[Subscribed])

        def __apply__(self, event: Subscribed) -> None:
            self.number += 1

    @dataclass(frozen=True)
    class Frozen(Decision):
        command: Any
        model: Computed = field(default_factory=Computed)

        def __post_init__(self) -> None:
            self.use(self.model)

        def decide(self) -> CourseDefined:
            return CourseDefined(course="c2", capacity=self.model.number)

    assert boundary.decide(Frozen, None).events == (CourseDefined(course="c2", capacity=1),)


def test_a_coroutine_behind_a_plain_function_is_refused_and_closed(boundary):
    async def later(command: Define) -> Definition:
        return Definition(command)

    with pytest.raises(AsynchronousFunctionError, match="decision is asynchronous"):
        boundary.decide(lambda _: later(Define("c3")), None)


def test_another_delivery_that_was_faster_is_no_failed_attempt(boundary):
    class Overtaken(Definition):
        def decide(self):
            if not self.course.exists:
                boundary.decide(Definition, self.command, command_id="x")
            return super().decide()

    decided = boundary.decide(Overtaken, Define("c3"), command_id="x", attempts=1)

    assert (decided.repeated, decided.version) == (True, 3)
