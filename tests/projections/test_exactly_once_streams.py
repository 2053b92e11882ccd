"""A read model that follows single streams gets each event's writes exactly once."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from typing import Any
from uuid import uuid4

import pytest

from dynamo_es import ANY_VERSION, Event, MemoryBackend, StreamId, Writes
from dynamo_es.contracts import Followed
from dynamo_es.dynamodb.consumers.cursor_writes import Move
from dynamo_es.exceptions import (
    CursorBusyError,
    EventStoreError,
    InvalidEnlistedWriteError,
    InvalidSubscriptionError,
    ProjectionWriteRefusedError,
    UnavailableError,
)
from dynamo_es.projections.cursor_lease_with_writes import CursorLeaseWithWrites
from dynamo_es.projections.projector import Projector
from dynamo_es.testing.faults import Fault, Network
from tests.engine import Capability, Crash, needs
from tests.projections.balances import TABLE, Deposited, balance_of, create_table
from tests.projections.workers import LEASE, Clock

pytestmark = [pytest.mark.inline, needs(Capability.CRASHES)]


class Renamed(Event):
    __event_name__ = "balances.Renamed"

    account: str


@pytest.fixture
def backend(world, engine):
    create_table(engine.client)
    return world.backend()


@pytest.fixture
def stream():
    return StreamId(category="balances")


@pytest.fixture
def account(stream):
    return f"account {stream}"


def append(backend, stream, *amounts):
    """Append deposits to one stream, all in one commit; None: an event that makes no writes."""
    account = f"account {stream}"
    events = [
        Renamed(account=account) if one is None else Deposited(account=account, amount=one)
        for one in amounts
    ]
    backend.event_store.append(*events, stream_id=stream, expected_version=ANY_VERSION)


def add_to_balance(wrapped, _):
    event = wrapped.event
    if isinstance(event, Renamed):
        return None
    return Writes().add(TABLE, {"account": event.account}, {"balance": event.amount, "deposits": 1})


class Process:
    """One process with a projector, which gets the last event of a stream."""

    def __init__(self, backend, name, read_model=add_to_balance, clock=None):
        access = backend._access
        self.backend = backend
        self.clock = Clock() if clock is None else clock
        self.projector = Projector(
            name,
            read_model,
            cursors=access.cursors,
            parked=access.parked,
            event_store=lambda tenant: backend.in_tenant(tenant).event_store,
            clock=self.clock,
            lease=LEASE,
            writes=True,
        )

    def apply(self, stream):
        *_, last = self.backend.event_store.load_stream(stream)
        return self.projector.project(last, stream)

    def version(self, stream):
        return self.projector.version_of(Followed(self.projector.name, stream))


def finish(process, stream):
    """Let another process apply what is left, once the lease of a dead one is over."""
    clock = process.clock
    other = Process(process.backend, process.projector.name, clock=clock)
    for _ in range(3):
        with suppress(CursorBusyError):
            other.apply(stream)
        clock.now += LEASE + 1
    assert other.apply(stream) == 0
    *_, last = process.backend.event_store.load_stream(stream)
    assert other.version(stream) == last.version


@pytest.fixture
def process(backend):
    return Process(backend, f"model {uuid4().hex}")


def requests_of(engine, sent):
    """Collect the operations that are sent; return a function that ends it."""

    def note(model, **_):
        sent.append(model.name)

    events = engine.client.meta.events
    events.register("before-call.dynamodb", note)
    return lambda: events.unregister("before-call.dynamodb", note)


def test_events_of_a_stream_are_folded_into_one_write_with_the_cursors_move(
    process, engine, stream, account
):
    append(process.backend, stream, *range(1, 31))
    *_, last = process.backend.event_store.load_stream(stream)
    sent = []
    end = requests_of(engine, sent)
    assert process.projector.project(last, stream) == 30
    end()

    assert sent == ["UpdateItem", "PutItem", "Query", "TransactWriteItems", "UpdateItem"]
    assert balance_of(engine.client, account) == (465, 30)
    assert process.version(stream) == 30


def test_an_event_that_comes_again_changes_nothing(process, engine, stream, account):
    append(process.backend, stream, 1, 2)

    assert [process.apply(stream) for _ in range(3)] == [2, 0, 0]
    assert balance_of(engine.client, account) == (3, 2)


def test_events_without_writes_cost_no_transaction(process, engine, stream, account):
    append(process.backend, stream, None, None)
    sent = []
    end = requests_of(engine, sent)
    process.apply(stream)
    end()

    assert "TransactWriteItems" not in sent
    assert process.version(stream) == 2

    append(process.backend, stream, 5, None)
    process.apply(stream)
    assert process.version(stream) == 4
    assert balance_of(engine.client, account) == (5, 1)


def test_a_transaction_takes_99_writes_and_the_next_one_the_rest(backend, engine, stream):
    append(backend, stream, 1, 2, 3)
    sizes = []

    def forty(wrapped, _):
        writes = Writes()
        for each in range(40):
            key = {"account": f"{stream} {wrapped.version} {each}"}
            writes.put(TABLE, key, {"balance": each})
        return writes

    def note(params, **_):
        sizes.append(len(params["TransactItems"]) - 1)

    engine.client.meta.events.register("provide-client-params.dynamodb.TransactWriteItems", note)
    process = Process(backend, f"model {uuid4().hex}", forty)
    assert process.apply(stream) == 3
    engine.client.meta.events.unregister("provide-client-params.dynamodb.TransactWriteItems", note)

    assert sizes == [80, 40]


def test_writes_in_the_form_of_boto3(backend, engine, stream, account):
    def put(wrapped, _):
        numbers = {"balance": {"N": str(wrapped.event.amount)}, "deposits": {"N": "1"}}
        return [{"Put": {"TableName": TABLE, "Item": {"account": {"S": account}, **numbers}}}]

    append(backend, stream, 1, 2, 3)

    assert Process(backend, f"model {uuid4().hex}", put).apply(stream) == 3
    assert balance_of(engine.client, account) == (3, 1)


def check_missing(_):
    key = {"account": {"S": "missing"}}
    condition = "attribute_exists(account)"
    return [{"ConditionCheck": {"TableName": TABLE, "Key": key, "ConditionExpression": condition}}]


def too_many(account):
    writes = Writes()
    for each in range(100):
        writes.delete(TABLE, {"account": f"{account} {each}"})
    return writes


def fail(_):
    raise RuntimeError("not today")


@pytest.mark.parametrize(
    ("breaks", "error", "text"),
    [
        (check_missing, ProjectionWriteRefusedError, "at version 3 of stream"),
        (too_many, InvalidEnlistedWriteError, "One event makes 100 writes"),
        (fail, RuntimeError, "not today"),
    ],
)
def test_what_fails_at_one_event_leaves_those_before_it_applied(
    backend, engine, stream, account, breaks, error, text
):
    append(backend, stream, 1, None, 3, 4)

    def sometimes(wrapped, stream_id):
        return breaks(account) if wrapped.version == 3 else add_to_balance(wrapped, stream_id)

    process = Process(backend, f"model {uuid4().hex}", sometimes)
    for _ in range(2):
        with pytest.raises(error, match=text):
            process.apply(stream)

        info = backend._access.cursors.info(Followed(process.projector.name, stream))
        assert (info.version, info.failure.place) == (2, 3)
        assert balance_of(engine.client, account) == (1, 1)

    finish(process, stream)
    assert balance_of(engine.client, account) == (8, 3)


def crash_everywhere(backend, engine):
    """Let a process die in the place of each of its requests; yield what the balance became."""
    for requests in count():
        stream = StreamId(category="balances")
        append(backend, stream, 1, None, 2, 4)
        name = f"model {uuid4().hex}"
        crashed = False
        clock = Clock()
        with engine.crash_after(requests) as dying:
            try:
                Process(dying, name, clock=clock).apply(stream)
            except Crash:
                crashed = True
        finish(Process(backend, name, clock=clock), stream)
        yield balance_of(engine.client, f"account {stream}")
        if not crashed:
            return


def test_a_process_that_dies_in_the_place_of_any_of_its_requests(backend, engine):
    balances = list(crash_everywhere(backend, engine))

    assert len(balances) > 4
    assert set(balances) == {(7, 3)}


FAULTS = [one for one in Fault if one is not Fault.PARTLY_THROTTLED]


def fault_everywhere(backend, engine, fault):
    """Let each request meet a fault; yield what the balance became."""
    for at in count():
        stream = StreamId(category="balances")
        append(backend, stream, 1, None, 2, 4)
        process = Process(backend, f"model {uuid4().hex}")
        *_, last = backend.event_store.load_stream(stream)
        network = Network(engine.client)
        network.plan({at: fault}.get)
        with network.between():
            with suppress(EventStoreError):
                process.projector.project(last, stream)
            network.heal()
        finish(process, stream)
        yield balance_of(engine.client, f"account {stream}")
        if at >= network.sent:
            return


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_request(backend, engine, fault):
    balances = list(fault_everywhere(backend, engine, fault))

    assert len(balances) > 4
    assert set(balances) == {(7, 3)}


def test_two_workers_on_one_stream(process, engine, stream, account):
    append(process.backend, stream, 1, 2, 3, 4)
    second = Process(process.backend, process.projector.name, clock=process.clock)

    def paused(wrapped, stream_id):
        if wrapped.version == 2:
            with pytest.raises(CursorBusyError):
                second.apply(stream)
            process.clock.now += LEASE + 1
            assert second.apply(stream) == 4
            process.clock.now -= LEASE + 1  # its own clock does not tell it
        return add_to_balance(wrapped, stream_id)

    first = Process(process.backend, process.projector.name, paused, process.clock)
    with pytest.raises(CursorBusyError):
        first.apply(stream)

    assert balance_of(engine.client, account) == (10, 4)
    assert first.version(stream) == 4


def take(process, stream, last):
    """Take a lease; return how to apply 100 from the version 0 to the last one."""
    cursors, followed = process.backend._access.cursors, Followed("late", stream, "", 1)
    cursors.take(followed, last, "worker", 0, 10**15)

    def deposit(previous):
        batch = cursors.new_writes()
        amounts = {"balance": 100, "deposits": 1}
        batch.add(last, Writes().add(TABLE, {"account": f"account {stream}"}, amounts))
        return cursors.apply(followed, previous, last, "worker", 10**15, batch)

    return deposit


def test_a_transaction_that_arrives_again_changes_nothing(process, engine, stream, account):
    deposit = take(process, stream, 2)

    assert [deposit(0), deposit(0)] == [True, True], "the second one finds the first one's move"
    assert balance_of(engine.client, account) == (100, 1)


def test_a_worker_that_lost_the_lease_changes_nothing(process, engine, stream, account):
    deposit = take(process, stream, 2)
    cursors, followed = process.backend._access.cursors, Followed("late", stream, "", 1)
    cursors.release(followed, None, "worker")
    assert cursors.take(followed, 2, "other", 0, 10**15) == 0

    assert deposit(0) is False
    assert balance_of(engine.client, account) == (0, 0)


def test_a_transaction_of_another_generation_changes_nothing(process, engine, stream, account):
    deposit = take(process, stream, 2)
    cursors, followed = process.backend._access.cursors, Followed("late", stream, "", 2)
    cursors.release(followed, None, "worker")
    assert cursors.take(followed, 2, "worker", 0, 10**15) == 0

    assert deposit(0) is False
    assert balance_of(engine.client, account) == (0, 0)


def test_a_cursor_whose_previous_version_is_not_checked_applies_twice(
    process, engine, stream, account, monkeypatch
):
    checked = Move.request

    def weakened(self, until_ms):
        params = checked(self, until_ms)
        values = params["ExpressionAttributeValues"]
        del values[":previous"]
        condition = params["ConditionExpression"].replace(" AND version = :previous", "")
        return {**params, "ConditionExpression": condition}

    monkeypatch.setattr(Move, "request", weakened)
    deposit = take(process, stream, 2)
    deposit(0)
    deposit(0)

    assert balance_of(engine.client, account) == (200, 2)


def test_memory_has_no_tables_and_says_so():
    with pytest.raises(InvalidEnlistedWriteError, match="MemoryBackend does not take writes"):
        MemoryBackend().projector("balances", add_to_balance, writes=True)


def test_wrong_options_are_refused_early(backend):
    with pytest.raises(InvalidSubscriptionError, match='on_failure must be "stop"'):
        backend.projector("balances", add_to_balance, on_failure="park", writes=True)
    with pytest.raises(InvalidSubscriptionError, match="writes must be True or False, not 1"):
        backend.projector("balances", add_to_balance, writes=1)


def test_writes_that_would_not_be_made_are_refused(backend, stream):
    append(backend, stream, 1)
    (event,) = backend.event_store.load_stream(stream)

    with pytest.raises(InvalidSubscriptionError, match="returned Writes, which would not be made"):
        backend.projector(f"model {uuid4().hex}", add_to_balance).project(event, stream)


class Unanswered:
    """Cursors of a process that gets no reply to a transaction, though it was carried out."""

    def __init__(self, cursors):
        self._cursors = cursors
        self.lost = 1

    def __getattr__(self, name):
        return getattr(self._cursors, name)

    def apply(self, *arguments):
        made = self._cursors.apply(*arguments)
        self.lost -= 1
        if self.lost >= 0:
            raise UnavailableError("TransactWriteItems", "Timeout", "no reply")
        return made


def without_a_reply(process, stream):
    process.projector._cursors = Unanswered(process.projector._cursors)
    append(process.backend, stream, 1, 2)
    with pytest.raises(UnavailableError):
        process.apply(stream)


def test_after_a_transaction_without_a_reply_the_next_call_goes_on_after_it(
    process, engine, stream, account
):
    without_a_reply(process, stream)
    assert process.version(stream) == 2

    append(process.backend, stream, 4)
    assert process.apply(stream) == 1
    assert balance_of(engine.client, account) == (7, 3)


def test_a_release_that_moves_the_cursor_after_an_unknown_outcome_applies_twice(
    process, engine, stream, account, monkeypatch
):
    monkeypatch.setattr(CursorLeaseWithWrites, "_target", property(lambda self: self.done))
    without_a_reply(process, stream)
    assert process.version(stream) == 0, "it was set back"

    process.apply(stream)
    assert balance_of(engine.client, account) == (6, 4)


class Noting:
    """Cursors that note to which versions renewals and releases move them."""

    def __init__(self, cursors):
        self._cursors = cursors
        self.moved = []

    def __getattr__(self, name):
        method = getattr(self._cursors, name)

        def call(followed, version, *arguments):
            self.moved.append((name, version))
            return method(followed, version, *arguments)

        return call if name in {"renew", "release"} else method


def test_neither_a_renewal_nor_a_release_moves_the_cursor(backend, engine, stream, account):
    append(backend, stream, *range(1, 101))

    clock = Clock()

    def slow(wrapped, stream_id):
        clock.now += LEASE / 3
        writes = add_to_balance(wrapped, stream_id)
        return writes.put(TABLE, {"account": f"{account} {wrapped.version}"}, {"balance": 1})

    process = Process(backend, f"model {uuid4().hex}", slow, clock)
    noting: Any = Noting(process.projector._cursors)
    process.projector._cursors = noting
    assert process.apply(stream) == 100

    assert set(noting.moved) == {("renew", None), ("release", None)}
    assert balance_of(engine.client, account) == (5050, 100)
