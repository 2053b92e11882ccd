"""Boundaries keep their budgets of requests and units."""

from __future__ import annotations

import math

import pytest

from dynamo_es import DynamoBackend, StreamId
from dynamo_es.contracts.boundaries.strategy import ConditionalAppend
from dynamo_es.dynamodb.wire.sizes import item_size
from dynamo_es.exceptions import BoundaryConflictError
from dynamo_es.testing.conformance.language import an_event, heavy_events
from dynamo_es.values import Query, Tag
from tests.engine import Capability, needs
from tests.recording import recording

pytestmark = needs(Capability.REQUESTS)

COURSE = Query(tags=[Tag("course", "c1")])
STUDENT = Query(tags=[Tag("student", "s1")])


class Process:
    """A process, whose requests are counted."""

    def __init__(self, engine, stream):
        self.engine = engine
        self.stream = stream
        self.reports = []
        config = engine.config_with(report_capacity=True)
        self.storage = DynamoBackend(config, engine.client, self.reports.append).storage

    def event(self, tag="course:c1"):
        return an_event(self.stream, context={"$tags": [tag]})

    def append(self, query=COURSE, after=None, tag="course:c1", events=None):
        events = [self.event(tag)] if events is None else events
        return self.storage.insert_unless(self.stream, [ConditionalAppend(events, query, after)])[0]

    def others(self, count, tag="student:s1"):
        """Other processes append so many events."""
        for _ in range(count):
            Process(self.engine, self.stream).append(None, tag=tag)

    def read(self, query=COURSE, after=None):
        return self.storage.fetch_matching(self.stream, query, after)

    def costs(self, *operations, write=None, read=None):
        """Return a context that checks the requests and, if the engine has them, the units."""
        return _Costs(self, list(operations), write, read)


class _Costs:
    def __init__(self, process, operations, write, read):
        self.process, self.operations = process, operations
        self.write, self.read = write, read

    def __enter__(self):
        self.process.reports.clear()
        self._recording = recording(self.process.engine.client)
        self.sent = self._recording.__enter__()
        return self.sent

    def __exit__(self, kind, *rest):
        self._recording.__exit__(kind, *rest)
        if kind is not None:
            return
        assert self.sent.operations == self.operations
        [report] = self.process.reports
        assert report.requests == len(self.operations)
        if Capability.BILLS not in self.process.engine.lacks:
            if self.write is not None:
                assert report.write_units == self.write
            if self.read is not None:
                assert report.read_units == self.read


@pytest.fixture
def process(engine):
    return Process(engine, StreamId(category="$boundary"))


@pytest.fixture
def warm(process):
    """A process that has read the boundary: one event."""
    process.append(None)
    process.read()
    return process


@pytest.mark.parametrize("size", [1, 10])
def test_append_alone_is_one_conditional_put(warm, size):
    events = [warm.event() for _ in range(size)]
    with warm.costs("PutItem") as sent:
        assert warm.append(after=1, events=events) == 1 + size
    assert warm.reports[0].write_units in {None, math.ceil(item_size(sent.items[0]) / 1024)}
    assert sent.calls[0][1]["ConditionExpression"]


def test_the_first_append_after_an_empty_read_is_one_put(process):
    head = process.read().head

    with process.costs("PutItem"):
        assert process.append(after=head) == 1


def test_cold_append_without_a_read_reads_first(process, engine):
    process.append(None)

    cold = Process(engine, process.stream)
    with cold.costs("Query", "PutItem", write=1, read=1):
        assert cold.append(STUDENT) == 2


def test_conflict_is_one_refused_put(warm):
    warm.others(1, "course:c1")

    with warm.costs("PutItem"):
        assert isinstance(warm.append(after=1), BoundaryConflictError)


def test_conflict_that_this_process_knows_of_is_one_read_of_the_tail(warm):
    warm.append(after=1)

    assert isinstance(warm.append(after=1), BoundaryConflictError)
    with warm.costs("Query"):
        assert isinstance(warm.append(after=1), BoundaryConflictError)


@pytest.mark.parametrize(
    ("others", "requests"),
    [
        (1, ["PutItem"] * 2),
        (2, ["PutItem", "PutItem", "Query", "PutItem"]),
        (3, ["PutItem", "PutItem", "Query", "PutItem"]),
        (20, ["PutItem", "PutItem", "Query", "PutItem"]),
    ],
)
def test_commits_that_do_not_match_cost_a_put_or_two_and_a_read(warm, others, requests):
    warm.others(others)

    with warm.costs(*requests):
        assert warm.append(after=1) == others + 2


def test_append_after_another_of_this_process_reads_nothing(warm):
    warm.append(None, tag="student:s1")

    with warm.costs("PutItem"):
        assert warm.append(after=1) == 3


def test_several_appends_of_one_call_are_one_put(warm):
    appends = [ConditionalAppend([warm.event(f"course:{n}")], COURSE, 1) for n in range(25)]

    with warm.costs("PutItem"):
        assert warm.storage.insert_unless(warm.stream, appends) == list(range(2, 27))


@pytest.mark.parametrize("count", [0, 1, 30])
def test_warm_read_is_one_read_of_what_is_new(process, count):
    heavy = heavy_events(process.stream, 10, 30_000)
    for event in heavy:
        process.append(None, events=[event])
    process.append(None)
    process.read()
    process.others(count, "course:c1")

    # The newest known commit proves that what is remembered is still there.
    with process.costs("Query", read=1 if count <= 1 else None):
        found = process.read()
    assert (len(found.events), found.head) == (1 + count, 11 + count)


def test_cold_read_is_one_read_of_the_boundary(process, engine):
    process.others(30, "course:c1")

    cold = Process(engine, process.stream)
    with cold.costs("Query"):
        assert len(cold.read().events) == 30


def test_read_after_a_version_reads_no_earlier_event(process, engine):
    process.append(None, events=heavy_events(process.stream, 8, 40_000))
    process.append(None)
    cold = Process(engine, process.stream)
    cold.read(after=8)

    with cold.costs("Query", read=1):
        assert len(cold.read(after=8).events) == 1


def test_what_is_remembered_is_read_again_where_the_boundary_was_deleted(warm, engine):
    other = Process(engine, warm.stream)
    other.storage.delete_stream(warm.stream)
    assert (warm.read().events, warm.read().head) == ((), 0)
    other.others(3, "course:c1")

    assert len(warm.read().events) == 3
    assert len(warm.read(Query.everything()).events) == 3
