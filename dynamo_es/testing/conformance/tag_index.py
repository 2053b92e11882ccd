"""A read by the tag index of a boundary is exact, even if the index lags or a process crashed."""

from itertools import count

import pytest

from dynamo_es import NO_VERSIONING, StreamId
from dynamo_es.contracts.boundaries.strategy import ConditionalAppend
from dynamo_es.exceptions import (
    BoundaryConflictError,
    InputError,
    InvalidStreamIdError,
)
from dynamo_es.testing.conformance.engine import Capability, Crash, needs
from dynamo_es.testing.conformance.language import an_event, assert_same, events
from dynamo_es.values import Query, Tag

RARE, COMMON, NONE = Tag("course", "rare"), Tag("course", "common"), Tag("course", "none")
QUERIES = [
    Query(tags=[RARE]),
    Query(types=["Left"], tags=[RARE, COMMON]),
    Query(tags=[NONE]) | Query(tags=[RARE]),
    Query(tags=[NONE]),
    Query(types=["Left"]),
]
MOST_REQUESTS = 60


@pytest.fixture
def boundary() -> StreamId:
    return StreamId(category="$boundary")


@pytest.fixture
def storage(engine):
    return engine.fresh_process().storage


class Course:
    """A boundary with many events of one tag and few of another."""

    def __init__(self, engine, storage, boundary):
        self.engine = engine
        self.storage = storage
        self.boundary = boundary

    def grow(self, commits=1):
        """Append commits of two events with the common tag; every fourth also has both tags."""
        for number in range(commits):
            rare = [] if number % 4 else [self.event("Left", COMMON, RARE)]
            appended = [self.event("Joined", COMMON), *rare, self.event("Joined", COMMON)]
            self.storage.insert_unless(self.boundary, [ConditionalAppend(appended)])

    def event(self, name, *tags):
        context = {"$tags": [tag.text for tag in tags]}
        return an_event(self.boundary, name=name, context=context)

    def index(self, most=1_000):
        """Index all events; return the number of events of each call that indexed any."""
        indexed = []
        while number := self.engine.fresh_process().storage.index_tags(self.boundary, most):
            indexed.append(number)
        return indexed

    def is_exact(self, queries=QUERIES, afters=(None, 1)):
        """Assert that fresh processes read the same events with the index as without it."""
        for query in queries:
            for after in afters:
                if after and not self.storage.fetch_matching(self.boundary, query).head:
                    continue
                by_index = self.engine.indexed_process().storage
                found = by_index.fetch_matching(self.boundary, query, after)
                wanted = self.storage.fetch_matching(self.boundary, query, after)
                assert_same(found.events, wanted.events)
                assert (found.head, found.head.generation) == (
                    wanted.head,
                    wanted.head.generation,
                )


@pytest.fixture
def course(engine, storage, boundary):
    return Course(engine, storage, boundary)


def test_nothing_is_indexed_of_a_boundary_that_does_not_exist(course):
    assert course.index() == []
    course.is_exact()


def test_each_event_is_indexed_once_and_the_last_commit_whole(course):
    course.grow(5)
    numbers = course.index(4)

    # A backend without an index has nothing to do.
    assert numbers in ([], [5, 4, 3])
    assert course.index() == []
    course.grow(2)
    assert course.index() in ([], [5])
    course.is_exact()


@pytest.mark.parametrize("later", [0, 1, 3])
def test_an_index_that_is_late_misses_nothing(course, later):
    course.grow(6)
    course.index()
    course.grow(later)

    course.is_exact()


def test_an_append_that_depends_on_a_read_by_the_index_is_refused_by_a_later_event(
    engine, course, boundary
):
    course.grow(6)
    course.index()
    process = engine.indexed_process().storage
    query = Query(tags=[RARE])
    seen = process.fetch_matching(boundary, query).head
    course.grow()

    [result] = process.insert_unless(
        boundary, [ConditionalAppend([an_event(boundary)], query, seen)]
    )

    assert isinstance(result, BoundaryConflictError)
    assert len(result.matching) == 1


@pytest.mark.parametrize("again", [0, 2, 7])
def test_a_deleted_boundary_shows_nothing_of_its_index(course, storage, boundary, again):
    course.grow(5)
    course.index()
    storage.delete_stream(boundary)
    course.grow(again)

    course.is_exact()
    course.index()
    course.is_exact()


def test_a_version_that_was_not_reached_is_refused_by_the_index_too(engine, course, boundary):
    course.grow(5)
    course.index()

    with pytest.raises(BoundaryConflictError, match="after is version 99"):
        engine.indexed_process().storage.fetch_matching(boundary, Query(tags=[RARE]), 99)


def test_each_tenant_has_an_index_of_its_own(engine, boundary):
    query = Query(tags=[COMMON])
    for tenant in ("one", "another"):
        storage = engine.fresh_process().in_tenant(tenant).storage
        Course(engine, storage, boundary).grow(len(tenant))
        storage.index_tags(boundary)

    for tenant in ("one", "another"):
        by_index = engine.indexed_process().in_tenant(tenant).storage
        plain = engine.fresh_process().in_tenant(tenant).storage
        found = by_index.fetch_matching(boundary, query).events
        assert_same(found, plain.fetch_matching(boundary, query).events)


def test_a_stream_without_versions_has_no_index(storage, boundary):
    storage.insert_events(boundary, NO_VERSIONING, events(boundary, 2))

    assert storage.index_tags(boundary) == 0


@pytest.mark.parametrize("most", [0, -1, True, 1.0, "1", None])
def test_the_number_of_events_is_1_or_more(storage, boundary, most):
    with pytest.raises(InputError, match="most must be an integer of 1 or more"):
        storage.index_tags(boundary, most)


@pytest.mark.parametrize("stream", [None, "courses", 5])
def test_only_a_stream_has_an_index(storage, stream):
    with pytest.raises(InvalidStreamIdError):
        storage.index_tags(stream)


@pytest.mark.ci  # It indexes and deletes once for each request.
@needs(Capability.CRASHES)
@pytest.mark.parametrize("operation", ["index", "delete", "index after a deletion"])
def test_a_crash_at_any_request_leaves_reads_exact(engine, course, storage, boundary, operation):
    for requests in count():
        course.grow()
        storage.index_tags(boundary)
        course.grow()
        if operation == "index after a deletion":
            _delete_partly(engine, boundary)
            course.grow()
        crashed = _crashes(engine, boundary, requests, delete=operation == "delete")
        course.is_exact(QUERIES[:1], [None])
        storage.delete_stream(boundary)
        course.is_exact(QUERIES[:1], [None])
        if not crashed:
            break
        assert requests < MOST_REQUESTS
    assert requests > 3


def _delete_partly(engine, boundary):
    """Delete a boundary in a process that crashes as soon as the events are gone."""
    for requests in count(2):
        assert _crashes(engine, boundary, requests, delete=True)
        if not engine.fresh_process().storage.fetch_events(boundary):
            return


def _crashes(engine, boundary, requests, *, delete):
    with engine.crash_after(requests) as backend:
        try:
            if delete:
                backend.storage.delete_stream(boundary)
            else:
                backend.storage.index_tags(boundary)
        except Crash:
            return True
    return False
