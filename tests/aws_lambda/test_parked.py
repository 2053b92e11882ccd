"""A stream whose event fails again and again is parked, and the shard goes on."""

from __future__ import annotations

import pytest

from dynamo_es import Event, StreamId
from dynamo_es.aws_lambda import project_streams
from dynamo_es.testing import EventSourceMapping

SECRET = "an event's own value"


class Booked(Event):
    __event_name__ = "parked.Booked"

    number: int


class Applied(list):
    """What was applied, by stream; it fails on poison until it is fixed."""

    def __init__(self):
        super().__init__()
        self.poison = None
        self.calls = 0

    def __call__(self, recorded):
        self.calls += 1
        if recorded.stream_id == self.poison:
            raise ZeroDivisionError(SECRET)
        self.append((recorded.stream_id, recorded.wrapped_event.event.number))

    def of(self, stream):
        return [number for one, number in self if one == stream]


@pytest.fixture
def backend(dynamo_backend):
    return dynamo_backend


@pytest.fixture
def applied():
    return Applied()


def book(backend, stream, *numbers):
    for number in numbers:
        backend.event_store.append(
            Booked(number=number), stream_id=stream, expected_version=number - 1
        )


def test_one_poison_stream_of_601_is_parked_and_the_others_are_applied_in_order(backend, applied):
    streams = [StreamId() for _ in range(601)]
    applied.poison = poison = streams[7]
    for number in (1, 2):
        for stream in streams:
            book(backend, stream, number) if number == 1 or stream in streams[::100] else None
    book(backend, poison, 2, 3)
    handler = project_streams(backend, "booked", on_failure="park")(applied)
    mapping = EventSourceMapping(handler, batch_size=100, shards=2, maximum_retry_attempts=5)

    delivery = mapping.deliver(backend)

    assert not delivery.discarded
    healthy = [stream for stream in streams if stream != poison]
    assert all(applied.of(s) == ([1, 2] if s in streams[::100] else [1]) for s in healthy)
    [entry] = backend.parked.all()
    assert (entry.key.stream_id, entry.first.number, entry.attempts) == (poison, 1, 3)
    assert applied.of(poison) == []

    applied.poison = None
    report = handler.retry_parked()

    assert (report.applied, report.unparked, report.left) == (3, 1, 0)
    assert applied.of(poison) == [1, 2, 3]
    assert backend.parked.all() == []
    assert len({stream for stream, _ in applied}) == 601
    book(backend, poison, 4)
    mapping.deliver(backend)
    assert applied.of(poison) == [1, 2, 3, 4]
