"""Name, UUID, category and tenant identify a stream."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from event_sourcery import StreamId
from event_sourcery.exceptions import (
    AnotherStreamWithThisNameButOtherIdExists,
    IllegalTenantId,
)
from event_sourcery.interfaces import StorageStrategy

from tests.adapters.event_sourcery.orders import placed, summary
from tests.engine import Capability, needs

ours = needs(Capability.REQUESTS)


class Misnamed(StreamId):
    """Ids of another library or release, that derives other UUIDs from names."""

    NAMESPACE = uuid4()


@pytest.fixture
def store(backend) -> Any:
    return backend.event_store


def test_a_named_stream_is_found_by_its_name(store):
    stored = placed(1)
    store.append(*stored, stream_id=StreamId(name="order 1"))

    assert store.load_stream(StreamId(name="order 1")) == stored


@ours
@pytest.mark.parametrize("taken", [True, False])
def test_a_name_stands_for_one_stream(store, taken):
    if taken:
        store.append(*placed(1), stream_id=StreamId(name="order 1"))
    stream = Misnamed(name="order 1")

    with pytest.raises(AnotherStreamWithThisNameButOtherIdExists):
        store.append(*placed(1), stream_id=stream)

    assert store.load_stream(stream) == []
    store.delete_stream(stream)


@ours
def test_a_snapshot_of_a_misnamed_stream_is_refused(store):
    with pytest.raises(AnotherStreamWithThisNameButOtherIdExists):
        store.save_snapshot(Misnamed(name="order 1"), summary(1))


@pytest.mark.parametrize(
    "stream",
    [
        StreamId(name="order 1", category="orders"),
        StreamId(name="order 1"),
        StreamId(category="orders"),
        StreamId(name="a/b#c%", category="x#y%"),
    ],
    ids=["both", "name", "category", "separators"],
)
def test_name_and_category_come_back_with_raw_events(backend, stream):
    backend.event_store.append(*placed(1, 2), stream_id=stream)

    for event in backend[StorageStrategy].fetch_events(stream):
        assert event.stream_id == stream
        assert event.stream_id.name == stream.name
        assert type(event.stream_id) is StreamId


@ours
def test_who_knows_the_uuid_only_gets_the_name_too(backend):
    stream = StreamId(name="order 1", category="orders")
    backend.event_store.append(*placed(1), stream_id=stream)

    [event] = backend[StorageStrategy].fetch_events(StreamId(uuid=stream, category="orders"))

    assert event.stream_id.name == "order 1"


@pytest.mark.parametrize("uuid", [{"name": "same"}, {"uuid": uuid4()}], ids=["name", "uuid"])
def test_streams_of_other_categories_are_others(store, uuid):
    streams = [StreamId(**uuid, category=category) for category in ("a", "b", None)]
    stored = [placed(1), placed(1, 2), placed(1)]
    for stream, commit in zip(streams, stored, strict=True):
        store.append(*commit, stream_id=stream)

    store.delete_stream(streams[0])

    assert [store.load_stream(stream) for stream in streams] == [[], *stored[1:]]


@ours
def test_streams_of_other_tenants_are_others(backend):
    stream = StreamId(name="order 1")
    stores = [backend.event_store, *(backend.in_tenant_mode(t).event_store for t in "ab")]
    stored = [placed(1), placed(1, 2), placed(1)]
    for store, commit in zip(stores, stored, strict=True):
        store.append(*commit, stream_id=stream)
    stores[1].save_snapshot(stream, snapshot := summary(2))

    stores[0].delete_stream(stream)

    assert [store.load_stream(stream) for store in stores] == [[], [snapshot], stored[2]]


@ours
@pytest.mark.parametrize("tenant", [7, None, "\ud800"])
def test_a_tenant_id_is_text(backend, tenant):
    with pytest.raises(IllegalTenantId):
        backend[StorageStrategy].scoped_for_tenant(tenant)


@ours
def test_scoping_a_storage_leaves_it_as_it_is(backend):
    storage = backend[StorageStrategy]
    stream = StreamId()
    backend.event_store.append(*placed(1), stream_id=stream)

    scoped = storage.scoped_for_tenant("a")

    assert len(storage.fetch_events(stream)) == 1
    assert scoped.fetch_events(stream) == []
