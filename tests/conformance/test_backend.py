"""The interface that every backend offers besides its storage."""

from dynamo_es import ExplicitVersioning, StorageStrategy, StreamId
from dynamo_es.testing.conformance.language import an_event, numbered


def test_storage_keeps_the_contract(engine):
    assert isinstance(engine.fresh_process().storage, StorageStrategy)


def test_backend_of_a_tenant_is_another_one_over_the_same_data(engine, world):
    backend = engine.fresh_process()
    stream = StreamId(category="Order")
    event = an_event(stream)

    scoped = backend.in_tenant("ours")
    scoped.storage.insert_events(stream, ExplicitVersioning(0), [event])

    assert scoped is not backend
    assert type(scoped) is type(backend)
    assert backend.storage.fetch_events(stream) == []
    stored = numbered([event])
    assert backend.in_tenant("ours").storage.fetch_events(stream) == stored
    assert scoped.in_tenant("theirs").storage.fetch_events(stream) == []
    assert backend.storage.scoped_for_tenant("ours").fetch_events(stream) == stored


def test_tables_may_be_created_again(engine, world):
    backend = engine.fresh_process()
    stream = StreamId(category="Order")
    backend.storage.insert_events(stream, ExplicitVersioning(0), [an_event(stream)])

    backend.create_tables()

    assert len(backend.storage.fetch_events(stream)) == 1


def test_backend_is_a_context(engine, world):
    with engine.fresh_process() as backend:
        assert backend.storage.fetch_events(StreamId()) == []
