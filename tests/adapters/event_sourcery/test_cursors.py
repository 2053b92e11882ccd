"""Cursors, and python-event-sourcery's `Projector` on top of them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import pytest
from event_sourcery import StreamId
from event_sourcery.read_model import CursorsDao, Projector

from dynamo_es import ANY_VERSION
from dynamo_es import DynamoBackend as CoreBackend
from dynamo_es import StreamId as OurStreamId
from dynamo_es.adapters.event_sourcery import DynamoDBBackend, DynamoDBCursorsDao
from dynamo_es.contracts import Followed
from dynamo_es.dynamodb.consumers.cursors import DynamoCursors
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.exceptions import InvalidConsumerError
from dynamo_es.testing.conformance.language import an_event
from dynamo_es.testing.faults import Fault, Network
from tests.adapters.event_sourcery.orders import placed
from tests.engine import Capability, needs
from tests.recording import recording

pytestmark = needs(Capability.REQUESTS)
STREAM = StreamId(name="order 1", category="orders")


@pytest.fixture
def cursors(client, config):
    return DynamoDBCursorsDao(client, config)


@contextmanager
def ahead_at(version: int):
    with pytest.raises(CursorsDao.AheadOfStream) as caught:
        yield
    assert caught.value.current_version == version


@contextmanager
def behind_at(version: int):
    with pytest.raises(CursorsDao.BehindStream) as caught:
        yield
    assert caught.value.current_version == version


def test_it_is_one_of_theirs(cursors):
    assert isinstance(cursors, CursorsDao)


def test_a_cursor_moves_on_version_by_version(cursors):
    for version in (1, 2, 3):
        cursors.increment("orders", STREAM, version)

    with ahead_at(3):
        cursors.increment("orders", STREAM, 3)


@pytest.mark.parametrize("version", [2, 7])
def test_a_stream_without_a_cursor_is_not_tracked(cursors, version):
    with pytest.raises(CursorsDao.StreamNotTracked):
        cursors.increment("orders", STREAM, version)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_what_is_applied_already_is_ahead(cursors, version):
    cursors.put_at("orders", STREAM, 3)

    with ahead_at(3):
        cursors.increment("orders", STREAM, version)


@pytest.mark.parametrize("version", [5, 9])
def test_what_comes_too_early_is_behind(cursors, version):
    cursors.put_at("orders", STREAM, 3)

    with behind_at(3):
        cursors.increment("orders", STREAM, version)

    cursors.increment("orders", STREAM, 4)


def test_a_cursor_is_put_once(cursors):
    cursors.put_at("orders", STREAM, 3)

    with ahead_at(3):
        cursors.put_at("orders", STREAM, 3)
    with ahead_at(3):
        cursors.put_at("orders", STREAM, 2)
    with behind_at(3):
        cursors.put_at("orders", STREAM, 4)
    cursors.increment("orders", STREAM, 4)


@pytest.mark.parametrize("version", [2, 3, 8])
def test_a_cursor_moves_to_any_version(cursors, version):
    cursors.put_at("orders", STREAM, 3)

    cursors.move_to("orders", STREAM, version)

    cursors.increment("orders", STREAM, version + 1)


def test_a_cursor_that_is_not_there_does_not_move(cursors):
    cursors.move_to("orders", STREAM, 3)

    with pytest.raises(CursorsDao.StreamNotTracked):
        cursors.increment("orders", STREAM, 4)


def test_cursors_are_kept_by_name_stream_category_and_tenant(cursors):
    cursors.put_at("orders", STREAM, 3)

    others = [
        (cursors, "other", STREAM),
        (cursors, "orders", StreamId(name="order 2", category="orders")),
        (cursors, "orders", StreamId(name="order 1", category="carts")),
        (cursors, "orders", StreamId(name="order 1")),
        (cursors.scoped_for_tenant("a"), "orders", STREAM),
    ]
    for dao, name, stream in others:
        with pytest.raises(CursorsDao.StreamNotTracked):
            dao.increment(name, stream, 4)
    cursors.increment("orders", StreamId(uuid=STREAM, category="orders"), 4)


def test_another_process_sees_them(cursors, client, config):
    cursors.put_at("orders", STREAM, 3)

    DynamoDBCursorsDao(client, config).increment("orders", STREAM, 4)


def test_each_move_is_one_request(cursors, client, config):
    with recording(client) as sent:
        cursors.increment("orders", STREAM, 1)
        cursors.increment("orders", STREAM, 2)
        cursors.move_to("orders", STREAM, 5)
        with ahead_at(5):
            cursors.increment("orders", STREAM, 2)

    assert sent.operations == ["PutItem", "UpdateItem", "UpdateItem", "UpdateItem"]
    assert {params["TableName"] for _, params in sent.calls} == {config.log_table}


def test_a_name_has_to_make_a_key(cursors):
    with pytest.raises(InvalidConsumerError):
        cursors.increment("a#b", STREAM, 1)


@pytest.mark.parametrize("fault", [Fault.LOST_REPLY, Fault.LOST_REQUEST, Fault.ERROR_AFTER_WRITE])
@pytest.mark.parametrize(
    "move",
    [
        lambda cursors: cursors.increment("other", STREAM, 1),
        lambda cursors: cursors.increment("orders", STREAM, 4),
        lambda cursors: cursors.put_at("third", STREAM, 4),
        lambda cursors: cursors.move_to("orders", STREAM, 6),
    ],
    ids=["begin", "increment", "put", "move"],
)
def test_a_reply_that_was_lost_is_no_sign_of_another(cursors, client, move, fault):
    cursors.put_at("orders", STREAM, 3)
    network = Network(client)
    network.plan(lambda number: fault if number == 0 else None)

    with network.between():
        move(cursors)

    assert network.sent == 2


def test_a_projector_of_ours_goes_on_where_theirs_was(cursors, client, config):
    cursors.put_at("orders", STREAM, 2)
    ours = DynamoCursors(config.log_table, Gateway(lambda: client, config.of_core()))
    followed = Followed("orders", OurStreamId(name="order 1", category="orders"))

    assert ours.version(followed) == 2
    assert ours.take(followed, 3, "me", now_ms=1, until_ms=2) == 2
    assert ours.release(followed, 3, "me")

    cursors.increment("orders", STREAM, 4)


# Their projector


class ReadModel:
    def __init__(self) -> None:
        self.seen = []

    def __call__(self, event, stream_id) -> None:
        self.seen.append((event.version, stream_id))

    @property
    def versions(self):
        return [version for version, _ in self.seen]


@pytest.fixture
def events(backend):
    events = placed(1, 2, 3, 4, 5)
    backend.event_store.append(*events, stream_id=STREAM)
    return events


@pytest.fixture
def read_model():
    return ReadModel()


@pytest.fixture
def projector(backend, cursors, read_model):
    return Projector(backend.event_store, "orders", cursors, read_model)


@pytest.mark.parametrize(
    "order",
    [
        [1, 2, 3, 4, 5],
        [1, 1, 2, 2, 3, 4, 5, 5],
        [3, 4, 5],
        [5],
        [1, 4, 2, 3, 5],
        [1, 5, 4, 3, 2, 1],
        [2, 1, 3, 5, 4],
    ],
)
def test_each_event_is_projected_once_and_in_order(projector, read_model, events, order):
    for version in order:
        projector.project(events[version - 1], STREAM)

    assert read_model.versions == [1, 2, 3, 4, 5]
    assert {stream for _, stream in read_model.seen} == {STREAM}


def test_an_event_without_a_version_cannot_be_projected(projector):
    with pytest.raises(Projector.CantProjectUnversionedEvent):
        projector.project(placed(None)[0], STREAM)


def test_a_projector_may_be_a_listener(backend, cursors, read_model):
    projector = Projector(backend.event_store, "orders", cursors, read_model)
    backend.in_transaction.register(
        lambda event, stream, tenant, position: projector.project(event, stream), to="orders"
    )

    backend.event_store.append(*placed(1, 2), stream_id=STREAM)
    backend.event_store.append(*placed(3), stream_id=STREAM)

    assert read_model.versions == [1, 2, 3]


def test_missing_events_of_a_tenant_are_loaded_from_its_own_streams(backend, cursors, read_model):
    scoped: DynamoDBBackend = backend.in_tenant_mode("a")
    scoped.event_store.append(*(events := placed(1, 2)), stream_id=STREAM)
    projector = Projector(scoped.event_store, "orders", cursors.scoped_for_tenant("a"), read_model)

    projector.project(events[1], STREAM)

    assert read_model.versions == [1, 2]


def test_a_projection_with_a_projector_of_ours_goes_on_where_theirs_was(cursors, client, config):
    """Whatever route the events come by: the log tells their generation, and theirs knew none."""
    backend = CoreBackend(replace(config.of_core(), sequencing="inline"), client)
    stream = OurStreamId(name="order 1", category="orders")
    for number in range(1, 6):
        backend.storage.insert_events(stream, ANY_VERSION, [an_event(stream, data={"n": number})])
    for version in (1, 2, 3):
        cursors.increment("orders", STREAM, version)
    applied = []
    projector = backend.projector(
        "orders", lambda event, _: applied.append(event.version), keep_unknown=True
    )
    projection = backend.projection("log", projector, category="orders", keep_unknown=True)

    projection.run_once()
    assert applied == [4, 5]
    backend.checkpoints.reset("log", 0)
    projection.run_once()
    assert applied == [4, 5]

    backend.storage.delete_stream(stream)
    backend.storage.insert_events(stream, ANY_VERSION, [an_event(stream)])
    projection.run_once()
    assert applied == [4, 5, 1]
