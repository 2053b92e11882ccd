"""Appends that wait for one stream become one commit, each under its own condition."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated
from uuid import uuid4

import pytest

from dynamo_es import ANY_VERSION, Event, ExplicitVersioning, Query, StreamId, Tag, WrappedEvent
from dynamo_es.contracts.boundaries import candidates
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    BoundaryConflictError,
    CommitTooLargeError,
    InputError,
    InvalidEventError,
    UnavailableError,
)
from tests.grouping.conftest import Counted


class Enrolled(Event):
    __event_name__ = "grouping.enrolled"

    student: Annotated[str, Tag("student")]
    course: Annotated[str, Tag("course")]


@pytest.fixture
def visits():
    return StreamId(category="visits")


@pytest.fixture
def count(stage, backend, visits):
    """Let callers append to a hot stream, each in a group."""

    def count(*names, **options):
        for name in names:
            stage.enter(
                name,
                lambda name=name: backend.event_store.append(
                    Counted(by=name),
                    stream_id=visits,
                    expected_version=ANY_VERSION,
                    group=True,
                    **options,
                ),
            )
            stage.act(name)

    return count


@pytest.fixture
def courses(backend):
    return backend.boundary(f"courses {uuid4()}", group=True)


@pytest.fixture
def enrol(stage, courses):
    """Let students enrol in courses, each unless somebody has enrolled in that one."""

    def enrol(**course_of):
        for student, course in course_of.items():
            event = WrappedEvent(Enrolled(student=student, course=course))
            query = Query(tags=[Tag("course", course)])
            stage.enter(
                student,
                lambda event=event, query=query: courses.append(event, fail_if=query, after=0),
            )
            stage.act(student)

    return enrol


def stored_by(backend, stream_id):
    return [each.event.by for each in backend.event_store.load_stream(stream_id)]


def test_what_waits_becomes_one_commit_and_each_gets_its_own_version(stage, backend, visits, count):
    count("a", "b", "c", "d")
    stage.finish()
    assert [stage.actors[name].result for name in "abcd"] == [1, 2, 3, 4]
    assert stored_by(backend, visits) == list("abcd")
    head = backend.storage.head(visits)
    assert backend.storage.commit_at(visits, 3, head.generation).first == 2


def test_each_is_accepted_or_refused_by_what_comes_before_it_in_the_group(stage, courses, enrol):
    enrol(ann="logic", bob="art", cid="art", dan="music", eve="logic")
    stage.finish()
    versions = {name: stage.actors[name].result for name in ("ann", "bob", "dan")}
    assert versions == {"ann": 1, "bob": 2, "dan": 3}
    for late, faster in (("cid", "bob"), ("eve", "ann")):
        error = stage.actors[late].error
        assert isinstance(error, BoundaryConflictError)
        [matching] = courses.typed(error.matching)
        assert matching.event.student == faster
    found = courses.read(Query(types=[Enrolled]))
    assert [each.event.student for each in found.events] == ["ann", "bob", "dan"]


def test_conditions_checked_against_the_state_before_the_group_are_noticed(
    stage, courses, enrol, monkeypatch
):
    monkeypatch.setattr(candidates.Candidate, "goes_with", lambda *_: True)
    with pytest.raises(AssertionError):
        test_each_is_accepted_or_refused_by_what_comes_before_it_in_the_group(stage, courses, enrol)


def test_an_event_that_cannot_be_stored_never_waits(backend, visits):
    with pytest.raises(InvalidEventError):
        backend.event_store.append(
            WrappedEvent(Counted(), version=4),
            stream_id=visits,
            expected_version=ANY_VERSION,
            group=True,
        )


def test_no_events_are_no_request(backend, visits):
    assert (
        backend.event_store.append(stream_id=visits, expected_version=ANY_VERSION, group=True)
        is None
    )


@pytest.mark.parametrize("expected", [0, 3, ExplicitVersioning(3)])
def test_a_group_has_no_expected_version(backend, visits, expected):
    with pytest.raises(InputError, match="needs expected_version=ANY_VERSION"):
        backend.event_store.append(
            Counted(), stream_id=visits, expected_version=expected, group=True
        )


def test_a_group_has_no_writes_to_other_tables(backend, visits):
    with pytest.raises(InputError, match="cannot have transact_with"):
        backend.event_store.append(
            Counted(),
            stream_id=visits,
            expected_version=ANY_VERSION,
            transact_with=[{"Put": {}}],
            group=True,
        )


@pytest.mark.parametrize("group", [1, "yes", None])
def test_group_is_a_bool(backend, visits, group):
    with pytest.raises(InputError):
        backend.event_store.append(
            Counted(), stream_id=visits, expected_version=ANY_VERSION, group=group
        )
    with pytest.raises(InputError):
        backend.boundary("courses", group=group)


def failing(backend, error, *, stored):
    """Let the next group fail, before or after it is stored."""
    write = backend.storage.insert_unless
    left = [error]

    def fail(stream_id, appends):
        if len(appends) < 2 or not left:
            return write(stream_id, appends)
        if stored:
            write(stream_id, appends)
        failure = left.pop()
        if isinstance(failure, KeyboardInterrupt):
            raise failure
        return [failure] * len(appends)

    backend.storage.insert_unless = fail


def test_a_failure_is_each_callers_own_and_nothing_is_stored(stage, backend, visits, count):
    failing(backend, UnavailableError("PutItem", "Down", "no reply"), stored=False)
    count("a", "b", "c")
    stage.finish()
    assert [type(stage.actors[name].error) for name in "bc"] == [UnavailableError] * 2
    assert stage.actors["b"].error is not stage.actors["c"].error
    assert stored_by(backend, visits) == ["a"]


def test_after_a_lost_answer_each_may_append_its_events_again(stage, backend, courses, enrol):
    failing(backend, AppendOutcomeUnknownError("s", 0, "no reply."), stored=True)
    enrol(ann="logic", bob="art", cid="music")
    again = {}
    append = courses.append

    def twice(event, **options):
        try:
            return append(event, **options)
        except AppendOutcomeUnknownError:
            again[event.event.student] = True
            return append(event, **options)

    for name, course in {"dan": "law", "eve": "chess"}.items():
        event = WrappedEvent(Enrolled(student=name, course=course))
        stage.enter(
            name,
            lambda event=event, course=course: twice(
                event, fail_if=Query(tags=[Tag("course", course)]), after=0
            ),
        )
        stage.act(name)
    stage.finish()
    assert again == {"dan": True, "eve": True}
    assert all(stage.actors[name].result.repeated for name in again)
    found = courses.read(Query(types=[Enrolled]))
    assert [each.event.student for each in found.events] == ["ann", "bob", "cid", "dan", "eve"]


def interrupt_leader(stage, name):
    """Let a caller lead its group, and interrupt it before the write."""
    while stage.act(name).waits:
        pass
    stage.act(name, KeyboardInterrupt())


def test_the_others_of_an_interrupted_group_are_stored_once(stage, courses, enrol):
    enrol(ann="logic", bob="art", cid="music", dan="law")
    stage.act("ann")
    interrupt_leader(stage, "bob")
    stage.finish()
    assert [stage.actors[name].result for name in ("ann", "cid", "dan")] == [1, 2, 3]
    assert len(courses.read(Query(types=[Enrolled])).events) == 3


def test_what_an_interrupted_leader_has_stored_is_not_stored_again(stage, backend, courses, enrol):
    failing(backend, KeyboardInterrupt(), stored=True)
    enrol(ann="logic", bob="art", cid="music", dan="law")
    stage.finish()
    assert isinstance(stage.actors["bob"].error, KeyboardInterrupt)
    assert [stage.actors[name].result for name in ("cid", "dan")] == [3, 4]
    assert len(courses.read(Query(types=[Enrolled])).events) == 4


def test_after_an_interrupted_leader_no_error_says_that_the_others_are_not_stored(
    stage, backend, courses, enrol
):
    """Their second attempt, which would find what the first one has stored, gets no answer."""
    write, calls = backend.storage.insert_unless, []

    def storing(stream_id, appends):
        calls.append(len(appends))
        if len(calls) > 2:
            raise UnavailableError("PutItem", "ServiceUnavailable", "no answer.", "")
        results = write(stream_id, appends)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return results

    backend.storage.insert_unless = storing
    enrol(ann="logic", bob="art", cid="music", dan="law")
    stage.finish()

    assert calls == [1, 3, 2]
    for name in ("cid", "dan"):
        assert isinstance(stage.actors[name].error, AppendOutcomeUnknownError)
    backend.storage.insert_unless = write
    assert len(courses.read(Query(types=[Enrolled])).events) == 4


def test_one_of_the_others_that_leaves_then_does_not_know_what_came_of_its_append(
    stage, backend, courses, enrol
):
    failing(backend, KeyboardInterrupt(), stored=True)
    enrol(ann="logic", bob="art", cid="music", dan="law")
    stage.act("ann")
    while not stage.actors["bob"].finished:
        stage.act("bob")
    stage.act("dan", KeyboardInterrupt())  # it waits for the next group, which cid leads
    stage.finish()

    error = stage.actors["dan"].error
    assert isinstance(error, KeyboardInterrupt)
    assert isinstance(error.__cause__, AppendOutcomeUnknownError)
    assert len(courses.read(Query(types=[Enrolled])).events) == 4


def test_without_a_condition_the_others_hear_that_the_outcome_is_unknown(
    stage, backend, visits, count
):
    failing(backend, KeyboardInterrupt(), stored=True)
    count("a", "b", "c", "d")
    stage.finish()
    assert [type(stage.actors[name].error) for name in "cd"] == [AppendOutcomeUnknownError] * 2
    assert stored_by(backend, visits) == list("abcd")


def test_a_listener_may_append_to_the_stream_whose_group_is_under_way(stage, backend, visits):
    def react(wrapped, stream_id, tenant_id, position):
        if wrapped.event.by == "a":
            backend.event_store.append(
                Counted(by="reaction"),
                stream_id=visits,
                expected_version=ANY_VERSION,
                group=True,
            )

    backend.listeners.register(react, to=Counted)
    stage.enter(
        "a",
        lambda: backend.event_store.append(
            Counted(by="a"), stream_id=visits, expected_version=ANY_VERSION, group=True
        ),
    )
    stage.finish()
    assert stored_by(backend, visits) == ["a", "reaction"]


def test_what_is_too_large_is_refused_alone(stage, backend, visits, count):
    count("a", "b")
    stage.enter(
        "large",
        lambda: backend.event_store.append(
            Counted(by="".join(str(uuid4()) for _ in range(25_000))),
            stream_id=visits,
            expected_version=ANY_VERSION,
            group=True,
        ),
    )
    stage.act("large")
    count("c")
    stage.finish()
    assert isinstance(stage.actors["large"].error, CommitTooLargeError)
    assert stored_by(backend, visits) == ["a", "b", "c"]


def test_what_the_outbox_filter_raises_is_raised_to_the_caller_of_that_event_alone(
    stage, backend, visits, count
):
    asked = []

    def chooses(event):
        asked.append(event.data["by"])
        if event.data["by"] == "c":
            raise KeyError("by")
        return event.data["by"] == "d"

    backend.with_outbox(chooses)
    try:
        count("a", "b", "c", "d")
        stage.finish()
    finally:
        backend.with_outbox(lambda _: False)

    assert isinstance(stage.actors["c"].error, KeyError)
    assert stored_by(backend, visits) == ["a", "b", "d"]
    assert asked == ["a", "b", "c", "d"]  # once for each event


def test_names_that_fit_into_no_commit_are_refused_alone(stage, backend, visits, count):
    class Long(Event):
        __event_name__ = "grouping." + "x" * 40_000

    count("a", "b")
    stage.enter(
        "long",
        lambda: backend.event_store.append(
            Long(), stream_id=visits, expected_version=ANY_VERSION, group=True
        ),
    )
    stage.act("long")
    count("c")
    stage.finish()
    assert isinstance(stage.actors["long"].error, CommitTooLargeError)
    assert stored_by(backend, visits) == ["a", "b", "c"]


def test_appends_that_do_not_fit_in_one_item_are_two_commits(stage, backend, visits, count):
    sent = []
    write = backend.storage.insert_unless

    def noting(stream_id, appends):
        sent.append(len(appends))
        return write(stream_id, appends)

    backend.storage.insert_unless = noting
    count("a")
    for name in ("b", "c", "d"):
        count(name * 140_000)
    stage.finish()
    assert sent == [1, 2, 1]


@pytest.mark.ci
def test_threads_lose_nothing_and_repeat_nothing(engine, world):
    backend = engine.fresh_process()
    visits = StreamId(category="visits")
    start = threading.Barrier(12)

    def work(number):
        start.wait()
        return [
            backend.event_store.append(
                Counted(by=f"{number}-{turn}"),
                stream_id=visits,
                expected_version=ANY_VERSION,
                group=True,
            )
            for turn in range(8)
        ]

    with ThreadPoolExecutor(12) as threads:
        versions = list(threads.map(work, range(12)))
    stored = stored_by(backend, visits)
    assert len(stored) == 96
    for number, own in enumerate(versions):
        assert [stored[version - 1] for version in own] == [f"{number}-{n}" for n in range(8)]
