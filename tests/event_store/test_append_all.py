"""Typed events for several streams in one call: all of them are stored, or none."""

from __future__ import annotations

import pytest

from dynamo_es import ANY_VERSION, NO_VERSIONING, ExplicitVersioning, StreamId, WrappedEvent
from dynamo_es.exceptions import (
    AppendAllConflictError,
    ConcurrentStreamWriteError,
    InputError,
    InvalidEventError,
    InvalidVersioningError,
)
from tests.engine import Capability, needs
from tests.event_store.accounts import Deposited, Opened
from tests.recording import recording


@pytest.fixture
def streams(store):
    """Two accounts that are open, and one that is not."""
    ann, bob, eve = (StreamId(category="account") for _ in range(3))
    store.append_all({ann: [Opened(owner="Ann")], bob: [Opened(owner="Bob")]})
    return ann, bob, eve


def loaded(store, stream):
    return [wrapped.event for wrapped in store.load_stream(stream)]


def test_streams_that_exist_and_new_ones_get_their_events(store, streams):
    ann, bob, eve = streams

    versions = store.append_all(
        {ann: [Deposited(amount=1)], eve: [Opened(owner="Eve"), Deposited(amount=2)]},
        expected={ann: 1},
        unchanged={bob: 1},
    )

    assert versions == {ann: 2, eve: 2}
    assert not versions[ann].repeated
    assert loaded(store, ann) == [Opened(owner="Ann"), Deposited(amount=1)]
    assert loaded(store, bob) == [Opened(owner="Bob")]
    assert loaded(store, eve) == [Opened(owner="Eve"), Deposited(amount=2)]


def test_versions_go_from_call_to_call(store, streams):
    ann, bob, _ = streams
    versions = {ann: store.version(ann), bob: store.version(bob)}
    for amount in (1, 2, 3):
        versions |= store.append_all(
            {s: [Deposited(amount=amount)] for s in (ann, bob)}, expected=versions
        )

    assert versions == {ann: 4, bob: 4}
    store.delete_stream(bob)
    store.append(*[Opened(owner="Bob")] * 4, stream_id=bob)
    with pytest.raises(AppendAllConflictError, match="earlier generation"):
        store.append_all(
            {ann: [Deposited(amount=1)]},
            expected={ann: versions[ann]},
            unchanged={bob: versions[bob]},
        )


def test_a_conflict_has_each_stream_that_moved_and_what_was_faster(store, streams):
    ann, bob, eve = streams
    store.append(Deposited(amount=7), stream_id=bob, expected_version=1)

    with pytest.raises(ConcurrentStreamWriteError) as caught:
        store.append_all(
            {eve: [Opened(owner="Eve")], ann: [Deposited(amount=1)]},
            expected={ann: 1},
            unchanged={bob: 1},
        )

    assert isinstance(caught.value, AppendAllConflictError)
    conflict = caught.value.conflicts[bob]
    assert [wrapped.event for wrapped in store.read([*conflict.winning])] == [Deposited(amount=7)]
    assert store.version(eve) == 0


def test_the_same_wrapped_events_again_are_stored_once(store, streams):
    ann, bob, eve = streams
    events = {s: [WrappedEvent.wrap(Deposited(amount=1))] for s in (ann, bob)}
    call = {"expected": {ann: 1, bob: 1}, "unchanged": {eve: 0}}
    store.append_all(events, **call)
    store.append(Opened(owner="Eve"), stream_id=eve)

    versions = store.append_all(events, **call)

    assert versions == {ann: 2, bob: 2}
    assert all(version.repeated for version in versions.values())
    assert len(loaded(store, ann)) == 2


def test_nothing_to_append_is_nothing_to_check(store, streams):
    ann, bob, _ = streams

    assert store.append_all({}) == {}
    with pytest.raises(InputError, match="unchanged needs appends"):
        store.append_all({}, unchanged={ann: 1})
    with pytest.raises(InvalidEventError, match="or put it into unchanged"):
        store.append_all({ann: [], bob: [Deposited(amount=1)]}, expected={ann: 1, bob: 1})


def test_wrong_arguments_are_refused_before_anything_is_written(store, streams):
    ann, _, eve = streams
    one = {eve: [Opened(owner="Eve")]}

    for options, error, reason in (
        ({"unchanged": {eve: 0}}, InputError, "in the appends and in unchanged"),
        ({"unchanged": [ann]}, InputError, "unchanged must be"),
        ({"unchanged": {ann: "1"}}, InvalidVersioningError, "needs ExplicitVersioning"),
        ({"unchanged": {ann: ANY_VERSION}}, InvalidVersioningError, "not ANY_VERSION"),
        ({"unchanged": {"ann": 1}}, InputError, "StreamId"),
        ({"expected": {eve: ANY_VERSION}}, InvalidVersioningError, "not ANY_VERSION. Without"),
        ({"expected": {eve: NO_VERSIONING}}, InvalidVersioningError, "not NO_VERSIONING"),
        ({"expected": {ann: 1}}, InputError, "expected has the stream"),
        ({"expected": 0}, InputError, "expected must be"),
    ):
        with pytest.raises(error, match=reason):
            store.append_all(one, **options)
    with pytest.raises(InputError, match="streams must be"):
        store.append_all([Opened(owner="Eve")])
    with pytest.raises(InputError, match="events of stream"):
        store.append_all({eve: Opened(owner="Eve")})

    assert store.version(eve) == 0


@needs(Capability.REQUESTS)
def test_checks_are_in_the_same_request(engine, store, streams):
    ann, bob, eve = streams

    with recording(engine.client) as sent:
        store.append_all(
            {ann: [Deposited(amount=1)]},
            expected={ann: ExplicitVersioning(1)},
            unchanged={bob: ExplicitVersioning(1), eve: 0},
        )

    assert sent.operations == ["TransactWriteItems"]
    assert (len(sent.items), sent.checks) == (1, 2)


@needs(Capability.REQUESTS)
def test_one_stream_alone_is_the_ordinary_put(engine, store, streams):
    ann, _, _ = streams

    with recording(engine.client) as sent:
        store.append_all({ann: [Deposited(amount=1)]}, expected={ann: 1})

    assert sent.operations == ["PutItem"]
