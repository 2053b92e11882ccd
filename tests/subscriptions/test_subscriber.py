"""Subscribing to typed events, one choice after the other."""

from dataclasses import replace
from datetime import timedelta

import pytest

from dynamo_es import Event, StreamId, UnknownEvent
from dynamo_es.exceptions import (
    InvalidPositionError,
    InvalidStreamIdError,
    InvalidSubscriptionError,
    UnknownEventError,
)
from dynamo_es.testing.conformance.language import an_event

pytestmark = [pytest.mark.inline, pytest.mark.usefixtures("subscriptions_wait_in_no_time")]

TENTH = 0.1


class Subscribed(Event):
    __event_name__ = "Subscribed"

    number: int


class Cancelled(Event):
    __event_name__ = "Cancelled"

    number: int


@pytest.fixture
def backend(world):
    return world.backend()


@pytest.fixture
def start(given, backend):
    given.stream(StreamId()).with_commits_of(1)
    return backend.log.last_position


@pytest.fixture
def stored(backend, start):
    """Events of two classes, categories and tenants, numbered by their positions."""
    a, b = StreamId(category="A"), StreamId(category="B")
    backend.event_store.append(Subscribed(number=1), Cancelled(number=2), stream_id=a)
    backend.event_store.append(Subscribed(number=3), stream_id=b)
    acme = backend.in_tenant("acme")
    acme.event_store.append(Cancelled(number=4), Subscribed(number=5), stream_id=a)
    return [a, a, b, a, a]


def numbers(subscriber, size=9):
    batch = next(subscriber.build_batch(size, timelimit=TENTH))
    return [record.wrapped_event.event.number for record in batch]


def test_records_say_what_they_are(backend, start, stored):
    batch = next(backend.subscriber.after(start).build_batch(9, timelimit=TENTH))

    assert [record.position - start for record in batch] == [1, 2, 3, 4, 5]
    assert [record.stream_id for record in batch] == stored
    assert [record.tenant_id for record in batch] == ["", "", "", "acme", "acme"]
    assert [record.wrapped_event.version for record in batch] == [1, 2, 1, 1, 2]
    assert batch[0].wrapped_event.event == Subscribed(number=1)


def test_choices(backend, start, stored):
    subscriber = backend.subscriber.after(start)

    assert numbers(subscriber) == [1, 2, 3, 4, 5]
    assert numbers(subscriber.to_category("A")) == [1, 2, 4, 5]
    assert numbers(subscriber.to_events([Subscribed])) == [1, 3, 5]
    assert numbers(subscriber.to_events([Subscribed, Cancelled])) == [1, 2, 3, 4, 5]
    assert numbers(subscriber.in_tenant("acme")) == [4, 5]
    assert numbers(subscriber.in_tenant("acme").to_events([Cancelled])) == [4]
    assert numbers(subscriber.in_tenant("").to_category("A").to_events([Cancelled])) == [2]
    assert numbers(subscriber.to_category("B").after(start + 3)) == []


def test_a_choice_leaves_the_subscriber_as_it_is(backend, start, stored):
    subscriber = backend.subscriber.after(start)
    subscriber.to_category("B")

    assert numbers(subscriber) == [1, 2, 3, 4, 5]


def test_a_backend_of_a_tenant_reads_its_part_only(backend, start, stored):
    assert numbers(backend.in_tenant("acme").subscriber.after(start)) == [4, 5]
    assert numbers(backend.in_tenant("").subscriber.after(start)) == [1, 2, 3]


def test_single_events_and_none_when_the_time_is_over(backend, start, stored):
    records = backend.subscriber.after(start).build_iter(timelimit=timedelta(seconds=TENTH))

    assert [next(records).position - start for _ in range(5)] == [1, 2, 3, 4, 5]
    assert next(records) is None
    assert records.position == start + 5


def test_an_unknown_event_stops_it_without_a_loss(given, backend, start):
    stream = StreamId()
    known = an_event(stream, name="Subscribed", data={"number": 1}, context={})
    given.stream(stream).with_events(known, replace(an_event(stream), name="Never"))
    batches = backend.subscriber.after(start).build_batch(2, timelimit=TENTH)

    for _ in range(2):
        with pytest.raises(UnknownEventError, match="Never"):
            next(batches)
        assert batches.position == start

    kept = backend.subscriber.after(start).build_batch(2, timelimit=TENTH, keep_unknown=True)
    one, two = next(kept)
    assert one.wrapped_event.event == Subscribed(number=1)
    assert isinstance(two.wrapped_event.event, UnknownEvent)


@pytest.mark.parametrize("limit", [0, 0.05, -1, True, None, "1", float("nan")])
def test_no_time_limit(backend, limit):
    for build in (
        lambda: backend.subscriber.build_batch(1, limit),
        lambda: backend.subscriber.build_iter(limit),
    ):
        with pytest.raises(InvalidSubscriptionError, match="timelimit must be"):
            build()


def test_nothing_to_choose_by(backend):
    with pytest.raises(InvalidSubscriptionError, match="category must be text, not None"):
        backend.subscriber.to_category(None)
    with pytest.raises(InvalidStreamIdError):
        backend.subscriber.in_tenant(7)
    with pytest.raises(InvalidPositionError):
        backend.subscriber.after(-1)
    with pytest.raises(InvalidPositionError):
        backend.subscriber.after(10**9).build_batch(1, 1)
