"""Subscriptions to all streams and tenants, after a position."""

from __future__ import annotations

import time
from datetime import timedelta
from itertools import islice

import pytest
from event_sourcery import NO_VERSIONING, StreamId
from event_sourcery.interfaces import SubscriptionStrategy

from dynamo_es.exceptions import InvalidPositionError, ServiceError
from dynamo_es.testing.faults import Fault, Network
from tests.adapters.event_sourcery.orders import OrderPlaced, OrderShipped, placed, summary
from tests.engine import Capability, needs

# They wait for time limits.
pytestmark = pytest.mark.ci

ours = needs(Capability.REQUESTS)

A = StreamId(name="order 1", category="orders")
B = StreamId(name="cart 1", category="carts")
C = StreamId()


@pytest.fixture
def filled(backend):
    """Positions 1 to 7."""
    store, tenant = backend.event_store, backend.in_tenant_mode("a").event_store
    store.append(OrderPlaced(), OrderShipped(), stream_id=A)
    store.append(OrderPlaced(), stream_id=B)
    tenant.append(OrderPlaced(), OrderShipped(), stream_id=A)
    store.append(OrderShipped(), stream_id=C, expected_version=NO_VERSIONING)
    store.append(OrderPlaced(), stream_id=A, expected_version=2)
    return backend


def positions(batch) -> list[int]:
    return [record.position for record in batch]


def test_a_batch_is_returned_as_soon_as_it_is_full(filled):
    batches = filled.subscriber.start_from(0).build_batch(3, timelimit=60)

    assert [positions(batch) for batch in islice(batches, 2)] == [[1, 2, 3], [4, 5, 6]]


def test_what_there_is_is_returned_at_the_time_limit(filled):
    batches = filled.subscriber.start_from(0).build_batch(100, timelimit=0.2)

    assert [positions(batch) for batch in islice(batches, 2)] == [[1, 2, 3, 4, 5, 6, 7], []]


@pytest.mark.parametrize("start", range(8))
def test_it_begins_after_the_position(filled, start):
    batches = filled.subscriber.start_from(start).build_batch(100, timelimit=0.1)

    assert positions(next(batches)) == list(range(start + 1, 8))


@pytest.mark.parametrize(
    ("category", "found"), [("orders", [1, 2, 4, 5, 7]), ("carts", [3]), ("x", [])]
)
def test_to_a_category(filled, category, found):
    batches = filled.subscriber.start_from(0).to_category(category).build_batch(100, 0.1)

    assert positions(next(batches)) == found


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([OrderPlaced], [1, 3, 4, 7]),
        ([OrderShipped], [2, 5, 6]),
        ([], []),
        ([OrderPlaced, OrderShipped], [*range(1, 8)]),
    ],
)
def test_to_events(filled, events, found):
    batches = filled.subscriber.start_from(0).to_events(events).build_batch(100, 0.1)

    assert positions(next(batches)) == found


def test_one_by_one_with_none_at_the_time_limit(filled):
    records = filled.subscriber.start_from(5).build_iter(timelimit=0.1)

    assert [record and record.position for record in islice(records, 4)] == [6, 7, None, None]


def test_what_comes_later_is_returned(filled):
    batches = filled.subscriber.start_from(7).build_batch(2, timelimit=timedelta(seconds=0.1))
    assert next(batches) == []

    filled.event_store.append(first := placed(2)[0], stream_id=B)
    filled.event_store.append(second := placed(3)[0], stream_id=B)

    assert [record.wrapped_event for record in next(batches)] == [first, second]


def test_records_are_whole(filled):
    records = list(islice(filled.subscriber.start_from(0).build_iter(5), 7))

    assert [(record.stream_id, record.tenant_id) for record in records] == [
        (A, ""),
        (A, ""),
        (B, ""),
        (A, "a"),
        (A, "a"),
        (C, ""),
        (A, ""),
    ]
    assert [record.stream_id.name for record in records[:3]] == ["order 1", "order 1", "cart 1"]
    assert [record.wrapped_event.version for record in records] == [1, 2, 1, 1, 2, None, 3]
    assert {type(record.position) for record in records} == {int}


def test_snapshots_are_no_events(filled):
    filled.event_store.save_snapshot(A, summary(3))

    batches = filled.subscriber.start_from(0).build_batch(100, timelimit=0.1)

    assert positions(next(batches)) == list(range(1, 8))


@ours
def test_deleted_events_are_left_out(filled):
    filled.event_store.delete_stream(A)

    batches = filled.subscriber.start_from(0).build_batch(100, timelimit=0.1)

    assert positions(next(batches)) == [3, 4, 5, 6]


@pytest.mark.parametrize("limit", [0.099, 0, timedelta(milliseconds=99)])
@pytest.mark.parametrize("build", ["build_iter", "build_batch"])
def test_a_time_limit_below_100_ms_is_refused(filled, build, limit):
    arguments = {"timelimit": limit} | ({"size": 1} if build == "build_batch" else {})

    with pytest.raises(ValueError, match="100 milliseconds"):
        getattr(filled.subscriber.start_from(0), build)(**arguments)


@ours
def test_the_strategy_refuses_it_too(filled):
    with pytest.raises(ValueError, match=r"0\.1 or more"):
        filled[SubscriptionStrategy].subscribe_to_all(0, 1, timedelta(milliseconds=99))


@ours
@pytest.mark.parametrize("limit", [0.1, 0.4])
def test_an_idle_batch_takes_the_time_limit(filled, limit):
    batches = filled.subscriber.start_from(7).build_batch(10, timelimit=limit)
    next(batches)
    took = []
    for _ in range(3):
        begin = time.monotonic()
        assert next(batches) == []
        took.append(time.monotonic() - begin)

    assert limit * 0.5 <= min(took)
    # A machine that is busy with other things may be late once.
    assert sorted(took)[1] <= limit * 1.5


def test_a_position_that_the_log_has_not_reached_is_waited_for(filled):
    batches = filled.subscriber.start_from(9).build_batch(10, timelimit=0.1)
    assert next(batches) == []

    filled.event_store.append(*placed(2, 3, 4, 5), stream_id=B)

    assert positions(next(batches)) == [10, 11]


@ours
@pytest.mark.parametrize(
    "subscribe",
    [
        lambda strategy, *how: strategy.subscribe_to_all(*how),
        lambda strategy, *how: strategy.subscribe_to_category(*how, "carts"),
        lambda strategy, *how: strategy.subscribe_to_events(*how, ["adapter.OrderPlaced"]),
    ],
    ids=["all", "category", "events"],
)
def test_so_it_is_by_any_filter(filled, subscribe):
    batches = subscribe(filled[SubscriptionStrategy], 9, 10, timedelta(seconds=0.1))
    assert next(batches) == []

    filled.event_store.append(*placed(2, 3, 4, 5), stream_id=B)

    assert positions(next(batches)) == [10, 11]


@ours
def test_a_negative_position_is_refused(filled):
    with pytest.raises(InvalidPositionError):
        filled[SubscriptionStrategy].subscribe_to_all(-1, 1, timedelta(seconds=1))


@ours
def test_after_an_error_it_goes_on_without_a_loss(filled, client):
    batches = filled[SubscriptionStrategy].subscribe_to_all(0, 4, timedelta(seconds=0.1))
    assert positions(next(batches)) == [1, 2, 3, 4]
    assert positions(next(batches)) == [5, 6, 7]
    filled.event_store.append(*placed(2), stream_id=B)
    network = Network(client)

    network.plan(lambda _: Fault.LOST_REQUEST)
    with network.between(), pytest.raises(ServiceError):
        next(batches)

    assert positions(next(batches)) == [8]
