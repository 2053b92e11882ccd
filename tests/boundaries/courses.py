"""The example of dcb.events: students subscribe to courses, under rules about both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from dynamo_es import Decision, DecisionModel, Event, Query, Tag


class CourseDefined(Event):
    __event_name__ = "test.course.defined"

    course: Annotated[str, Tag("course")]
    capacity: int


class CapacityChanged(Event):
    __event_name__ = "test.course.capacity_changed"

    course: Annotated[str, Tag("course")]
    capacity: int


class Subscribed(Event):
    __event_name__ = "test.student.subscribed"

    student: Annotated[str, Tag("student")]
    course: Annotated[str, Tag("course")]


class Refused(Exception):  # noqa: N818 - the rule says no
    """A rule of the application refuses the command."""


class CourseExists(DecisionModel):
    def __init__(self, course: str) -> None:
        self.query = Query(types=[CourseDefined], tags=[Tag("course", course)])
        self.exists = False

    def __apply__(self, event: CourseDefined) -> None:
        self.exists = True


class Capacity(DecisionModel):
    def __init__(self, course: str) -> None:
        self.query = Query(types=[CourseDefined, CapacityChanged], tags=[Tag("course", course)])
        self.places = 0

    def __apply__(self, event: CourseDefined | CapacityChanged) -> None:
        self.places = event.capacity


class SubscribersOf(DecisionModel):
    def __init__(self, course: str) -> None:
        self.query = Query(types=[Subscribed], tags=[Tag("course", course)])
        self.students: list[str] = []

    def __apply__(self, event: Subscribed) -> None:
        self.students.append(event.student)


class CoursesOf(DecisionModel):
    def __init__(self, student: str) -> None:
        self.query = Query(types=[Subscribed], tags=[Tag("student", student)])
        self.number = 0

    def __apply__(self, event: Subscribed) -> None:
        self.number += 1


class AlreadySubscribed(DecisionModel):
    def __init__(self, student: str, course: str) -> None:
        self.query = Query(
            types=[Subscribed], tags=[Tag("student", student), Tag("course", course)]
        )
        self.yes = False

    def __apply__(self, event: Subscribed) -> None:
        self.yes = True


@dataclass(frozen=True)
class Define:
    course: str
    capacity: int = 10


@dataclass(frozen=True)
class Change:
    course: str
    capacity: int


@dataclass(frozen=True)
class Subscribe:
    student: str
    course: str


class Definition(Decision):
    def __init__(self, command: Define) -> None:
        self.command = command
        self.course = self.use(CourseExists(command.course))

    def decide(self) -> CourseDefined:
        if self.course.exists:
            raise Refused(f'Course "{self.command.course}" already exists')
        return CourseDefined(course=self.command.course, capacity=self.command.capacity)


class NewCapacity(Decision):
    def __init__(self, command: Change) -> None:
        self.command = command
        self.course = self.use(CourseExists(command.course))
        self.capacity = self.use(Capacity(command.course))

    def decide(self) -> CapacityChanged | None:
        if not self.course.exists:
            raise Refused(f'Course "{self.command.course}" does not exist')
        if self.command.capacity == self.capacity.places:
            return None
        return CapacityChanged(course=self.command.course, capacity=self.command.capacity)


class Subscription(Decision):
    def __init__(self, command: Subscribe) -> None:
        self.command = command
        self.course = self.use(CourseExists(command.course))
        self.capacity = self.use(Capacity(command.course))
        self.subscribers = self.use(SubscribersOf(command.course))
        self.already = self.use(AlreadySubscribed(command.student, command.course))
        self.courses = self.use(CoursesOf(command.student))

    def decide(self) -> Subscribed:
        course = self.command.course
        if not self.course.exists:
            raise Refused(f'Course "{course}" does not exist')
        if len(self.subscribers.students) >= self.capacity.places:
            raise Refused(f'Course "{course}" is already fully booked')
        if self.already.yes:
            raise Refused("Student already subscribed to this course")
        if self.courses.number >= 5:
            raise Refused("Student already subscribed to 5 courses")
        return Subscribed(student=self.command.student, course=course)
