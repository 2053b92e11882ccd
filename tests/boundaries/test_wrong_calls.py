"""A wrong call of a boundary gives one error that says what to do, before any request."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Annotated, Any

import pytest

from dynamo_es import Boundary, Decision, DecisionModel, Event, MemoryBackend, Query, Tag
from dynamo_es.aio import AsyncMemoryBackend
from dynamo_es.exceptions import (
    EventDefinitionError,
    InputError,
    InvalidEventError,
    InvalidStreamIdError,
    InvalidVersioningError,
)
from dynamo_es.memory import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Iterator


class Enrolled(Event):
    __event_name__ = "test.wrong_calls.enrolled"

    course: Annotated[str, Tag("course")]


class Number(DecisionModel):
    def __init__(self, query: Any) -> None:
        self.query = query

    def __apply__(self, event: Event) -> None: ...


class Enrol(Decision):
    def __init__(self, query: Any) -> None:
        self.use(Number(query))

    def decide(self) -> Enrolled:
        return Enrolled(course="c1")


class NoModel(Decision):
    def __init__(self, _: Any) -> None: ...

    def decide(self) -> None: ...


class NoQuery(Enrol):
    def __init__(self, _: Any) -> None:
        self.use(Number(None))


class Unread(MemoryStorage):
    """A storage that nobody may ask."""

    def fetch_matching(self, *_: Any) -> Any:
        pytest.fail("it was read")


EVENT, QUERY = Enrolled(course="c1"), Query(types=[Enrolled])
AFTER = "after must be the version of an event, 0 (none) or more, or None, not "
QUERY_IS = "must be a Query, not "

CALLS: list[tuple[Any, type[Exception], str]] = [
    (lambda b: b.append(), InvalidEventError, "no events to append: "),
    (lambda b: b.append([EVENT]), InvalidEventError, "list is not an event: give the events one"),
    (lambda b: b.append((EVENT,)), InvalidEventError, "tuple is not an event: give the events one"),
    (lambda b: b.append(iter([EVENT])), InvalidEventError, "list_iterator is not an event: give"),
    (lambda b: b.append(Enrolled), InvalidEventError, "Enrolled is a class: give an event, such"),
    (lambda b: b.append(None), InvalidEventError, "None is not an event: give an event"),
    (lambda b: b.append("x"), InvalidEventError, "str is not an event class: derive it from"),
    (lambda b: b.append(EVENT, fail_if="x"), InputError, f"fail_if {QUERY_IS}str."),
    (lambda b: b.append(EVENT, fail_if=[QUERY]), InputError, f"fail_if {QUERY_IS}list."),
    (lambda b: b.append(EVENT, fail_if=Enrolled), InputError, f"{QUERY_IS}the class Enrolled."),
    (lambda b: b.append(EVENT, after="1"), InvalidVersioningError, f"{AFTER}str."),
    (lambda b: b.append(EVENT, after=-1), InvalidVersioningError, f"{AFTER}-1."),
    (lambda b: b.append(EVENT, after=True), InvalidVersioningError, f"{AFTER}True."),
    (lambda b: b.append(EVENT, after=1.0), InvalidVersioningError, f"{AFTER}1.0."),
    (lambda b: b.append(EVENT, fail_if=QUERY, after=QUERY), InvalidVersioningError, "not Query."),
    (lambda b: b.read(None), InputError, f"query {QUERY_IS}NoneType."),
    (lambda b: b.read("x"), InputError, f"query {QUERY_IS}str."),
    (lambda b: b.read(Enrolled), InputError, f"query {QUERY_IS}the class Enrolled."),
    (lambda b: b.read(Query([int])), EventDefinitionError, "int is not an event class"),
    (lambda b: b.read(QUERY, after="1"), InvalidVersioningError, f"{AFTER}str."),
    (lambda b: b.decide(None, 1), InputError, "decision must be callable"),
    (lambda b: b.decide(Enrol(QUERY), 1), InputError, "not a Decision: give the"),
    (lambda b: b.decide(lambda _: 5, 1), InputError, "The result of decision must be a Decision"),
    (lambda b: b.decide(NoModel, 1), InputError, "uses no model"),
    (lambda b: b.decide(NoQuery, 1), InputError, f"Number.query {QUERY_IS}NoneType."),
    (lambda b: b.decide(Enrol, QUERY, command_id=""), InputError, "command_id must be a UUID or"),
    (lambda b: b.decide(Enrol, QUERY, command_id=5), InputError, "command_id must be a UUID or"),
    (lambda b: b.decide(Enrol, QUERY, attempts=0), InputError, "attempts must be an integer of 1"),
    (lambda b: b.decide(Enrol, QUERY, context={}), InvalidEventError, "give a dynamo_es.Context"),
    (lambda b: b.typed(None), InputError, "raws must be"),
    (lambda b: b.typed([EVENT]), InputError, "Each of raws must be a RawEvent, not Enrolled."),
]


@pytest.fixture(params=[False, True], ids=["alone", "in groups"])
def boundary(request: pytest.FixtureRequest) -> Iterator[Boundary]:
    with MemoryBackend(Unread()) as backend:
        yield backend.boundary("courses", group=request.param)
        assert backend.storage.head(backend.boundary("courses").stream_id) is None


@pytest.mark.parametrize(("call", "error", "message"), CALLS)
def test_a_wrong_call_is_refused_before_any_request(boundary, call, error, message):
    with pytest.raises(error) as caught:
        call(boundary)
    assert message in str(caught.value)
    assert "c1" not in str(caught.value), "no message quotes a value of an event"


def test_the_asynchronous_boundary_refuses_the_same():
    async def refused() -> list[tuple[type[Exception], str]]:
        found = []
        async with AsyncMemoryBackend(Unread()) as backend:
            boundary = backend.boundary("courses")
            for call, error, _ in CALLS:
                with pytest.raises(error) as caught:
                    outcome = call(boundary)
                    if inspect.isawaitable(outcome):
                        await outcome
                found.append((caught.type, str(caught.value)))
        return found

    for (_, error, message), (kind, text) in zip(CALLS, asyncio.run(refused()), strict=True):
        assert (kind, message in text) == (error, True)


@pytest.mark.parametrize("wrong", ["", None, 5, b"courses", ["courses"], "\ud800"])
def test_a_boundary_has_a_name(wrong):
    backend = MemoryBackend()
    with pytest.raises(InvalidStreamIdError, match="name"):
        backend.boundary(wrong)
    with pytest.raises(InputError, match="group must be a bool"):
        backend.boundary("courses", group=wrong)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"storage": None}, "storage must be a StorageStrategy, not NoneType"),
        ({"serde": None}, "serde must be a Serde, not NoneType"),
        ({"groups": 5}, "groups must be a Groups, not int"),
        ({"retry_for": "soon"}, "retry_for must be a timedelta or a number of seconds"),
        ({"sleep": None}, "sleep must be callable"),
    ],
)
def test_a_boundary_of_your_own_is_made_of_the_right_parts(arguments, message):
    backend = MemoryBackend()
    parts: dict[str, Any] = {"storage": backend.storage, "serde": backend.event_store._serde}
    Boundary(**parts, name="courses")

    with pytest.raises(InputError, match=message):
        Boundary(**(parts | arguments), name="courses")
    with pytest.raises(InvalidStreamIdError, match="A tenant id must be text"):
        Boundary(**parts, name="courses", tenant_id=5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Query([""]), "A type of a query must be an event class or its name, not ''."),
        (lambda: Query([Tag("a", "b")]), "an event class or its name, not Tag."),  # type: ignore[list-item]
        (lambda: Tag(""), "The name of a tag must be text of one character or more, not ''."),
        (lambda: Tag.of_text("c1"), "such as 'course:c1', not text without a colon."),
    ],
)
def test_queries_and_tags_say_what_is_wrong_with_which_value(make, message):
    with pytest.raises(InputError) as caught:
        make()
    assert message in str(caught.value)
