"""Their `EventStore` refuses wrong versions, and mixing versions with none."""

from __future__ import annotations

from typing import Any

import pytest
from event_sourcery import NO_VERSIONING, StreamId
from event_sourcery.exceptions import (
    ConcurrentStreamWriteError,
    ExpectedVersionUsedOnVersionlessStream,
    NoExpectedVersionGivenOnVersionedStream,
)

from dynamo_es import exceptions as errors
from tests.adapters.event_sourcery.orders import OrderPlaced, placed
from tests.engine import Capability, needs

ours = needs(Capability.REQUESTS)


@pytest.fixture
def store(backend) -> Any:
    return backend.event_store


def test_an_expected_version_that_the_stream_has_not_reached_is_refused(store):
    stream = StreamId()

    with pytest.raises(ConcurrentStreamWriteError):
        store.append(*placed(11), stream_id=stream, expected_version=10)

    assert store.load_stream(stream) == []


def test_an_expected_version_that_the_stream_has_passed_is_refused(store):
    stream = StreamId()
    stored = placed(1, 2)
    store.append(*stored, stream_id=stream)

    with pytest.raises(ConcurrentStreamWriteError):
        store.append(*placed(2), stream_id=stream, expected_version=1)

    assert store.load_stream(stream) == stored


@ours
@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ([1], 0),  # taken
        ([2], 0),
        ([4], 0),  # a gap before them
        ([3, 5], 0),  # or between them
        ([3, 3], 0),
        ([4, 3], 0),
        ([0], 0),
        ([-1], 0),
        ([3], 1),  # not the ones after the expected version
        ([4], 2),
        ([1], 2),
        ([3, 5], 2),
        ([2], 1),  # after one that is passed
        ([5], 4),  # or not reached
    ],
)
def test_versions_that_do_not_follow_the_stored_ones_are_refused(store, versions, expected):
    stream = StreamId()
    stored = placed(1, 2)
    store.append(*stored, stream_id=stream)

    with pytest.raises(ConcurrentStreamWriteError):
        store.append(*placed(*versions), stream_id=stream, expected_version=expected)

    assert store.load_stream(stream) == stored


@ours
def test_a_conflict_has_the_details_as_its_cause(store):
    stream = StreamId()
    store.append(*placed(1, 2), stream_id=stream)

    with pytest.raises(ConcurrentStreamWriteError) as caught:
        store.append(OrderPlaced(), stream_id=stream, expected_version=1)

    cause = caught.value.__cause__
    assert isinstance(cause, errors.ConcurrentStreamWriteError)
    assert (cause.expected, cause.actual) == (1, 2)
    assert str(caught.value) == str(cause)


@ours
def test_the_same_events_again_are_a_success_that_stores_nothing(store):
    stream = StreamId()
    stored = placed(1, 2)
    store.append(*stored, stream_id=stream)

    store.append(*stored, stream_id=stream)

    assert store.load_stream(stream) == stored
    assert store.position == 2


@pytest.mark.parametrize("expected", [0, 1, 7])
def test_versions_on_a_stream_without_them_are_refused(store, expected):
    stream = StreamId()
    store.append(OrderPlaced(), stream_id=stream, expected_version=NO_VERSIONING)

    with pytest.raises(ExpectedVersionUsedOnVersionlessStream):
        store.append(OrderPlaced(), stream_id=stream, expected_version=expected)

    assert len(store.load_stream(stream)) == 1


@ours
@pytest.mark.parametrize(("versions", "expected"), [([3, 5], 0), ([0], 0), ([4], 2)])
def test_mixing_is_told_before_versions_that_do_not_fit(store, versions, expected):
    stream = StreamId()
    store.append(OrderPlaced(), stream_id=stream, expected_version=NO_VERSIONING)

    with pytest.raises(ExpectedVersionUsedOnVersionlessStream):
        store.append(*placed(*versions), stream_id=stream, expected_version=expected)


def test_no_versions_on_a_stream_with_them_are_refused(store):
    stream = StreamId()
    store.append(OrderPlaced(), stream_id=stream)

    with pytest.raises(NoExpectedVersionGivenOnVersionedStream):
        store.append(OrderPlaced(), stream_id=stream, expected_version=NO_VERSIONING)

    assert len(store.load_stream(stream)) == 1


@ours
@pytest.mark.parametrize("versions", [[None], [1, None], [None, 2]])
def test_events_without_versions_are_refused_where_versions_are_expected(store, versions):
    stream = StreamId()

    with pytest.raises(ExpectedVersionUsedOnVersionlessStream):
        store.append(*placed(*versions), stream_id=stream)

    assert store.load_stream(stream) == []
