"""Every operation keeps its budget of requests and units."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from dynamo_es import (
    ANY_VERSION,
    NO_VERSIONING,
    DynamoBackend,
    ExplicitVersioning,
    OperationReport,
    StreamId,
)
from dynamo_es.contracts import StreamAppend
from dynamo_es.dynamodb.wire.sizes import item_size, read_units
from dynamo_es.exceptions import (
    AppendsFailedError,
    ConcurrentStreamWriteError,
)
from dynamo_es.testing.conformance.language import a_snapshot, an_event, events
from tests.engine import Capability, DynamoEngine, needs
from tests.recording import Recording, recording

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = needs(Capability.REQUESTS)

COMMIT_SIZES = [1, 3, 10, 40]


class Budget:
    """A process whose requests are counted and whose bills are kept."""

    def __init__(self, engine: DynamoEngine) -> None:
        self.reports: list[OperationReport] = []
        self.engine = engine
        self.backend = DynamoBackend(
            engine.config_with(report_capacity=True), engine.client, self.reports.append
        )
        self.storage = self.backend.storage
        self.stream = StreamId(category="Order")

    @contextmanager
    def counted(self) -> Iterator[Recording]:
        """Record what is sent, and check the operation's report against it."""
        self.reports.clear()
        with recording(self.engine.client) as sent:
            yield sent
        (report,) = self.reports
        assert report.requests == len(sent.calls)
        assert report.attempts == sent.attempts
        assert report.bytes_written == sum(item_size(item) for item in sent.items)

    def billed(self, *, write: float | None = None, read: float | None = None) -> None:
        """What the engine says it billed; moto's figures are constant, so not asserted."""
        if Capability.BILLS in self.engine.lacks:
            return
        (report,) = self.reports
        assert report.write_units == write
        assert report.read_units == read


@pytest.fixture
def budget(engine: DynamoEngine) -> Budget:
    return Budget(engine)


@pytest.mark.parametrize("size", COMMIT_SIZES)
def test_creating_a_stream_is_one_put(budget: Budget, size: int) -> None:
    with budget.counted() as sent:
        budget.storage.insert_events(
            budget.stream, ExplicitVersioning(0), events(budget.stream, size)
        )

    assert sent.operations == ["PutItem"]
    budget.billed(write=math.ceil(item_size(sent.items[0]) / 1024))


@pytest.mark.parametrize("size", COMMIT_SIZES)
def test_append_with_the_head_remembered_is_one_put(budget: Budget, size: int) -> None:
    budget.storage.insert_events(budget.stream, ExplicitVersioning(0), events(budget.stream, 2))

    with budget.counted() as sent:
        budget.storage.insert_events(
            budget.stream, ExplicitVersioning(2), events(budget.stream, size)
        )

    assert sent.operations == ["PutItem"]
    budget.billed(write=math.ceil(item_size(sent.items[0]) / 1024))


@pytest.mark.parametrize("versioning", [ANY_VERSION, NO_VERSIONING])
def test_append_at_the_remembered_head_is_one_put(budget: Budget, versioning) -> None:
    budget.storage.insert_events(budget.stream, versioning, events(budget.stream, 1))

    with budget.counted() as sent:
        budget.storage.insert_events(budget.stream, versioning, events(budget.stream, 1))

    assert sent.operations == ["PutItem"]
    budget.billed(write=1)


def test_cold_append_reads_one_unit_first(budget: Budget) -> None:
    budget.storage.insert_events(budget.stream, ExplicitVersioning(0), events(budget.stream, 1))
    cold = Budget(budget.engine)

    with cold.counted() as sent:
        cold.storage.insert_events(budget.stream, ExplicitVersioning(1), events(budget.stream, 1))

    assert sent.operations == ["Query", "PutItem"]
    cold.billed(read=1, write=1)


def test_conflict_with_the_head_remembered_is_one_put(budget: Budget) -> None:
    budget.storage.insert_events(budget.stream, ExplicitVersioning(0), events(budget.stream, 1))
    other = Budget(budget.engine)
    other.storage.insert_events(budget.stream, ExplicitVersioning(1), events(budget.stream, 1))

    with budget.counted() as sent, pytest.raises(ConcurrentStreamWriteError):
        budget.storage.insert_events(budget.stream, ExplicitVersioning(1), events(budget.stream, 1))

    assert sent.operations == ["PutItem"]
    assert sent.write_units == 1


@pytest.mark.parametrize("commits", [1, 3])
def test_conflict_of_two_creations_is_a_put_and_a_read(budget: Budget, commits: int) -> None:
    for version in range(commits):
        budget.storage.insert_events(
            budget.stream, ExplicitVersioning(version), events(budget.stream, 1)
        )

    with budget.counted() as sent, pytest.raises(ConcurrentStreamWriteError):
        budget.storage.insert_events(budget.stream, ExplicitVersioning(0), events(budget.stream, 1))

    assert sent.operations == ["PutItem", "Query"]
    assert sent.write_units == 1
    budget_read = budget.reports[0].read_units
    assert Capability.BILLS in budget.engine.lacks or budget_read == 1


@pytest.mark.parametrize("commits", [1, 31, 32])
def test_load_of_up_to_32_commits_is_one_query(budget: Budget, commits: int) -> None:
    stored = 0
    for number in range(commits):
        commit = events(budget.stream, 3)
        with recording(budget.engine.client) as sent:
            budget.storage.insert_events(budget.stream, ExplicitVersioning(number * 3), commit)
        stored += item_size(sent.items[0])

    with budget.counted() as sent:
        loaded = budget.storage.fetch_events(budget.stream)

    assert len(loaded) == 3 * commits
    # DynamoDB says that there may be more after a page that its limit fills.
    assert sent.operations == (["Query"] if commits <= 32 else ["Query", "Query"])
    budget.billed(read=read_units(stored))


@pytest.mark.parametrize("after", [0, 10])
def test_load_with_a_snapshot_known_reads_it_and_what_follows(budget: Budget, after: int) -> None:
    with recording(budget.engine.client) as sent:
        for number in range(50 + after):
            budget.storage.insert_events(
                budget.stream, ExplicitVersioning(number), [an_event(budget.stream)]
            )
        budget.storage.save_snapshot(a_snapshot(budget.stream, 50))
    # Without events after it, the newest commit shows that the stream exists.
    read = sum(map(item_size, sent.items[-(max(after, 1) + 1) :]))

    for _ in range(2):
        with budget.counted() as sent:
            loaded = budget.storage.fetch_events(budget.stream)

        assert [event.version for event in loaded] == [50, *range(51, 51 + after)]
        assert sent.operations == ["Query"]
        budget.billed(read=read_units(read))


def test_cold_load_with_a_snapshot_reads_eight_items(budget: Budget) -> None:
    for number in range(60):
        budget.storage.insert_events(
            budget.stream, ExplicitVersioning(number), [an_event(budget.stream)]
        )
    budget.storage.save_snapshot(a_snapshot(budget.stream, 55))
    cold = Budget(budget.engine)

    with cold.counted() as sent:
        loaded = cold.storage.fetch_events(budget.stream)

    assert [event.version for event in loaded] == [*range(55, 61)]
    assert sent.operations == ["Query"]
    assert sent.calls[0][1]["Limit"] == 8
    cold.billed(read=1)


def test_conflict_below_the_version_known_is_one_query(budget: Budget) -> None:
    for number in range(10):
        budget.storage.insert_events(
            budget.stream, ExplicitVersioning(number), [an_event(budget.stream)]
        )

    with budget.counted() as sent, pytest.raises(ConcurrentStreamWriteError) as caught:
        budget.storage.insert_events(budget.stream, ExplicitVersioning(5), events(budget.stream, 1))

    assert (caught.value.expected, caught.value.actual) == (5, 10)
    assert sent.operations == ["Query"]
    budget.billed(read=1)


def test_snapshot_with_the_head_remembered_is_one_put(budget: Budget) -> None:
    budget.storage.insert_events(budget.stream, ExplicitVersioning(0), events(budget.stream, 5))

    with budget.counted() as sent:
        budget.storage.save_snapshot(a_snapshot(budget.stream, 5))

    assert sent.operations == ["PutItem"]
    budget.billed(write=math.ceil(item_size(sent.items[0]) / 1024))


def test_deletion_is_a_read_a_fence_a_snapshot_an_expiry_and_a_batch_for_25_commits(
    budget: Budget,
) -> None:
    for number in range(52):
        budget.storage.insert_events(
            budget.stream, ExplicitVersioning(number), [an_event(budget.stream)]
        )

    with budget.counted() as sent:
        budget.storage.delete_stream(budget.stream)

    assert sent.operations == [
        *("Query", "PutItem", "DeleteItem"),
        *["BatchExecuteStatement"] * 3,  # of 25, 25 and 1, at once
        "PutItem",  # at version 1, which is the last
        "UpdateItem",
    ]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("streams", [2, 25, 60])
def test_appends_to_many_streams_are_one_request_for_25(
    budget: Budget, streams: int, known: bool
) -> None:
    ids = [StreamId(category="Order") for _ in range(streams)]
    parts = [StreamAppend(each, ExplicitVersioning(0), events(each, 3)) for each in ids]
    batches = math.ceil(streams / 25)
    with budget.counted() as sent:
        budget.storage.insert_many(parts)
    assert sent.operations == ["BatchExecuteStatement"] * batches
    budget.billed(write=streams)

    after = [StreamAppend(each, ExplicitVersioning(3), events(each, 1)) for each in ids]
    process = budget if known else Budget(budget.engine)
    with process.counted() as sent:
        process.storage.insert_many(after)
    reads = [] if known else ["Query"] * streams
    assert sent.operations == [*reads, *["BatchExecuteStatement"] * batches]
    process.billed(write=streams, read=None if known else streams)


def test_an_append_among_many_that_loses_costs_its_own_requests(budget: Budget) -> None:
    ids = [StreamId(category="Order") for _ in range(3)]
    budget.storage.insert_events(ids[0], ExplicitVersioning(0), events(ids[0], 1))
    other = Budget(budget.engine)
    parts = [StreamAppend(each, ExplicitVersioning(0), events(each, 1)) for each in ids]

    with other.counted() as sent, pytest.raises(AppendsFailedError):
        other.storage.insert_many(parts)

    # Like a conflict on creation, once the INSERT is refused.
    assert sent.operations == ["BatchExecuteStatement", "PutItem", "Query"]
    (report,) = other.reports
    assert (report.operation, report.stream_id) == ("append_many", None)
    assert isinstance(report.error, AppendsFailedError)


def test_no_events_send_nothing(budget: Budget) -> None:
    with recording(budget.engine.client) as sent:
        budget.storage.insert_events(budget.stream, ExplicitVersioning(7), [])

    assert sent.calls == []


def test_report_says_what_an_operation_read(budget: Budget) -> None:
    budget.storage.insert_events(budget.stream, ExplicitVersioning(0), events(budget.stream, 5))

    with budget.counted():
        budget.storage.fetch_events(budget.stream)

    (report,) = budget.reports
    assert (report.operation, report.tenant_id, report.stream_id) == ("load", "", budget.stream)
    assert report.bytes_read > 0
    assert report.duration > 0
    assert report.error is None
