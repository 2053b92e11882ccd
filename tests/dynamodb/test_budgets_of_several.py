"""An append to several streams keeps its budget of requests and units."""

from __future__ import annotations

import math

import pytest

from dynamo_es import ExplicitVersioning, StreamId
from dynamo_es.contracts import StreamAppend, StreamCheck
from dynamo_es.dynamodb.wire.sizes import item_size
from dynamo_es.exceptions import AppendAllConflictError
from dynamo_es.testing.conformance.language import events
from tests.dynamodb.test_budgets import Budget
from tests.engine import Capability, DynamoEngine, needs

pytestmark = needs(Capability.REQUESTS)


@pytest.fixture
def budget(engine: DynamoEngine) -> Budget:
    return Budget(engine)


@pytest.mark.parametrize("checks", [0, 1, 3])
@pytest.mark.parametrize("streams", [2, 3])
def test_an_append_to_several_streams_is_one_transaction_at_twice_the_units(
    budget: Budget, streams: int, checks: int
) -> None:
    appended, checked = several(streams), several(checks)
    for stream in checked:
        budget.storage.insert_events(stream, ExplicitVersioning(0), events(stream, 1))

    with budget.counted() as sent:
        budget.storage.insert_all(
            [StreamAppend(s, ExplicitVersioning(0), events(s, 9)) for s in appended],
            unchanged=[StreamCheck(s, ExplicitVersioning(1)) for s in checked],
        )

    assert sent.operations == ["TransactWriteItems"]
    assert sent.checks == checks
    sizes = [math.ceil(item_size(item) / 1024) for item in sent.items]
    assert len(sizes) == streams
    assert sent.write_units == 2 * (sum(sizes) + checks)
    budget.billed(write=2 * (sum(sizes) + checks))


def test_one_stream_without_checks_is_the_ordinary_put(budget: Budget) -> None:
    part = StreamAppend(budget.stream, ExplicitVersioning(0), events(budget.stream, 3))

    with budget.counted() as sent:
        budget.storage.insert_all([part])

    assert sent.operations == ["PutItem"]
    budget.billed(write=1)


@pytest.mark.parametrize("version", [0, 1])
def test_one_stream_with_a_check_is_one_transaction(budget: Budget, version: int) -> None:
    (checked,) = several(1)
    if version:
        budget.storage.insert_events(checked, ExplicitVersioning(0), events(checked, 1))

    with budget.counted() as sent:
        budget.storage.insert_all(
            [StreamAppend(budget.stream, ExplicitVersioning(0), events(budget.stream, 1))],
            unchanged=[StreamCheck(checked, ExplicitVersioning(version))],
        )

    assert sent.operations == ["TransactWriteItems"]
    assert sent.write_units == 4
    budget.billed(write=4)


def test_each_stream_that_the_process_never_saw_is_read_first(budget: Budget) -> None:
    appended, checked = several(1), several(2)
    for stream in (*appended, *checked):
        budget.storage.insert_events(stream, ExplicitVersioning(0), events(stream, 1))
    cold = Budget(budget.engine)

    with cold.counted() as sent:
        cold.storage.insert_all(
            [StreamAppend(s, ExplicitVersioning(1), events(s, 1)) for s in appended],
            unchanged=[StreamCheck(s, ExplicitVersioning(1)) for s in checked],
        )

    assert sent.operations == ["Query"] * 3 + ["TransactWriteItems"]
    cold.billed(read=3, write=6)


def test_a_refusal_by_what_came_back_needs_no_read(budget: Budget) -> None:
    a, b = several(2)
    for stream in (a, b):
        budget.storage.insert_events(stream, ExplicitVersioning(0), events(stream, 1))
    other = Budget(budget.engine)
    for stream in (a, b):
        other.storage.insert_events(stream, ExplicitVersioning(1), events(stream, 1))

    with budget.counted() as sent, pytest.raises(AppendAllConflictError) as caught:
        budget.storage.insert_all(
            [StreamAppend(a, ExplicitVersioning(1), events(a, 1))],
            unchanged=[StreamCheck(b, ExplicitVersioning(1))],
        )

    assert sent.operations == ["TransactWriteItems"]
    assert list(caught.value.conflicts) == [a, b]


def test_a_refusal_by_a_check_alone_is_a_read_of_one_stream(budget: Budget) -> None:
    a, b, checked = several(3)
    budget.storage.insert_events(checked, ExplicitVersioning(0), events(checked, 1))
    other = Budget(budget.engine)
    other.storage.insert_events(checked, ExplicitVersioning(1), events(checked, 1))

    with budget.counted() as sent, pytest.raises(AppendAllConflictError) as caught:
        budget.storage.insert_all(
            [StreamAppend(s, ExplicitVersioning(0), events(s, 1)) for s in (a, b)],
            unchanged=[StreamCheck(checked, ExplicitVersioning(1))],
        )

    assert sent.operations == ["TransactWriteItems", "Query"]
    assert list(caught.value.conflicts) == [checked]


def several(number: int) -> list[StreamId]:
    """Return the ids of so many new streams."""
    return [StreamId(category="Order") for _ in range(number)]
