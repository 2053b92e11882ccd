"""Several appends in one call are refused or accepted independently."""

from dynamo_es.contracts.boundaries.strategy import ConditionalAppend
from dynamo_es.exceptions import BoundaryConflictError, CommitTooLargeError
from dynamo_es.testing.conformance.boundaries import (
    COURSE,
    OTHER,
    STUDENT,
    an_enrolment,
    append,
)
from dynamo_es.testing.conformance.engine import Capability, needs
from dynamo_es.testing.conformance.language import (
    an_event,
    events,
    heavy_events,
)
from dynamo_es.values import Query


def test_together_all_are_accepted(storage, process, then, boundary):
    some = [an_enrolment(boundary, COURSE), an_enrolment(boundary, OTHER), *events(boundary, 2)]
    query = Query(tags=[STUDENT])

    results = process().insert_unless(
        boundary,
        [
            ConditionalAppend(some[:1], query, 0),
            ConditionalAppend(some[1:2], query, 0),
            ConditionalAppend(some[2:]),
        ],
    )

    assert results == [1, 2, 4]
    then.stream(boundary).is_(some)
    commit = storage.commit_at(boundary, 1, results[0].generation)
    assert (commit.first, commit.last) == (1, 4)


def test_together_an_append_before_it_in_the_call_refuses_one(process, then, boundary):
    first, second, third = (an_enrolment(boundary, COURSE) for _ in range(3))
    query = Query(tags=[COURSE])

    results = process().insert_unless(
        boundary,
        [
            ConditionalAppend([first], query, 0),
            ConditionalAppend([second], query, 0),
            ConditionalAppend([third], Query(tags=[OTHER]), 0),
        ],
    )

    assert (results[0], results[2]) == (1, 2)
    assert isinstance(results[1], BoundaryConflictError)
    assert first.uuid in {event.uuid for event in results[1].matching}
    then.stream(boundary).is_([first, third])


def test_together_a_refused_append_refuses_no_other(storage, process, boundary):
    append(storage, boundary, an_enrolment(boundary, OTHER))
    blocked = an_enrolment(boundary, COURSE)

    results = process().insert_unless(
        boundary,
        [
            ConditionalAppend([blocked], Query(tags=[OTHER]), 0),
            ConditionalAppend([an_event(boundary)], Query(tags=[COURSE]), 0),
        ],
    )

    assert isinstance(results[0], BoundaryConflictError)
    assert results[1] == 2


def test_together_the_same_append_twice_is_stored_once(process, then, boundary):
    event = an_enrolment(boundary, COURSE)
    same = ConditionalAppend([event], Query(tags=[COURSE]), 0)

    first, second = process().insert_unless(boundary, [same, same])

    assert (first, second, first.repeated, second.repeated) == (1, 1, False, True)
    then.stream(boundary).is_([event])


@needs(Capability.LIMITS)
def test_together_an_append_that_is_too_large_fails_alone(process, then, boundary):
    (heavy,) = heavy_events(boundary, 1, 600_000)
    others = events(boundary, 2)

    results = process().insert_unless(
        boundary, [ConditionalAppend([event], after=0) for event in (others[0], heavy, others[1])]
    )

    assert (results[0], results[2]) == (1, 2)
    assert isinstance(results[1], CommitTooLargeError)
    then.stream(boundary).is_(others)


def test_together_no_appends_do_nothing(process, then, boundary):
    assert process().insert_unless(boundary, []) == []
    then.stream(boundary).is_missing()


# A boundary that was deleted has another generation.
