"""An append to several streams reaches all of them or none."""

from uuid import uuid4

import pytest

from dynamo_es import ANY_VERSION, ExplicitVersioning, StreamId
from dynamo_es.contracts import StreamAppend
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    CommitTooLargeError,
    EnlistedWriteRefusedError,
    InvalidEnlistedWriteError,
)
from dynamo_es.testing.conformance.language import (
    assert_same,
    events,
    numbered,
)
from dynamo_es.testing.faults import Fault, Network
from tests.engine import Capability, Crash, needs
from tests.recording import recording


@pytest.fixture
def storage(engine):
    return engine.fresh_process().storage


@pytest.fixture
def streams():
    return [StreamId(category="Account") for _ in range(3)]


def part(stream, expected, some):
    return StreamAppend(stream, ExplicitVersioning(expected), some)


def counts(storage, streams):
    return [len(storage.fetch_events(stream)) for stream in streams]


def test_listeners_are_told_of_each_stream_and_its_position(engine, streams):
    a, b, _ = streams
    backend = engine.fresh_process(inline=True)
    heard = []

    class Listener:
        def __bool__(self):
            return True

        def __call__(self, some, tenant_id, first_position, generation):
            heard.append((some[0].stream_id, len(some), first_position))

    backend.storage.hooks.listener = Listener()
    backend.storage.insert_all([part(a, 0, events(a, 2)), part(b, 0, events(b, 1))])

    assert [(stream, count) for stream, count, _ in heard] == [(a, 2), (b, 1)]
    assert heard[1][2] == heard[0][2] + 2


@needs(Capability.REQUESTS)
def test_known_streams_take_one_transaction(engine, streams):
    backend = engine.fresh_process()
    a, b, c = streams
    backend.storage.insert_all([part(a, 0, events(a, 1)), part(b, 0, events(b, 1))])

    with recording(engine.client) as sent:
        backend.storage.insert_all(
            [part(a, 1, events(a, 1)), part(b, 1, events(b, 9)), part(c, 0, events(c, 1))]
        )

    assert sent.operations == ["TransactWriteItems"]


@needs(Capability.REQUESTS)
def test_more_streams_than_a_transaction_takes_are_refused_unsent(engine, storage):
    many = [StreamId() for _ in range(101)]

    with recording(engine.client) as sent, pytest.raises(CommitTooLargeError, match="101 streams"):
        storage.insert_all([part(s, 0, events(s, 1)) for s in many])

    assert sent.operations == []


@needs(Capability.CRASHES)
def test_a_stream_whose_deletion_was_cut_off_is_created_again(engine, storage, streams):
    for requests in range(1, 6):
        a, b = StreamId(), StreamId()
        for _ in range(3):
            storage.insert_events(a, ANY_VERSION, events(a, 1))
        with engine.crash_after(requests) as dying, pytest.raises(Crash):
            dying.storage.delete_stream(a)
        if storage.fetch_events(a):
            continue
        again = events(a, 2)

        storage.insert_all([part(a, 0, again), part(b, 0, events(b, 1))])

        assert_same(storage.fetch_events(a), numbered(again))
        assert counts(storage, [b]) == [1]


class Transactions(Network):
    """Carries transactions as planned, and all else as it comes."""

    def send(self, request):
        if "TransactWriteItems" not in str(request.headers["X-Amz-Target"]):
            return self._session.send(request)
        return super().send(request)


@pytest.fixture
def network(engine):
    network = Transactions(engine.client)
    with network.between():
        yield network


ALL = 100
"""More attempts than the SDK makes."""


@needs(Capability.REQUESTS)
@pytest.mark.parametrize("fault", [Fault.LOST_REPLY, Fault.ERROR_AFTER_WRITE])
@pytest.mark.parametrize("faults", [1, ALL])
@pytest.mark.parametrize("expected", [0, 2])
def test_a_lost_reply_is_looked_up(engine, streams, network, fault, faults, expected):
    a, b, _ = streams
    storage = engine.fresh_process().storage
    if expected:
        storage.insert_all([part(s, 0, events(s, 2)) for s in (a, b)])
    network.plan(lambda number: fault if number < faults else None)

    versions = storage.insert_all([part(s, expected, events(s, 1)) for s in (a, b)])

    assert versions == [expected + 1, expected + 1]
    assert counts(storage, [a, b]) == versions


@needs(Capability.REQUESTS)
@pytest.mark.parametrize("fault", [Fault.LOST_REQUEST, Fault.LATE])
def test_what_may_still_arrive_is_reported_as_unknown(engine, streams, network, fault):
    a, b, _ = streams
    storage = engine.fresh_process().storage
    network.plan(lambda number: fault if number < ALL else None)
    both = [part(s, 0, events(s, 1)) for s in (a, b)]

    with pytest.raises(AppendOutcomeUnknownError, match="not all stored so far"):
        storage.insert_all(both)

    assert counts(storage, [a, b]) == [0, 0]
    network.plan(lambda _: None)
    network.deliver_late()
    assert storage.insert_all(both) == [1, 1]
    assert counts(storage, [a, b]) == [1, 1]


@needs(Capability.REQUESTS)
def test_events_of_one_stream_do_not_vouch_for_a_lost_transaction(engine, streams, network):
    a, b, _ = streams
    storage = engine.fresh_process().storage
    both = [part(s, 0, events(s, 1)) for s in (a, b)]
    storage.insert_events(a, both[0].versioning, both[0].events)
    network.plan(lambda number: Fault.LOST_REQUEST if number < ALL else None)

    with pytest.raises(AppendOutcomeUnknownError):
        storage.insert_all(both)

    assert counts(storage, [a, b]) == [1, 0]


@pytest.fixture
def table(engine):
    """A table of the caller's own."""
    name = f"read-model-{uuid4().hex}"
    engine.client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield name
    engine.client.delete_table(TableName=name)


@needs(Capability.REQUESTS)
def test_writes_of_the_caller_go_along(engine, storage, streams, table):
    a, b, _ = streams
    write = {"TableName": table, "Item": {"id": {"S": "x"}}}
    if_new = {**write, "ConditionExpression": "attribute_not_exists(id)"}
    both = [part(s, 0, events(s, 1)) for s in (a, b)]
    storage.insert_all(both, transact_with=[{"Put": if_new}])

    with pytest.raises(EnlistedWriteRefusedError) as caught:
        storage.insert_all(
            [part(s, 1, events(s, 1)) for s in (a, b)],
            transact_with=[{"Put": write | {"Item": {"id": {"S": "y"}}}}, {"Put": if_new}],
        )

    assert caught.value.index == 1
    assert counts(storage, [a, b]) == [1, 1]
    assert engine.client.scan(TableName=table)["Count"] == 1


@needs(Capability.REQUESTS)
def test_the_store_s_own_tables_are_not_the_caller_s_to_write_to(engine, storage, streams):
    a, b, _ = streams
    own = {"Put": {"TableName": engine.config_with().log_table, "Item": {"id": {"S": "x"}}}}

    with pytest.raises(InvalidEnlistedWriteError, match="a table of the store"):
        storage.insert_all([part(s, 0, events(s, 1)) for s in (a, b)], transact_with=[own])
