"""A process dies at any request: every event is applied or listed, and each stream keeps order."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import pytest

from dynamo_es import Event, StreamId
from dynamo_es.exceptions import CursorBusyError, ProjectionBusyError
from dynamo_es.projections.checkpoint_lease import CheckpointLease
from dynamo_es.projections.failure_policy import FailurePolicy
from dynamo_es.projections.parking import Parking
from tests.engine import Capability, Crash, needs

pytestmark = [pytest.mark.inline, needs(Capability.CRASHES), pytest.mark.ci]

AT_ONCE = FailurePolicy(then="park", attempts=1)
LEASE = 0.03
MOST_REQUESTS = 60


class Moved(Event):
    __event_name__ = "parking.Moved"

    number: int


class Model(list[Any]):
    """Applies events; it fails on the second one of a stream until it is fixed."""

    def __init__(self, poison):
        super().__init__()
        self.poison = poison

    def __call__(self, recorded):
        number = recorded.wrapped_event.event.number
        if recorded.stream_id == self.poison and number == 2:
            raise ZeroDivisionError
        self.append((recorded.stream_id, number))

    def of(self, stream):
        return [number for one, number in self if one == stream]


def assert_complete_and_in_order(numbers, expected):
    """Each is there; one that comes again comes with those after it: at least once, in order."""
    assert list(dict.fromkeys(numbers)) == expected
    assert all(after <= before + 1 for before, after in pairwise(numbers))
    assert not numbers or numbers[-1] == expected[-1]


@pytest.fixture
def backend(world):
    return world.backend()


@pytest.fixture
def prepared(backend, given):
    """Appends two streams of four events, in turn, after what is in the log already."""

    def prepare():
        given.stream(StreamId()).with_commits_of(1)
        start = backend.log.last_position
        streams = StreamId(), StreamId()
        for number in range(1, 5):
            for stream in streams:
                backend.event_store.append(
                    Moved(number=number), stream_id=stream, expected_version=number - 1
                )
        return start, *streams

    return prepare


def insisting(run):
    """Run once the dead worker's lease is over."""
    for _ in range(20):
        try:
            return run()
        except (ProjectionBusyError, CursorBusyError):
            time.sleep(LEASE)
    raise AssertionError("the lease is never over")


def projection(backend, name, model, start):
    return backend.projection(
        name, model, after=start, batch_size=2, on_failure=AT_ONCE, lease=LEASE
    )


def test_a_worker_that_dies_at_any_request_neither_loses_nor_reorders_an_event(
    engine, backend, prepared, request
):
    start, poison, healthy = prepared()
    for requests in range(MOST_REQUESTS):
        name = f"crash {requests} {request.node.name}"[:150]
        model = Model(poison)
        died = False
        with engine.crash_after(requests) as process:
            try:
                projection(_inline(process, backend), name, model, start).run_once()
            except Crash:
                died = True
        insisting(projection(backend, name, model, start).run_once)

        assert_complete_and_in_order(model.of(healthy), [1, 2, 3, 4])
        assert set(model.of(poison)) <= {1}
        [entry] = backend.parked.streams(name)
        assert entry.first.number in {start + 1, start + 3}
        assert entry.seen.number == start + 7
        model.poison = None
        assert projection(backend, name, model, start).retry_parked().unparked == 1
        assert_complete_and_in_order(model.of(poison), [1, 2, 3, 4])
        if not died:
            return
    raise AssertionError(f"more than {MOST_REQUESTS} requests")


def test_a_retry_that_dies_at_any_request_neither_loses_nor_reorders_an_event(
    engine, backend, prepared, request
):
    start, poison, _ = prepared()
    for requests in range(MOST_REQUESTS):
        name = f"crash {requests} {request.node.name}"[:150]
        model = Model(poison)
        projection(backend, name, model, start).run_once()
        model.poison = None
        died = False
        with engine.crash_after(requests) as process:
            try:
                projection(_inline(process, backend), name, model, start).retry_parked()
            except Crash:
                died = True
        for _ in range(20):
            if not backend.parked.streams(name):
                break
            projection(backend, name, model, start).retry_parked()
            time.sleep(LEASE)
        assert_complete_and_in_order(model.of(poison), [1, 2, 3, 4])
        assert backend.parked.streams(name) == []
        if not died:
            return
    raise AssertionError(f"more than {MOST_REQUESTS} requests")


def _inline(process, backend):
    """Limit a process as the backend is."""
    return process if backend.limited_to is None else process.in_tenant(backend.limited_to)


def test_a_checkpoint_before_the_parked_entry_would_lose_events(
    engine, backend, prepared, request, monkeypatch
):
    """The broken variant: what is parked is stored after the checkpoint has moved."""
    parked, saved = Parking.park, CheckpointLease.save
    later = []
    monkeypatch.setattr(Parking, "park", lambda *call: later.append(call))

    def save(self, position):
        there = saved(self, position)
        while later:
            parked(*later.pop(0))
        return there

    monkeypatch.setattr(CheckpointLease, "save", save)
    with pytest.raises((AssertionError, ValueError)):
        test_a_worker_that_dies_at_any_request_neither_loses_nor_reorders_an_event(
            engine, backend, prepared, request
        )
