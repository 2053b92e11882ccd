"""A read of a deleted boundary, or of another one, is refused as the condition of an append."""

import pytest

from dynamo_es import StreamId
from dynamo_es.exceptions import BoundaryConflictError
from dynamo_es.testing.conformance.boundaries import (
    COURSE,
    OTHER,
    an_enrolment,
    append,
)
from dynamo_es.testing.conformance.language import (
    an_event,
    events,
)
from dynamo_es.values import Query


@pytest.mark.parametrize("sizes", [(), (1,), (1, 1, 1), (4,)])
def test_deleted_what_was_seen_before_is_refused(storage, process, then, boundary, sizes):
    append(storage, boundary, *events(boundary, 2))
    seen = storage.fetch_matching(boundary, Query.everything()).head
    storage.delete_stream(boundary)
    stored = [events(boundary, size) for size in sizes]
    for commit in stored:
        append(storage, boundary, *commit)

    with pytest.raises(BoundaryConflictError, match="deleted since"):
        append(process(), boundary, an_event(boundary), query=Query(tags=[COURSE]), after=seen)
    with pytest.raises(BoundaryConflictError, match="deleted since"):
        process().fetch_matching(boundary, Query(tags=[COURSE]), seen)

    everything = [event for commit in stored for event in commit]
    if everything:
        then.stream(boundary).is_(everything)
    else:
        then.stream(boundary).is_missing()


def test_deleted_it_begins_again(storage, process, then, boundary):
    append(storage, boundary, an_enrolment(boundary, COURSE))
    storage.delete_stream(boundary)
    event = an_enrolment(boundary, COURSE)

    assert append(process(), boundary, event, query=Query(tags=[COURSE]), after=0) == 1
    then.stream(boundary).is_([event])


@pytest.mark.parametrize("after", [0, None])
def test_deleted_by_another_process_what_this_one_remembers_refuses_nothing(
    world, process, storage, then, boundary, after
):
    query = Query(tags=[COURSE])
    append(storage, boundary, an_enrolment(boundary, COURSE))
    storage.fetch_matching(boundary, query)
    world.storage("another", "").delete_stream(boundary)
    event = an_enrolment(boundary, COURSE)

    assert append(process(), boundary, event, query=query, after=after) == 1
    then.stream(boundary).is_([event])


def test_deleted_by_another_process_what_this_one_remembers_is_stored_again(
    world, process, storage, then, boundary
):
    event = an_enrolment(boundary, COURSE)
    append(storage, boundary, event, after=0)
    storage.fetch_matching(boundary, Query.everything())
    world.storage("another", "").delete_stream(boundary)

    again = append(process(), boundary, event, after=0)

    assert (again, again.repeated) == (1, False)
    then.stream(boundary).is_([event])


def test_deleted_what_was_seen_as_empty_is_matched_with_all_of_the_next_one(
    storage, process, boundary
):
    nothing = process().fetch_matching(boundary, Query.everything()).head
    append(storage, boundary, an_enrolment(boundary, COURSE))
    storage.delete_stream(boundary)
    append(storage, boundary, an_enrolment(boundary, COURSE))

    with pytest.raises(BoundaryConflictError):
        append(process(), boundary, an_event(boundary), query=Query(tags=[COURSE]), after=nothing)


# The matching events, and how far the answer is complete.


@pytest.mark.parametrize("others", [0, 1])
def test_a_version_that_was_not_reached_is_refused(storage, process, then, boundary, others):
    if others:
        append(storage, boundary, an_event(boundary))
    stored = storage.fetch_events(boundary)
    found = "has version 1" if others else "does not exist"
    advice = (
        rf"after is version 2, but the boundary {found}\. .*deleted since.*not come from a read"
    )

    with pytest.raises(BoundaryConflictError, match=advice):
        process().fetch_matching(boundary, Query.everything(), 2)
    with pytest.raises(BoundaryConflictError, match=advice):
        append(process(), boundary, an_event(boundary), query=Query(tags=[COURSE]), after=2)
    with pytest.raises(BoundaryConflictError, match=advice):
        append(process(), boundary, an_event(boundary), after=2)
    assert storage.fetch_events(boundary) == stored


def test_the_head_of_another_boundary_is_refused(storage, process, then, boundary):
    another = StreamId(category="Boundary")
    append(storage, another, an_enrolment(another, COURSE))
    elsewhere = storage.fetch_matching(another, Query.everything()).head
    event = an_enrolment(boundary, COURSE)
    append(storage, boundary, event)

    advice = "after is version 1, but of another generation.*not come from a read of this boundary"
    with pytest.raises(BoundaryConflictError, match=advice) as caught:
        append(process(), boundary, an_event(boundary), query=Query(tags=[OTHER]), after=elsewhere)
    with pytest.raises(BoundaryConflictError, match=advice):
        process().fetch_matching(boundary, Query.everything(), elsewhere)
    assert caught.value.matching == ()
    then.stream(boundary).is_([event])
