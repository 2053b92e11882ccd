"""Appends under a condition go to the end of a stream, unless an unseen event matches."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest

from dynamo_es import NO_VERSIONING, StreamId
from dynamo_es.contracts.boundaries.strategy import ConditionalAppend
from dynamo_es.exceptions import (
    BoundaryConflictError,
    ExpectedVersionUsedOnVersionlessStream,
    InputError,
    InvalidEventError,
    InvalidVersioningError,
)
from dynamo_es.testing.conformance.engine import Capability, needs
from dynamo_es.testing.conformance.language import (
    an_event,
    assert_same,
    events,
    heavy_events,
    numbered,
)
from dynamo_es.values import Query, Tag

COURSE = Tag("course", "c1")
OTHER = Tag("course", "c2")
STUDENT = Tag("student", "s1")
QUERIES = {
    "a tag": Query(tags=[COURSE]),
    "two tags": Query(tags=[COURSE, STUDENT]),
    "a type": Query(types=["Enrolled"]),
    "a type and a tag": Query(types=["Defined", "Enrolled"], tags=[COURSE]),
    "one of two": Query(types=["Left"]) | Query(tags=[STUDENT]),
    "everything": Query.everything(),
}


@pytest.fixture
def boundary() -> StreamId:
    return StreamId(category="Boundary")


@pytest.fixture
def storage(world):
    return world.storage("first", "")


@pytest.fixture(params=["first", "cold", "stale"])
def process(request, world, boundary):
    """A process that made every append, or has seen none, or saw only the first version."""

    def process():
        return world.storage(request.param, "")

    world.storage("stale", "").fetch_matching(boundary, Query.everything())
    return process


def an_enrolment(boundary, *tags, name="Enrolled"):
    return an_event(boundary, name=name, context={"$tags": [tag.text for tag in tags]})


def append(storage, boundary, *appended, query=None, after=None):
    """Make a single append, and return its version or raise its error."""
    [result] = storage.insert_unless(boundary, [ConditionalAppend(appended, query, after)])
    if isinstance(result, Exception):
        raise result
    return result


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_first_append_begins_the_boundary(process, then, boundary, query):
    event = an_enrolment(boundary, COURSE, STUDENT)

    version = append(process(), boundary, event, query=query, after=0)

    assert (version, version.repeated) == (1, False)
    then.stream(boundary).is_([event])


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_an_unseen_event_that_matches_refuses_the_append(storage, process, then, boundary, query):
    seen = append(storage, boundary, an_enrolment(boundary, OTHER, name="Other"))
    faster = an_enrolment(boundary, COURSE, STUDENT)
    append(storage, boundary, faster)
    stored = storage.fetch_events(boundary)

    with pytest.raises(BoundaryConflictError) as caught:
        append(process(), boundary, an_enrolment(boundary, COURSE), query=query, after=seen)

    assert_same(caught.value.matching, numbered([faster], 2))
    assert (caught.value.query, caught.value.after, caught.value.head) == (query, 1, 2)
    assert caught.value.head.generation == seen.generation
    then.stream(boundary).is_(stored)


@pytest.mark.parametrize("query", [QUERIES["a tag"], QUERIES["a type"], QUERIES["two tags"]])
@pytest.mark.parametrize("others", [1, 2, 5])
def test_unseen_events_that_do_not_match_let_the_append_through(
    storage, process, then, boundary, query, others
):
    seen = append(storage, boundary, an_enrolment(boundary, COURSE, STUDENT))
    foreign = [an_enrolment(boundary, OTHER, name="Left") for _ in range(others)]
    for event in foreign:
        append(storage, boundary, event)
    event = an_enrolment(boundary, COURSE, STUDENT)

    assert append(process(), boundary, event, query=query, after=seen) == others + 2
    assert storage.fetch_events(boundary, others + 2)[0].uuid == event.uuid


@pytest.mark.parametrize("place", range(1, 6))
def test_each_of_several_unseen_events_is_matched(storage, process, boundary, place):
    seen = append(storage, boundary, an_enrolment(boundary, COURSE))
    for number in range(1, 6):
        tag = COURSE if number == place else OTHER
        append(storage, boundary, an_enrolment(boundary, tag))

    with pytest.raises(BoundaryConflictError) as caught:
        append(process(), boundary, an_enrolment(boundary), query=Query(tags=[COURSE]), after=seen)

    assert [event.version for event in caught.value.matching] == [place + 1]
    assert place + 1 <= caught.value.head <= 6


def test_an_event_in_the_middle_of_a_commit_is_matched(storage, process, boundary):
    seen = append(storage, boundary, an_enrolment(boundary, COURSE))
    others = [an_enrolment(boundary, OTHER) for _ in range(3)]
    append(storage, boundary, others[0], an_enrolment(boundary, COURSE), *others[1:])

    with pytest.raises(BoundaryConflictError) as caught:
        append(process(), boundary, an_event(boundary), query=Query(tags=[COURSE]), after=seen)

    assert [event.version for event in caught.value.matching] == [3]


def test_what_was_seen_in_the_middle_of_a_commit_does_not_refuse(storage, process, boundary):
    course, other = an_enrolment(boundary, COURSE), an_enrolment(boundary, OTHER)
    append(storage, boundary, other, course, other := an_enrolment(boundary, OTHER))
    query = Query(tags=[COURSE])

    with pytest.raises(BoundaryConflictError):
        append(process(), boundary, an_event(boundary), query=query, after=1)
    assert append(process(), boundary, an_event(boundary), query=query, after=2) == 4


def test_no_condition_appends_in_any_case(storage, process, then, boundary):
    first, second = an_enrolment(boundary, COURSE), an_enrolment(boundary, COURSE)

    append(storage, boundary, first)
    assert append(process(), boundary, second) == 2
    then.stream(boundary).is_([first, second])


def test_events_without_tags_match_by_type_alone(storage, process, boundary):
    append(storage, boundary, an_event(boundary, name="Plain"))

    with pytest.raises(BoundaryConflictError):
        append(process(), boundary, an_event(boundary), query=Query(types=["Plain"]))
    assert append(process(), boundary, an_event(boundary), query=Query(tags=[COURSE])) == 2


# The same events again are a success.


@pytest.mark.parametrize("later", [0, 1, 4])
def test_repeating_even_if_later_events_match(storage, process, then, boundary, later):
    query = Query(tags=[COURSE])
    seen = append(storage, boundary, an_enrolment(boundary, COURSE))
    own = [an_enrolment(boundary, COURSE) for _ in range(2)]
    append(storage, boundary, *own, query=query, after=seen)
    for _ in range(later):
        append(storage, boundary, an_enrolment(boundary, COURSE))
    stored = storage.fetch_events(boundary)

    again = append(process(), boundary, *own, query=query, after=seen)

    assert (again, again.repeated, again.generation) == (3, True, seen.generation)
    then.stream(boundary).is_(stored)


def test_repeating_in_the_middle_of_a_commit_of_several_appends(storage, process, then, boundary):
    first, own, last = (an_enrolment(boundary, COURSE) for _ in range(3))
    storage.insert_unless(boundary, [ConditionalAppend([e]) for e in (first, own, last)])

    again = append(process(), boundary, own, query=Query(tags=[COURSE]), after=0)

    assert (again, again.repeated) == (2, True)
    then.stream(boundary).is_([first, own, last])


def test_repeating_without_condition_if_the_call_says_what_it_has_seen(storage, process, boundary):
    seen = append(storage, boundary, an_event(boundary))
    own = an_event(boundary)
    append(storage, boundary, own, after=seen)

    assert append(process(), boundary, own, after=seen).repeated


def test_repeating_a_part_of_them_is_refused(storage, process, then, boundary):
    first, second = events(boundary, 2)
    append(storage, boundary, first)

    with pytest.raises(InvalidEventError, match="1 of 2 events are stored already"):
        append(process(), boundary, first, second, query=Query(tags=[COURSE]))
    then.stream(boundary).is_([first])


@needs(Capability.LIMITS)
def test_repeating_a_commit_of_several_items(storage, process, boundary):
    own = heavy_events(boundary, 3, 180_000)
    append(storage, boundary, an_event(boundary))
    append(storage, boundary, *own, query=Query(tags=[COURSE]), after=1)

    again = append(process(), boundary, *own, query=Query(tags=[COURSE]), after=1)

    assert (again, again.repeated) == (4, True)


# Several appends in one call are one commit, each with its own condition.


def test_reading_nothing_of_nothing(process, boundary):
    found = process().fetch_matching(boundary, Query.everything())

    assert (found.events, found.head, found.head.generation) == ((), 0, 0)


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
@pytest.mark.parametrize("after", [None, 0, 2, 4])
def test_reading_matching_events_after_a_version(storage, process, boundary, query, after):
    matching = an_enrolment(boundary, COURSE, STUDENT)
    first, second = (an_enrolment(boundary, OTHER, name="Other") for _ in range(2))
    append(storage, boundary, first)
    append(storage, boundary, second, matching)
    append(storage, boundary, last := an_enrolment(boundary, COURSE, STUDENT, name="Enrolled"))

    found = process().fetch_matching(boundary, query, after)

    everything = numbered([first, second, matching, last])
    expected = everything if query == Query.everything() else everything[2:]
    assert_same(found.events, [e for e in expected if (e.version or 0) > (after or 0)])
    assert (found.head, found.head.generation > 0) == (4, True)


def test_reading_changing_what_was_read_changes_nothing_stored(storage, process, boundary):
    append(storage, boundary, an_enrolment(boundary, COURSE))
    reader = process()
    reader.fetch_matching(boundary, Query.everything()).events[0].data["number"] = "changed"

    [again] = reader.fetch_matching(boundary, Query.everything()).events
    assert again.data["number"] != "changed"


@pytest.mark.concurrent
@needs(Capability.CONCURRENCY)
@pytest.mark.parametrize("query", [QUERIES["a tag"], QUERIES["a type"], QUERIES["everything"]])
def test_of_eight_who_race_with_one_condition_exactly_one_commits(engine, storage, boundary, query):
    seen = append(storage, boundary, an_enrolment(boundary, OTHER, name="Other"))
    racers = [engine.fresh_process().storage for _ in range(8)]
    barrier = Barrier(len(racers))

    def contest(racer):
        racer.fetch_matching(boundary, query, seen)
        barrier.wait(timeout=60)
        own = an_enrolment(boundary, COURSE)
        return racer.insert_unless(boundary, [ConditionalAppend([own], query, seen)])[0]

    with ThreadPoolExecutor(len(racers)) as pool:
        results = [future.result() for future in [pool.submit(contest, one) for one in racers]]

    won = [result for result in results if not isinstance(result, BoundaryConflictError)]
    assert won == [2]
    assert len(storage.fetch_events(boundary)) == 2


def test_a_condition_on_types_and_one_on_tags_refuse_each_other_where_both_match(
    storage, process, boundary
):
    """There are two writers, each with a condition that the other one's event violates."""
    by_type, by_tag = Query(types=["Enrolled"]), Query(tags=[COURSE])
    first = process().fetch_matching(boundary, by_type).head
    second = storage.fetch_matching(boundary, by_tag).head
    append(storage, boundary, an_enrolment(boundary, COURSE), query=by_tag, after=second)

    with pytest.raises(BoundaryConflictError):
        append(process(), boundary, an_enrolment(boundary, OTHER), query=by_type, after=first)


def test_other_tenants_events_never_match(world, boundary):
    one, another = world.storage("first", "one"), world.storage("first", "another")
    append(one, boundary, an_enrolment(boundary, COURSE))

    assert append(another, boundary, an_event(boundary), query=Query(tags=[COURSE]), after=0) == 1


def test_streams_without_versions_are_refused(storage, process, boundary):
    storage.insert_events(boundary, NO_VERSIONING, events(boundary, 1))

    with pytest.raises(ExpectedVersionUsedOnVersionlessStream):
        append(process(), boundary, an_event(boundary), query=Query(tags=[COURSE]), after=0)
    with pytest.raises(ExpectedVersionUsedOnVersionlessStream):
        process().fetch_matching(boundary, Query.everything())


def test_wrong_arguments_are_refused_before_anything_is_written(storage, then, boundary):
    class Enrolled:
        pass

    no_query: Any = "everything"
    good = ConditionalAppend([an_event(boundary)])
    for wrong, error in [
        (ConditionalAppend([]), InvalidEventError),
        (ConditionalAppend([replace(an_event(boundary), version=1)]), InvalidEventError),
        (ConditionalAppend([an_event(StreamId())]), InvalidEventError),
        (ConditionalAppend([an_event(boundary)], no_query), InputError),
        (ConditionalAppend([an_event(boundary)], Query(types=[Enrolled])), InputError),
        (ConditionalAppend([an_event(boundary)], after=-1), InvalidVersioningError),
        (ConditionalAppend([an_event(boundary)], after=True), InvalidVersioningError),
        (an_event(boundary), InputError),
    ]:
        with pytest.raises(error):
            storage.insert_unless(boundary, [good, wrong])
    for wrong_query in (no_query, Query(types=[Enrolled])):
        with pytest.raises(InputError):
            storage.fetch_matching(boundary, wrong_query)
    then.stream(boundary).is_missing()
