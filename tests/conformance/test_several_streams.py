"""An append to several streams reaches all of them or none."""

from uuid import uuid4

import pytest

from dynamo_es import ANY_VERSION, NO_VERSIONING, ExplicitVersioning, StreamId
from dynamo_es.contracts import StreamAppend
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    CommitTooLargeError,
    ConcurrentStreamWriteError,
    EnlistedWriteRefusedError,
    ExpectedVersionUsedOnVersionlessStream,
    InvalidEnlistedWriteError,
    InvalidEventError,
    InvalidVersioningError,
)
from dynamo_es.testing.conformance.language import (
    an_event,
    assert_same,
    events,
    heavy_events,
    numbered,
)
from dynamo_es.testing.faults import Fault, Network
from tests.engine import Capability, Crash, needs
from tests.recording import recording


@pytest.fixture
def storage(engine):
    return engine.fresh_process().storage


@pytest.fixture
def late(engine):
    """A process that has seen nothing so far."""
    return engine.fresh_process().storage


@pytest.fixture
def streams():
    return [StreamId(category="Account") for _ in range(3)]


def part(stream, expected, some, generation=None):
    return StreamAppend(stream, ExplicitVersioning(expected, generation), some)


def counts(storage, streams):
    return [len(storage.fetch_events(stream)) for stream in streams]


def test_new_and_existing_streams_get_their_events_in_one_call(storage, late, streams):
    a, b, c = streams
    first = events(b, 2)
    storage.insert_events(b, ExplicitVersioning(0), first)
    of_a, of_b, of_c = events(a, 3), events(b, 1), events(c, 1)

    versions = late.insert_all([part(a, 0, of_a), part(b, 2, of_b), part(c, 0, of_c)])

    assert versions == [3, 3, 1]
    assert not any(version.repeated for version in versions)
    assert_same(storage.fetch_events(a), numbered(of_a))
    assert_same(storage.fetch_events(b), numbered([*first, *of_b]))
    assert_same(storage.fetch_events(c), numbered(of_c))
    assert [v.generation for v in versions] == [
        storage.fetch_events(s)[0].generation for s in streams
    ]


def test_the_next_calls_go_on_from_the_versions_returned(storage, streams):
    a, b, _ = streams
    for expected in range(3):
        storage.insert_all([part(a, expected, events(a, 1)), part(b, expected * 2, events(b, 2))])

    assert counts(storage, streams) == [3, 6, 0]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("expected", [0, 1, 3])
def test_one_stream_at_another_version_refuses_all(storage, late, streams, known, expected):
    a, b, _ = streams
    storage.insert_events(b, ExplicitVersioning(0), events(b, 2))
    process = storage if known else late

    with pytest.raises(ConcurrentStreamWriteError) as caught:
        process.insert_all([part(a, 0, events(a, 1)), part(b, expected, events(b, 1))])

    assert (caught.value.stream_id, caught.value.expected) == (str(b), expected)
    assert caught.value.actual == 2
    assert counts(storage, streams) == [0, 2, 0]


def test_a_stream_that_another_process_wrote_to_refuses_all(storage, late, streams):
    a, b, _ = streams
    late.insert_all([part(a, 0, events(a, 1)), part(b, 0, events(b, 1))])
    faster = events(b, 1)
    storage.insert_events(b, ExplicitVersioning(1), faster)

    with pytest.raises(ConcurrentStreamWriteError) as caught:
        late.insert_all([part(a, 1, events(a, 1)), part(b, 1, events(b, 1))])

    assert_same(caught.value.winning, numbered(faster, 2))
    assert counts(storage, streams) == [1, 2, 0]


@pytest.mark.parametrize("known", [True, False])
def test_appending_the_same_again_is_a_success_that_writes_nothing(storage, late, streams, known):
    a, b, _ = streams
    storage.insert_events(a, ExplicitVersioning(0), events(a, 1))
    both = [part(a, 1, events(a, 2)), part(b, 0, events(b, 1))]
    storage.insert_all(both)

    versions = (storage if known else late).insert_all(both)

    assert versions == [3, 1]
    assert all(version.repeated for version in versions)
    assert counts(storage, streams) == [3, 1, 0]


@pytest.mark.parametrize("known", [True, False])
def test_events_of_one_stream_that_are_stored_are_no_proof_for_the_others(
    storage, late, streams, known
):
    a, b, c = streams
    alone = part(b, 0, events(b, 2))
    storage.insert_events(b, alone.versioning, alone.events)

    with pytest.raises(ConcurrentStreamWriteError, match="another stream of the") as caught:
        (storage if known else late).insert_all(
            [part(a, 0, events(a, 1)), alone, part(c, 0, events(c, 1))]
        )

    assert caught.value.stream_id == str(b)
    assert counts(storage, streams) == [0, 2, 0]


def test_streams_are_created_again_after_they_were_deleted(storage, streams):
    a, b, _ = streams
    storage.insert_all([part(a, 0, events(a, 3)), part(b, 0, events(b, 1))])
    storage.delete_stream(a)
    again = events(a, 2)

    versions = storage.insert_all([part(a, 0, again), part(b, 1, events(b, 1))])

    assert versions == [2, 2]
    assert_same(storage.fetch_events(a), numbered(again))


def test_a_generation_that_is_over_refuses_all(storage, late, streams):
    a, b, _ = streams
    (old,) = storage.insert_all([part(a, 0, events(a, 1))])
    storage.delete_stream(a)
    storage.insert_events(a, ExplicitVersioning(0), events(a, 1))

    with pytest.raises(ConcurrentStreamWriteError, match="earlier generation"):
        late.insert_all([part(b, 0, events(b, 1)), part(a, 1, events(a, 1), old.generation)])

    assert counts(storage, streams) == [1, 0, 0]


def test_a_stream_without_versions_is_refused(storage, late, streams):
    a, b, _ = streams
    storage.insert_events(b, NO_VERSIONING, events(b, 2))

    for expected in (0, 1, 2):
        with pytest.raises(ExpectedVersionUsedOnVersionlessStream):
            late.insert_all([part(a, 0, events(a, 1)), part(b, expected, events(b, 1))])

    assert counts(storage, streams) == [0, 2, 0]


@pytest.mark.parametrize("versioning", [ANY_VERSION, NO_VERSIONING])
def test_every_stream_needs_an_explicit_version(storage, streams, versioning):
    a, b, _ = streams

    with pytest.raises(InvalidVersioningError, match="several streams"):
        storage.insert_all([part(a, 0, events(a, 1)), StreamAppend(b, versioning, events(b, 1))])

    assert counts(storage, streams) == [0, 0, 0]


def test_what_cannot_be_stored_is_refused_before_anything_is(storage, streams):
    a, b, _ = streams
    good = part(a, 0, events(a, 1))

    for wrong, reason in (
        (part(b, 0, []), "no events"),
        (part(a, 1, events(a, 1)), "twice"),
        (part(b, 0, events(a, 1)), "belongs to another stream"),
        (part(b, 0, [an_event(b, name="")]), "name"),
    ):
        with pytest.raises(InvalidEventError, match=reason):
            storage.insert_all([good, wrong])

    assert counts(storage, streams) == [0, 0, 0]


def test_no_streams_need_no_request(storage):
    assert storage.insert_all([]) == []
    with pytest.raises(InvalidEnlistedWriteError):
        storage.insert_all([], transact_with=[{"Put": {}}])


def test_tenants_do_not_meet(engine, streams):
    a, b, _ = streams
    ours, theirs = (engine.fresh_process().in_tenant(t).storage for t in ("ours", "theirs"))
    ours.insert_all([part(a, 0, events(a, 1)), part(b, 0, events(b, 2))])

    theirs.insert_all([part(a, 0, events(a, 3)), part(b, 0, events(b, 4))])

    assert counts(ours, [a, b]) == [1, 2]
    assert counts(theirs, [a, b]) == [3, 4]


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

    with pytest.raises(InvalidEnlistedWriteError, match="a table of the store itself"):
        storage.insert_all([part(s, 0, events(s, 1)) for s in (a, b)], transact_with=[own])


@needs(Capability.LIMITS, Capability.LARGE)
def test_events_too_large_for_one_transaction_are_refused(storage, streams):
    a, b, _ = streams

    with pytest.raises(CommitTooLargeError, match="fewer streams"):
        storage.insert_all([part(s, 0, heavy_events(s, 10, 300_000)) for s in (a, b)])
