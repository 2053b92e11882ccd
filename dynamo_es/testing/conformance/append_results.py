"""An append returns the new version, or the events of the faster writer."""

import pytest

from dynamo_es import ANY_VERSION, NO_VERSIONING, ExplicitVersioning, StreamId
from dynamo_es.exceptions import ConcurrentStreamWriteError
from dynamo_es.testing.conformance.language import assert_same, events, heavy_events


@pytest.fixture
def stream() -> StreamId:
    return StreamId(category="Order")


@pytest.fixture
def storage(engine, world):
    return engine.fresh_process().storage


def expecting(version):
    return ExplicitVersioning(version)


def refusal(storage, stream, expected):
    with pytest.raises(ConcurrentStreamWriteError) as caught:
        storage.insert_events(stream, expecting(expected), events(stream, 1))
    return caught.value


def test_the_new_version_is_returned(storage, stream):
    assert storage.insert_events(stream, expecting(0), events(stream, 2)) == 2
    assert storage.insert_events(stream, expecting(2), events(stream, 1)) == 3
    assert storage.insert_events(stream, expecting(3), heavy_events(stream, 3, 200_000)) == 6
    assert storage.insert_events(stream, ANY_VERSION, events(stream, 4)) == 10


def test_it_is_returned_for_a_stream_created_at_any_version(storage, stream):
    assert storage.insert_events(stream, ANY_VERSION, events(stream, 3)) == 3


def test_it_is_that_of_the_events_when_they_were_stored_already(storage, stream):
    first, second = events(stream, 2), events(stream, 1)
    storage.insert_events(stream, expecting(0), first)
    storage.insert_events(stream, expecting(2), second)

    assert storage.insert_events(stream, expecting(0), first) == 2
    assert storage.insert_events(stream, expecting(2), second) == 3


def test_no_version_is_returned_where_there_is_none(storage, stream):
    assert storage.insert_events(stream, NO_VERSIONING, events(stream, 2)) is None
    assert storage.insert_events(stream, ANY_VERSION, []) is None


def test_a_refusal_carries_the_commit_that_was_faster(engine, storage, stream):
    storage.insert_events(stream, expecting(0), events(stream, 2))
    engine.fresh_process().storage.insert_events(stream, expecting(2), events(stream, 3))

    refused = refusal(storage, stream, 2)

    assert refused.actual == 5
    assert_same(refused.winning, storage.fetch_events(stream, 3))


def test_a_refused_creation_carries_the_commit_that_was_faster(engine, storage, stream):
    engine.fresh_process().storage.insert_events(stream, expecting(0), events(stream, 2))

    refused = refusal(storage, stream, 0)

    assert refused.actual == 2
    assert_same(refused.winning, storage.fetch_events(stream))


@pytest.mark.parametrize("expected", [1, 4, 9])
def test_a_refusal_carries_all_that_was_faster_or_nothing(storage, stream, expected):
    storage.insert_events(stream, expecting(0), events(stream, 2))
    storage.insert_events(stream, expecting(2), events(stream, 2))
    storage.insert_events(stream, expecting(4), events(stream, 1))

    refused = refusal(storage, stream, expected)

    assert refused.actual == 5
    assert_same(refused.winning, storage.fetch_events(stream, expected + 1)[: len(refused.winning)])
    assert len(refused.winning) in {0, max(5 - expected, 0)}
