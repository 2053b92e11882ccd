"""Typed events for many streams in one call: each stream gets all of its events or none."""

from __future__ import annotations

import pytest

from dynamo_es import (
    ANY_VERSION,
    NO_VERSIONING,
    Context,
    ExplicitVersioning,
    StreamId,
    WrappedEvent,
)
from dynamo_es.exceptions import (
    AppendsFailedError,
    ConcurrentStreamWriteError,
    InputError,
    InvalidEventError,
    InvalidStreamIdError,
    InvalidVersioningError,
)
from tests.event_store.accounts import Deposited, Opened

ANN, BOB, EVE = (StreamId(category="account") for _ in range(3))


@pytest.fixture
def streams():
    return [StreamId(category="account") for _ in range(3)]


def loaded(store, stream):
    return [wrapped.event for wrapped in store.load_stream(stream)]


def test_new_streams_begin_with_their_events(store, streams):
    ann, bob, _ = streams

    versions = store.append_many(
        {ann: [Opened(owner="Ann"), Deposited(amount=5)], bob: [Opened(owner="Bob")]}
    )

    assert versions == {ann: 2, bob: 1}
    assert not versions[ann].repeated
    assert loaded(store, ann) == [Opened(owner="Ann"), Deposited(amount=5)]
    assert loaded(store, bob) == [Opened(owner="Bob")]


def test_each_stream_has_a_version_of_its_own_and_those_without_are_new(store, streams):
    ann, bob, eve = streams
    opened = store.append_many({ann: [Opened(owner="Ann")], bob: [Opened(owner="Bob")]})

    versions = store.append_many(
        {s: [Deposited(amount=1)] for s in streams}, expected_version={ann: opened[ann], bob: 1}
    )

    assert versions == {ann: 2, bob: 2, eve: 1}


@pytest.mark.parametrize(
    ("expected", "result"), [(ANY_VERSION, 2), (1, 2), (ExplicitVersioning(1), 2)]
)
def test_one_version_is_that_of_all_streams(store, streams, expected, result):
    store.append_many({s: [Opened(owner="x")] for s in streams})

    versions = store.append_many(
        {s: [Deposited(amount=1)] for s in streams}, expected_version=expected
    )

    assert list(versions.values()) == [2] * 3


def test_streams_without_versions_have_none(store, streams):
    versions = store.append_many(
        {s: [Opened(owner="x")] for s in streams}, expected_version=NO_VERSIONING
    )
    assert versions == dict.fromkeys(streams)


def test_metadata_is_that_of_the_wrapped_events(store, streams):
    ann, bob, _ = streams
    context = Context(correlation_id="request 7", user="ann")
    wrapped = WrappedEvent.wrap(Opened(owner="Ann"), context=context)

    store.append_many({ann: [wrapped], bob: [Opened(owner="Bob")]})

    (stored,) = store.load_stream(ann)
    assert (stored.uuid, stored.context, stored.created_at) == (
        wrapped.uuid,
        context,
        wrapped.created_at,
    )


def test_a_failure_cannot_be_overlooked_and_the_same_events_can_be_appended_again(store, streams):
    ann, bob, eve = streams
    store.append(Opened(owner="Somebody"), stream_id=bob)
    events = {s: [WrappedEvent.wrap(Opened(owner="x"))] for s in streams}

    with pytest.raises(AppendsFailedError, match="1 of 3 appends failed") as caught:
        store.append_many(events)

    assert caught.value.stored == {ann: 1, eve: 1}
    (conflict,) = caught.value.errors.values()
    assert isinstance(conflict, ConcurrentStreamWriteError)
    assert conflict.stream_id == str(bob)
    again = store.append_many(events, expected_version={bob: 1})
    assert again == {ann: 1, bob: 2, eve: 1}
    assert [again[s].repeated for s in streams] == [True, False, True]


def test_nothing_is_nothing(store, streams):
    ann, bob, _ = streams
    assert store.append_many({}) == {}
    assert store.append_many({ann: [], bob: [Opened(owner="Bob")]}) == {ann: None, bob: 1}
    assert not store.exists(ann)


WRONG = [
    ([(ANN, [Opened(owner="Ann")])], 0, InputError, "streams must be a Mapping, not list"),
    ({ANN: Opened(owner="Ann")}, 0, InputError, "must be a list or tuple, not Opened"),
    ({str(ANN): []}, 0, InvalidStreamIdError, "StreamId"),
    ({ANN: ["event"]}, 0, InvalidEventError, "str"),
    ({ANN: []}, {BOB: 1}, InputError, "but streams has no events for it"),
    ({ANN: []}, {ANN: -1}, InvalidVersioningError, "integer of 0"),
    ({ANN: [Opened(owner="Ann")]}, "any", InvalidVersioningError, "versioning must be"),
]


@pytest.mark.parametrize(("events", "expected", "error", "text"), WRONG)
def test_a_wrong_argument_is_refused_before_anything_is_written(
    store, events, expected, error, text
):
    if isinstance(events, dict):
        events = {EVE: [Opened(owner="Eve")], **events}
    with pytest.raises(error, match=text):
        store.append_many(events, expected_version=expected)
    assert not store.exists(EVE)


def test_writes_of_your_own_need_an_append_to_one_stream(store, streams):
    with pytest.raises(TypeError, match="transact_with"):
        store.append_many({streams[0]: [Opened(owner="Ann")]}, transact_with=[{"Put": {}}])
