"""A stream whose event fails again and again is parked, and the shard goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dynamo_es import ANY_VERSION, Event, FailurePolicy, StreamId
from dynamo_es.aws_lambda import (
    project_log,
    project_streams,
    publish_outbox,
    sequence_events,
)
from dynamo_es.contracts import StreamAppend
from dynamo_es.projections.parking import RetryReport
from dynamo_es.testing import EventSourceMapping, Killed
from dynamo_es.testing.conformance.language import an_event
from tests.aws_lambda.lambdas import records_of

QUOTED = "an event's own value"


class Booked(Event):
    __event_name__ = "parked.Booked"

    number: int


class Applied(list[Any]):
    """What was applied, by stream; it fails on poison until it is fixed."""

    def __init__(self):
        super().__init__()
        self.poison = None
        self.calls = 0

    def __call__(self, recorded):
        self.calls += 1
        if recorded.stream_id == self.poison:
            raise ZeroDivisionError(QUOTED)
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


@pytest.mark.parametrize("batch_size", [10, pytest.param(100, marks=pytest.mark.ci)])
def test_one_poison_stream_of_six_batches_is_parked_and_the_others_are_applied_in_order(
    backend, applied, batch_size
):
    streams = [StreamId() for _ in range(6 * batch_size + 1)]
    applied.poison = poison = streams[7]
    for stream in streams:
        book(backend, stream, 1)
    for stream in streams[::batch_size]:
        book(backend, stream, 2)
    book(backend, poison, 2, 3)
    handler = project_streams(backend, "booked", on_failure="park")(applied)
    mapping = EventSourceMapping(handler, batch_size=batch_size, shards=2, maximum_retry_attempts=5)

    delivery = mapping.deliver(backend)

    assert not delivery.discarded
    healthy = [stream for stream in streams if stream != poison]
    assert all(applied.of(s) == ([1, 2] if s in streams[::batch_size] else [1]) for s in healthy)
    [entry] = backend.parked.all()
    assert (entry.key.stream_id, entry.first.number, entry.attempts) == (poison, 1, 3)
    assert applied.of(poison) == []

    applied.poison = None
    report = handler.retry_parked()

    assert (report.applied, report.unparked, report.left) == (3, 1, 0)
    assert applied.of(poison) == [1, 2, 3]
    assert backend.parked.all() == []
    assert len({stream for stream, _ in applied}) == len(streams)
    book(backend, poison, 4)
    mapping.deliver(backend)
    assert applied.of(poison) == [1, 2, 3, 4]


def test_the_log_goes_on_after_a_poison_stream(backend, applied):
    streams = [StreamId() for _ in range(6)]
    for stream in streams:
        book(backend, stream, 1, 2)
    applied.poison = streams[2]
    handler = project_log(backend, "booked", on_failure="park")(applied)
    assert handler({}) == {"batchItemFailures": []}
    assert [one.key.stream_id for one in backend.parked.streams("booked")] == [streams[2]]
    assert all(applied.of(one) == [1, 2] for one in streams if one != streams[2])
    applied.poison = None
    assert handler.retry_parked().unparked == 1
    assert applied.of(streams[2]) == [1, 2]


def test_records_of_a_parked_stream_are_passed_over_with_one_request(backend, applied):
    ann = StreamId()
    book(backend, ann, *range(1, 7))
    applied.poison = ann
    handler = project_streams(backend, "booked", on_failure="park")(applied)
    EventSourceMapping(handler, maximum_retry_attempts=5).deliver(backend)
    assert handler.totals.parked == 6
    assert applied.calls == 3
    [entry] = backend.parked.streams("booked")
    assert (entry.first.number, entry.seen.number) == (1, 6)


def test_without_a_policy_a_poison_stream_stops_its_shard(backend, applied):
    ann, bob = StreamId(), StreamId()
    book(backend, ann, 1)
    book(backend, bob, 1)
    applied.poison = ann
    handler = project_streams(backend, "booked")(applied)
    discarded = []
    EventSourceMapping(handler, maximum_retry_attempts=5, on_failure=discarded).deliver(backend)
    assert len(discarded) == 1
    assert backend.parked.all() == []


def test_an_event_that_cannot_be_read_is_parked_too(backend, applied):
    ann, bob = StreamId(), StreamId()
    book(backend, ann, 1)
    backend.storage.insert_events(ann, ANY_VERSION, [replace(an_event(ann), name="Unheard")])
    book(backend, bob, 1)
    handler = project_streams(backend, "booked", on_failure="park")(applied)
    EventSourceMapping(handler, maximum_retry_attempts=5).deliver(backend)
    assert (applied.of(ann), applied.of(bob)) == ([1], [1])
    [entry] = backend.parked.streams("booked")
    assert (entry.key.stream_id, entry.first.number) == (ann, 2)
    assert handler.retry_parked().left == 1
    keeping = project_streams(backend, "booked", on_failure="park", keep_unknown=True)
    seen = []
    assert keeping(lambda recorded: seen.append(recorded.wrapped_event.version)).retry_parked() == (
        RetryReport(applied=1, unparked=1, left=0)
    )
    assert seen == [2]


def test_a_skipped_event_is_listed_and_its_stream_goes_on(backend, applied):
    ann = StreamId()
    book(backend, ann, 1, 2, 3)
    seen = []

    def handle(recorded):
        if recorded.wrapped_event.version == 2:
            raise ValueError(QUOTED)
        seen.append(recorded.wrapped_event.version)

    handler = project_streams(backend, "booked", on_failure="skip")(handle)
    EventSourceMapping(handler, maximum_retry_attempts=5).deliver(backend)
    assert seen == [1, 3]
    assert [one.place.number for one in backend.parked.skipped("booked")] == [2]


def test_a_poison_stream_stops_nobody_by_any_rule_of_lambda(backend, applied):
    """Batches are halved after errors, records age, and three shards run at once."""
    streams = [StreamId() for _ in range(61)]
    applied.poison = poison = streams[7]
    for stream in streams:
        book(backend, stream, 1, 2)
    handler = project_streams(backend, "booked", on_failure="park")(applied)
    calls = 0

    def sometimes_dying(event, context):
        nonlocal calls
        calls += 1
        if calls % 7 == 3:
            raise Killed
        return handler(event, context)

    mapping = EventSourceMapping(
        sometimes_dying,
        batch_size=20,
        shards=3,
        bisect_batch_on_function_error=True,
        maximum_retry_attempts=100,
        maximum_record_age=3600,
        duplicates=0.2,
    )

    delivery = mapping.deliver(backend)

    assert not delivery.discarded
    assert all(applied.of(one) == [1, 2] for one in streams if one != poison)
    assert [one.key.stream_id for one in backend.parked.all()] == [poison]
    applied.poison = None
    assert handler({"dynamo_es": "retry_parked"}) == {"batchItemFailures": []}
    assert applied.of(poison) == [1, 2]
    assert backend.parked.all() == []


@pytest.fixture
def sequenced(backend):
    """600 healthy streams and a poison one, in the log and for the outbox."""
    backend.with_outbox()
    streams = [StreamId() for _ in range(601)]
    parts = [
        StreamAppend(
            one, ANY_VERSION, [replace(an_event(one), name="parked.Booked", data={"number": 1})]
        )
        for one in streams
    ]
    backend.storage.insert_many(parts)
    sequence_events(backend)({"Records": records_of(backend, "events")})
    return streams


@pytest.mark.ci
def test_of_the_log_600_healthy_streams_are_applied_and_1_is_parked(backend, applied, sequenced):
    applied.poison = poison = sequenced[300]
    handler = project_log(backend, "booked", on_failure=FailurePolicy(then="park", pause=0.001))(
        applied
    )
    mapping = EventSourceMapping(handler, maximum_retry_attempts=3, table="log", shards=2)

    assert not mapping.deliver(backend).discarded

    assert len({stream for stream, _ in applied}) == 600
    assert [one.key.stream_id for one in backend.parked.streams("booked")] == [poison]
    applied.poison = None
    handler({"dynamo_es": "retry_parked"})
    assert len({stream for stream, _ in applied}) == len(applied) == 601


@pytest.mark.ci
def test_of_the_outbox_600_healthy_streams_are_published_and_1_is_dead(backend, sequenced):
    poison, sent = sequenced[300], []

    class Target:
        as_stored = True
        at_once = 10

        def __call__(self, record):
            raise AssertionError

        def publish_all(self, records):
            sent.extend(one.entry.stream_id for one in records if one.entry.stream_id != poison)
            return [OSError() if one.entry.stream_id == poison else None for one in records]

    handler = publish_outbox(backend, Target(), attempts=1)
    mapping = EventSourceMapping(handler, maximum_retry_attempts=3, table="log", shards=2)
    assert not mapping.deliver(backend).discarded

    assert len(set(sent)) == len(sent) == 600
    [entry] = backend.outbox.entries()
    assert (entry.stream_id, entry.dead) == (poison, True)
    assert backend.outbox.retry_all() == 1
    poison = None
    handler({"dynamo_es": "upkeep"})
    assert len(set(sent)) == 601
    assert backend.outbox.entries() == []
