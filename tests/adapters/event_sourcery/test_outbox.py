"""The outbox publishes events chosen at the append, at least once."""

from __future__ import annotations

import pytest
from event_sourcery import StreamId
from event_sourcery.interfaces import OutboxStorageStrategy

from dynamo_es import DynamoBackend
from dynamo_es.adapters.event_sourcery import DynamoDBBackend
from dynamo_es.exceptions import InvalidSubscriptionError
from tests.adapters.event_sourcery.orders import OrderPlaced, OrderShipped, Publisher, placed
from tests.engine import Capability, needs
from tests.recording import recording

ours = needs(Capability.REQUESTS)
STREAM = StreamId(name="order 1", category="orders")


@pytest.fixture
def publisher():
    return Publisher()


def only(kind: type[OrderPlaced | OrderShipped]):
    return lambda entry: entry.name == kind.__event_name__


def test_nothing_is_published_of_an_empty_store(backend, publisher):
    backend.with_outbox().outbox.run(publisher)

    assert publisher.seen == []


def test_without_an_outbox_nothing_is_published(backend, publisher):
    backend.event_store.append(OrderPlaced(), stream_id=STREAM)

    backend.outbox.run(publisher)

    assert publisher.seen == []


@ours
def test_what_was_appended_before_there_was_one_is_not_published(backend, publisher):
    backend.event_store.append(*placed(1), stream_id=STREAM)

    backend.with_outbox().event_store.append(*placed(2), stream_id=STREAM)
    backend.outbox.run(publisher)

    assert publisher.positions == [2]


@ours
def test_events_are_published_whole_and_in_order(backend, publisher):
    backend.with_outbox()
    backend.event_store.append(first := placed(1)[0], stream_id=STREAM)
    backend.in_tenant_mode("a").event_store.append(second := placed(1)[0], stream_id=STREAM)

    backend.outbox.run(publisher)

    assert [
        (record.wrapped_event, record.stream_id, record.tenant_id, record.position)
        for record in publisher.seen
    ] == [(first, STREAM, "", 1), (second, STREAM, "a", 2)]
    assert [(record.stream_id.name, record.stream_id.category) for record in publisher.seen] == [
        ("order 1", "orders")
    ] * 2


def test_an_event_is_published_once(backend, another, publisher):
    backend.with_outbox().event_store.append(*placed(1, 2), stream_id=STREAM)

    backend.outbox.run(publisher)
    backend.outbox.run(publisher)
    another.with_outbox() if another is not backend else None
    another.outbox.run(publisher)

    assert publisher.positions == [1, 2]


@ours
@pytest.mark.parametrize("limit", [1, 2, 5])
def test_a_run_publishes_as_many_as_it_may(backend, publisher, limit):
    backend.with_outbox().event_store.append(*placed(1, 2, 3, 4, 5), stream_id=STREAM)

    backend.outbox.run(publisher, limit=limit)
    assert publisher.positions == [1, 2, 3, 4, 5][:limit]

    backend.outbox.run(publisher)
    assert publisher.positions == [1, 2, 3, 4, 5]


def test_a_run_without_a_limit_to_speak_of_does_nothing(backend, publisher):
    backend.with_outbox().event_store.append(OrderPlaced(), stream_id=STREAM)

    backend.outbox.run(publisher, limit=0)

    assert publisher.seen == []


def test_the_filter_chooses_among_the_events_that_are_stored(backend, publisher):
    asked = []

    def ships(entry):
        asked.append((entry.name, entry.stream_id, entry.version, entry.data))
        return entry.name == OrderShipped.__event_name__

    backend.with_outbox(ships).event_store.append(
        OrderPlaced(number=1), OrderShipped(), OrderPlaced(number=2), stream_id=STREAM
    )
    backend.outbox.run(publisher)

    assert publisher.positions == [2]
    assert asked == [
        ("adapter.OrderPlaced", STREAM, 1, {"number": 1}),
        ("adapter.OrderShipped", STREAM, 2, {"parcels": []}),
        ("adapter.OrderPlaced", STREAM, 3, {"number": 2}),
    ]


@ours
def test_setting_it_again_replaces_the_filter_and_keeps_what_was_chosen(backend, publisher):
    store = backend.with_outbox(only(OrderPlaced)).event_store
    store.append(OrderPlaced(), OrderShipped(), stream_id=STREAM)

    store = backend.with_outbox(only(OrderShipped)).event_store
    store.append(OrderPlaced(), OrderShipped(), stream_id=STREAM, expected_version=2)

    backend.outbox.run(publisher)
    assert publisher.positions == [1, 4]


@ours
def test_a_filter_of_one_tenant_s_copy_is_its_own(backend, publisher):
    backend.with_outbox()
    scoped = backend.in_tenant_mode("a").with_outbox(only(OrderShipped))

    scoped.event_store.append(OrderPlaced(), OrderShipped(), stream_id=STREAM)
    backend.event_store.append(OrderPlaced(), OrderShipped(), stream_id=STREAM)

    backend.outbox.run(publisher)
    assert publisher.positions == [2, 3, 4]


@ours
def test_a_filter_that_fails_stops_the_append(backend):
    def fail(entry):
        raise LookupError("no such topic")

    with pytest.raises(LookupError, match="no such topic"):
        backend.with_outbox(fail).event_store.append(OrderPlaced(), stream_id=STREAM)

    assert backend.event_store.load_stream(STREAM) == []


@ours
def test_a_failed_event_is_tried_in_each_run_until_it_is_given_up(backend, config, client):
    backend = DynamoDBBackend().configure(client, config.model_copy(update={"outbox_attempts": 2}))
    backend.with_outbox().event_store.append(*placed(1, 2), stream_id=STREAM)
    publisher = Publisher(failures=1)

    backend.outbox.run(publisher)
    assert publisher.positions == [1, 2]

    publisher.failures = 1
    backend.outbox.run(publisher)
    backend.outbox.run(publisher)

    assert publisher.positions == [1, 2, 1]
    [entry] = backend[DynamoBackend].outbox.entries()
    assert (entry.position, entry.attempts, entry.dead) == (1, 2, True)
    assert entry.last_error.startswith("ConnectionError at ")


def test_a_failed_event_is_published_when_the_broker_is_back(backend):
    backend.with_outbox().event_store.append(*placed(1), stream_id=STREAM)
    publisher = Publisher(failures=2)

    for _ in range(4):
        backend.outbox.run(publisher)

    assert publisher.positions == [1, 1, 1]


def test_an_event_is_tried_three_times_by_default(backend):
    backend.with_outbox().event_store.append(*placed(1), stream_id=STREAM)
    publisher = Publisher(failures=9)

    for _ in range(5):
        backend.outbox.run(publisher)

    assert publisher.positions == [1, 1, 1]


@ours
def test_an_event_that_cannot_be_read_is_a_failed_try(backend, client):
    backend.with_outbox().event_store.append(*placed(1, 2), stream_id=STREAM)
    publisher = Publisher()
    registry = backend.event_store._serde.registry
    kind = registry._names_to_types.pop("adapter.OrderPlaced")
    registry._types_to_names.pop(kind)
    # Another of the same name takes its place, which cannot hold what is stored.
    registry._names_to_types["adapter.OrderPlaced"] = OrderShipped
    registry._types_to_names[kind] = "adapter.OrderPlaced"

    backend.outbox.run(publisher)
    assert publisher.seen == []

    registry._names_to_types["adapter.OrderPlaced"] = kind
    backend.outbox.run(publisher)
    assert publisher.positions == [1, 2]


@ours
def test_entries_of_deleted_streams_are_dropped(backend, publisher):
    backend.with_outbox().event_store.append(*placed(1), stream_id=STREAM)
    backend.outbox.run(Publisher(failures=1))
    backend.event_store.append(*placed(2), stream_id=STREAM)
    backend.event_store.delete_stream(STREAM)

    backend.outbox.run(publisher)

    assert publisher.seen == []


# The strategy, entry by entry


def entries(backend, limit=10):
    return backend[OutboxStorageStrategy].outbox_entries(limit)


@ours
def test_each_entry_is_recorded_before_the_next_one_comes(backend, client, config):
    backend.with_outbox().event_store.append(*placed(1, 2), stream_id=STREAM)
    found = entries(backend)
    with next(found) as record:
        assert record.position == 1
        assert (record.entry.stream_id, record.entry.version) == (STREAM, 1)

    with recording(client) as sent, next(found) as record:
        assert record.position == 2
        [(name, params)] = sent.calls
        assert name == "UpdateItem"
        assert params["TableName"] == config.log_table
    assert next(found, None) is None


@ours
def test_while_one_worker_is_at_it_others_find_nothing(backend, another, publisher):
    backend.with_outbox().event_store.append(*placed(1, 2), stream_id=STREAM)
    found = entries(backend)

    with next(found):
        another.with_outbox().outbox.run(publisher)

    assert publisher.seen == []


@ours
def test_a_worker_that_stops_in_the_middle_leaves_the_rest_to_others(backend, another, publisher):
    backend.with_outbox().event_store.append(*placed(1, 2, 3), stream_id=STREAM)
    found = entries(backend)
    with next(found):
        pass
    with next(found):
        pass
    found.close()

    another.with_outbox().outbox.run(publisher)

    # The second was published, and never said to be: it was not asked for a third.
    assert publisher.positions == [2, 3]


@ours
@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_the_end_of_the_process_is_no_try_and_frees_the_outbox(backend, another, publisher, end):
    backend.with_outbox().event_store.append(*placed(1), stream_id=STREAM)

    def stop(record):
        raise end

    # What is held keeps the run's frames: it is not the collection of garbage that frees it.
    with pytest.raises(end) as held:
        backend.outbox.run(stop)
    another.with_outbox().outbox.run(publisher)
    assert held.tb is not None

    assert publisher.positions == [1]
    assert backend[DynamoBackend].outbox.entries() == []


@ours
def test_an_entry_that_was_not_entered_ends_the_run_and_comes_again(backend, another, publisher):
    backend.with_outbox().event_store.append(*placed(1, 2), stream_id=STREAM)

    [entry] = list(entries(backend))

    with pytest.raises(InvalidSubscriptionError, match="turn is over"), entry:
        pass
    another.with_outbox().outbox.run(publisher)
    assert publisher.positions == [1, 2]


@ours
def test_nothing_is_sent_before_the_first_entry_is_asked_for(backend, client):
    backend.with_outbox().event_store.append(*placed(1), stream_id=STREAM)

    with recording(client) as sent:
        entries(backend)

    assert sent.calls == []
