"""In-transaction listeners run after the write, and get the position."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from unittest.mock import patch

import pytest
from event_sourcery import NO_VERSIONING, Event, StreamId
from event_sourcery.event import Serde, WrappedEvent
from event_sourcery.exceptions import ConcurrentStreamWriteError
from event_sourcery.in_transaction import Dispatcher, Listeners

from dynamo_es.adapters.event_sourcery import DynamoDBBackend
from dynamo_es.dynamodb.log.inline_sequencer import InlineSequencer
from dynamo_es.testing.faults import Fault, Network
from tests.adapters.event_sourcery.orders import Heard, OrderPlaced, OrderShipped, placed
from tests.engine import Capability, needs

ours = needs(Capability.REQUESTS)
STREAM = StreamId(name="order 1", category="orders")


@pytest.fixture
def heard(backend):
    heard = Heard()
    backend.in_transaction.register(heard, to=Event)
    return heard


def test_a_listener_is_told_of_each_event_with_its_place(backend, heard):
    first, second = placed(1, 2)
    backend.event_store.append(first, second, stream_id=STREAM)
    backend.in_tenant_mode("a").event_store.append(third := placed(1)[0], stream_id=STREAM)

    assert heard.calls == [(first, STREAM, "", 1), (second, STREAM, "", 2), (third, STREAM, "a", 3)]
    assert [type(position) for position in heard.positions] == [int] * 3
    assert {stream.name for _, stream, *_ in heard.calls} == {"order 1"}


def test_it_is_told_when_the_events_are_stored(backend):
    seen = []
    backend.in_transaction.register(
        lambda event, stream, tenant, position: seen.append(
            (position, len(backend.event_store.load_stream(stream)), backend.event_store.position)
        ),
        to=Event,
    )

    backend.event_store.append(*placed(1, 2), stream_id=STREAM)

    assert seen == [(1, 2, 2), (2, 2, 2)]


@pytest.mark.parametrize(
    ("to", "numbers"),
    [
        (OrderPlaced, [1, 3]),
        (OrderShipped, [2]),
        (Event, [1, 2, 3]),
        ("orders", [1, 2, 3]),
        ("x", []),
    ],
)
def test_it_hears_of_what_it_is_registered_to(backend, to, numbers):
    heard = Heard()
    backend.in_transaction.register(heard, to=to)

    backend.event_store.append(*(OrderPlaced(), OrderShipped(), OrderPlaced()), stream_id=STREAM)

    assert heard.positions == numbers


def test_a_stream_without_a_category_has_the_empty_one(backend):
    heard = Heard()
    backend.in_transaction.register(heard, to="")

    backend.event_store.append(OrderPlaced(), stream_id=StreamId())

    assert heard.positions == [1]


def test_it_is_told_once_however_often_it_is_registered(backend, heard):
    backend.in_transaction.register(heard, to=Event)
    backend.in_transaction.register(heard, to=OrderPlaced)
    backend.in_transaction.register(heard, to="orders")

    backend.event_store.append(OrderPlaced(), stream_id=STREAM)

    assert heard.positions == [1]


def test_a_removed_one_is_not_told(backend, heard):
    backend.in_transaction.remove(heard, to=Event)

    backend.event_store.append(OrderPlaced(), stream_id=STREAM)

    assert heard.calls == []


def test_it_is_told_of_events_without_versions(backend, heard):
    backend.event_store.append(
        OrderPlaced(), OrderPlaced(), stream_id=STREAM, expected_version=NO_VERSIONING
    )

    assert [(event.version, position) for event, _, _, position in heard.calls] == [
        (None, 1),
        (None, 2),
    ]


def test_it_is_not_told_of_what_was_refused(backend, heard):
    with pytest.raises(ConcurrentStreamWriteError):
        backend.event_store.append(*placed(6), stream_id=STREAM, expected_version=5)

    assert heard.calls == []


def test_what_it_raises_comes_out_and_the_events_stay(backend):
    heard = Heard(error=LookupError("no such read model"))
    backend.in_transaction.register(heard, to=Event)

    with pytest.raises(LookupError, match="no such read model"):
        backend.event_store.append(*(stored := placed(1, 2)), stream_id=STREAM)

    assert heard.positions == [1]
    assert backend.event_store.load_stream(STREAM) == stored


@ours
def test_appending_the_same_again_tells_again(backend):
    heard = Heard(error=LookupError())
    backend.in_transaction.register(heard, to=Event)
    events = placed(1, 2)
    with pytest.raises(LookupError):
        backend.event_store.append(*events, stream_id=STREAM)
    heard.error = None

    backend.event_store.append(*events, stream_id=STREAM)

    assert heard.positions == [1, 1, 2]
    assert backend.event_store.position == 2


@ours
def test_positions_are_those_of_the_log_though_others_append(backend, another, heard):
    for number in range(3):
        another.event_store.append(*placed(1, 2), stream_id=StreamId())
        backend.event_store.append(OrderPlaced(number=number), stream_id=StreamId())

    assert heard.positions == [3, 6, 9]


@ours
def test_where_others_give_positions_it_is_told_position_0(client, config):
    backend = DynamoDBBackend().configure(
        client, config.model_copy(update={"sequencing": "stream"})
    )
    backend.in_transaction.register(heard := Heard(), to=Event)

    backend.event_store.append(*placed(1, 2), stream_id=STREAM)

    assert heard.positions == [0, 0]


@ours
def test_an_event_whose_position_could_not_be_given_is_told_of_all_the_same(backend, heard):
    with patch.object(InlineSequencer, "sequence", return_value=[None]):
        backend.event_store.append(OrderPlaced(), stream_id=STREAM)

    assert heard.positions == [0]


def test_listeners_and_dispatcher_may_be_replaced(backend):
    listeners, heard, dispatched = Listeners(), Heard(), []

    class Noting(Dispatcher):
        def dispatch(self, *raws):
            dispatched.extend(raws)
            super().dispatch(*raws)

    listeners.register(heard, to=Event)
    backend[Listeners] = listeners
    backend[Dispatcher] = lambda c: Noting(c[Serde], c[Listeners])

    backend.event_store.append(OrderPlaced(), stream_id=STREAM)

    assert heard.positions == [1]
    assert [raw.position for raw in dispatched] == [1]


@ours
def test_a_lost_reply_is_no_conflict_and_its_events_are_told_of(backend, client, heard):
    network = Network(client)
    network.plan(lambda number: Fault.LOST_REPLY if number == 0 else None)

    with network.between():
        backend.event_store.append(OrderPlaced(), OrderPlaced(), stream_id=STREAM)

    assert heard.positions == [1, 2]
    assert len(backend.event_store.load_stream(STREAM)) == 2


@pytest.mark.concurrent
@needs(Capability.REQUESTS, Capability.CONCURRENCY)
def test_of_threads_that_race_for_a_version_one_wins_and_hears_its_own_position(backend, heard):
    won = []

    def write(thread):
        for version in range(1, 6):
            event = WrappedEvent.wrap(OrderPlaced(number=thread), version)
            with suppress(ConcurrentStreamWriteError):
                backend.event_store.append(event, stream_id=STREAM)
                won.append(event)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))

    stored = backend.event_store.load_stream(STREAM)
    assert sorted(won, key=lambda event: event.version or 0) == stored
    assert [event.version for event in stored] == list(range(1, len(stored) + 1))
    assert {event.uuid: position for event, _, _, position in heard.calls} == {
        event.uuid: position for position, event in enumerate(stored, 1)
    }


def test_a_listener_may_append_in_its_turn(backend, heard):
    def answer(wrapped_event, stream_id, tenant_id, position):
        backend.event_store.append(OrderShipped(), stream_id=StreamId())

    backend.in_transaction.register(answer, to=OrderPlaced)

    backend.event_store.append(OrderPlaced(), stream_id=STREAM)

    assert sorted(heard.positions) == [1, 2]
    assert backend.event_store.position == 2
