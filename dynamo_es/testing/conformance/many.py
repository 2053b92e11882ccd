"""Independent appends to many streams in one call have the results of a loop of appends."""

from typing import Any, cast

import pytest

from dynamo_es import ANY_VERSION, DEFAULT_TENANT, NO_VERSIONING, ExplicitVersioning, StreamId
from dynamo_es.contracts import StreamAppend
from dynamo_es.exceptions import (
    AppendsFailedError,
    CommitTooLargeError,
    ConcurrentStreamWriteError,
    ExpectedVersionUsedOnVersionlessStream,
    InputError,
    InvalidEventError,
    InvalidStreamIdError,
    InvalidVersioningError,
    NoExpectedVersionGivenOnVersionedStream,
)
from dynamo_es.testing.conformance.engine import Capability, needs
from dynamo_es.testing.conformance.language import (
    an_event,
    assert_same,
    events,
    heavy_events,
    numbered,
)


@pytest.fixture
def storage(world):
    return world.storage("first", DEFAULT_TENANT)


@pytest.fixture
def cold(world):
    """A process that has not seen anything yet."""
    return world.storage("cold", DEFAULT_TENANT)


def new_streams(number):
    return [StreamId(category="Account") for _ in range(number)]


def part(stream, expected, some):
    versioning = ExplicitVersioning(expected) if isinstance(expected, int) else expected
    return StreamAppend(stream, versioning, some)


def holds(storage, stream, *stored):
    assert_same(storage.fetch_events(stream, 1), numbered([e for each in stored for e in each]))


@pytest.mark.parametrize("number", [1, 2, 25, 26, 60])
def test_many_new_streams_get_their_events(storage, cold, number):
    parts = [
        part(stream, 0, events(stream, 1 + n % 3)) for n, stream in enumerate(new_streams(number))
    ]

    versions = storage.insert_many(parts)

    assert versions == [len(each.events) for each in parts]
    assert not any(version.repeated for version in versions)
    for each, version in zip(parts, versions, strict=True):
        holds(cold, each.stream_id, each.events)
        assert cold.fetch_events(each.stream_id)[0].generation == version.generation


@pytest.mark.parametrize("known", [True, False])
def test_existing_streams_go_on(storage, cold, known):
    streams = new_streams(3)
    first = [part(stream, 0, events(stream, 2)) for stream in streams]
    storage.insert_many(first)
    second = [part(stream, 2, events(stream, 1)) for stream in streams]

    versions = (storage if known else cold).insert_many(second)

    assert versions == [3, 3, 3]
    for stream, a, b in zip(streams, first, second, strict=True):
        holds(cold, stream, a.events, b.events)


def test_a_stream_at_another_version_fails_alone(storage, cold):
    a, b, c = new_streams(3)
    others = events(b, 2)
    cold.insert_events(b, ExplicitVersioning(0), others)
    parts = [part(s, 0, events(s, 1)) for s in (a, b, c)]

    with pytest.raises(AppendsFailedError) as caught:
        storage.insert_many(parts)

    failed = caught.value
    assert failed.streams == (a, b, c)
    assert set(failed.errors) == {b}
    assert failed.stored == {a: 1, c: 1}
    conflict = failed.errors[b]
    assert isinstance(conflict, ConcurrentStreamWriteError)
    assert (conflict.stream_id, conflict.expected, conflict.actual) == (str(b), 0, 2)
    assert str(conflict) in str(failed)
    holds(storage, a, parts[0].events)
    holds(storage, b, others)
    holds(storage, c, parts[2].events)


@pytest.mark.parametrize("wrong", [1, 3, 9])
@pytest.mark.parametrize("known", [True, False])
def test_every_wrong_version_is_refused(storage, cold, wrong, known):
    a, b = new_streams(2)
    stored = events(b, 2)
    storage.insert_events(b, ExplicitVersioning(0), stored)
    parts = [part(a, 0, events(a, 1)), part(b, wrong, events(b, 1))]

    with pytest.raises(AppendsFailedError) as caught:
        (storage if known else cold).insert_many(parts)

    conflict = caught.value.errors[b]
    assert isinstance(conflict, ConcurrentStreamWriteError)
    assert conflict.actual == 2
    assert caught.value.results[0] == 1
    holds(storage, b, stored)


def test_events_that_are_stored_already_are_a_success(storage, cold):
    parts = [part(s, 0, events(s, 2)) for s in new_streams(4)]
    storage.insert_many(parts[:2])

    versions = cold.insert_many(parts)

    assert versions == [2, 2, 2, 2]
    assert [version.repeated for version in versions] == [True, True, False, False]
    for each in parts:
        holds(storage, each.stream_id, each.events)


@pytest.mark.parametrize("known", [True, False])
def test_events_stored_in_the_middle_of_a_stream_are_a_success(storage, cold, known):
    a, b = new_streams(2)
    commits = [events(a, 1) for _ in range(3)]
    for version, commit in enumerate(commits):
        storage.insert_events(a, ExplicitVersioning(version), commit)

    process = storage if known else cold
    versions = process.insert_many([part(a, 1, commits[1]), part(b, 0, events(b, 1))])

    assert versions == [2, 1]
    assert versions[0].repeated
    holds(storage, a, *commits)


def test_appends_to_one_stream_keep_their_order(storage, cold):
    a, b = new_streams(2)
    of_a = [events(a, 1 + n % 2) for n in range(6)]
    of_b = [events(b, 1) for _ in range(3)]
    parts = []
    for number, commit in enumerate(of_a):
        parts.append(part(a, sum(map(len, of_a[:number])), commit))
        if number < len(of_b):
            parts.append(part(b, ANY_VERSION, of_b[number]))

    versions = storage.insert_many(parts)

    assert versions == [1, 1, 3, 2, 4, 3, 6, 7, 9]
    holds(cold, a, *of_a)
    holds(cold, b, *of_b)


def test_after_a_failed_append_those_after_it_find_the_stream_as_it_is(storage):
    (a,) = new_streams(1)
    ours = [events(a, 1), events(a, 1), events(a, 1)]

    with pytest.raises(AppendsFailedError) as caught:
        storage.insert_many([part(a, 0, ours[0]), part(a, 7, ours[1]), part(a, 1, ours[2])])

    first, second, third = caught.value.results
    assert (first, third) == (1, 2)
    assert (second.expected, second.actual) == (7, 1)
    assert caught.value.stored == {}, "one of its appends failed"
    holds(storage, a, ours[0], ours[2])


def test_each_stream_has_its_own_way_to_append(storage, cold):
    a, b, c, d = new_streams(4)
    stored = events(b, 1)
    storage.insert_events(b, ExplicitVersioning(0), stored)
    hidden = events(d, 1)
    storage.insert_events(d, NO_VERSIONING, hidden)
    of_a, of_b, of_c, of_d = (events(s, 2) for s in (a, b, c, d))

    versions = cold.insert_many(
        [
            part(a, ANY_VERSION, of_a),
            part(b, ANY_VERSION, of_b),
            part(c, NO_VERSIONING, of_c),
            part(d, NO_VERSIONING, of_d),
        ]
    )

    assert versions == [2, 3, None, None]
    holds(storage, a, of_a)
    holds(storage, b, stored, of_b)
    assert_same(storage.fetch_events(c), of_c)
    assert_same(storage.fetch_events(d), [*hidden, *of_d])


@pytest.mark.parametrize("known", [True, False])
def test_streams_with_and_without_versions_do_not_mix(storage, cold, known):
    a, b, c = new_streams(3)
    storage.insert_events(a, ExplicitVersioning(0), events(a, 1))
    storage.insert_events(b, NO_VERSIONING, events(b, 1))
    process = storage if known else cold

    with pytest.raises(AppendsFailedError) as caught:
        process.insert_many(
            [
                part(a, NO_VERSIONING, events(a, 1)),
                part(b, 1, events(b, 1)),
                part(c, 0, events(c, 1)),
            ]
        )

    of_a, of_b, of_c = caught.value.results
    assert isinstance(of_a, NoExpectedVersionGivenOnVersionedStream)
    assert isinstance(of_b, ExpectedVersionUsedOnVersionlessStream)
    assert of_c == 1


@pytest.mark.parametrize("known", [True, False])
def test_deleted_streams_begin_again(storage, cold, known):
    parts = [part(s, 0, events(s, 1)) for s in new_streams(3)]
    old = storage.insert_many(parts)
    for each in parts:
        storage.delete_stream(each.stream_id)
    again = [part(each.stream_id, 0, events(each.stream_id, 2)) for each in parts]

    versions = (storage if known else cold).insert_many(again)

    assert versions == [2, 2, 2]
    assert all(
        new.generation > before.generation for new, before in zip(versions, old, strict=True)
    )
    for each in again:
        holds(storage, each.stream_id, each.events)


@needs(Capability.GENERATIONS)
def test_a_version_of_an_earlier_generation_is_refused(storage, cold):
    a, b = new_streams(2)
    old = storage.insert_events(a, ExplicitVersioning(0), events(a, 1))
    cold.delete_stream(a)
    new = events(a, 1)
    cold.insert_events(a, ExplicitVersioning(0), new)

    with pytest.raises(AppendsFailedError) as caught:
        storage.insert_many(
            [part(a, ExplicitVersioning(old), events(a, 1)), part(b, 0, events(b, 1))]
        )

    assert set(caught.value.errors) == {a}
    assert "deleted" in str(caught.value.errors[a])
    holds(storage, a, new)


def test_without_appends_or_without_events_nothing_happens(storage):
    a, b = new_streams(2)

    assert storage.insert_many([]) == []
    assert storage.insert_many([part(a, 0, []), part(b, 0, events(b, 1))]) == [None, 1]
    assert storage.head(a) is None


def wrong_appends():
    a = StreamId(category="Account")
    yield "another stream", part(a, 0, events(StreamId(), 1)), InvalidEventError
    yield "no versioning", StreamAppend(a, cast("Any", 0), events(a, 1)), InvalidVersioningError
    yield "no stream id", part("a", 0, []), InvalidStreamIdError
    yield (
        "a key too long",
        part(b := StreamId(category="x" * 2048), 0, events(b, 1)),
        InvalidStreamIdError,
    )
    yield "not JSON", part(a, 0, [an_event(a, data={"x": {1}})]), InvalidEventError
    yield "no append", (a, 0, events(a, 1)), InputError


@pytest.mark.parametrize(
    ("wrong", "error"),
    [pytest.param(wrong, error, id=name) for name, wrong, error in wrong_appends()],
)
def test_a_wrong_argument_is_refused_before_anything_is_written(storage, wrong, error):
    (good,) = new_streams(1)

    with pytest.raises(error):
        storage.insert_many([part(good, 0, events(good, 1)), wrong])

    assert storage.head(good) is None


def test_appends_are_a_list(storage):
    with pytest.raises(InputError, match="appends must be a list or tuple, not generator"):
        storage.insert_many(part(s, 0, events(s, 1)) for s in new_streams(2))


def test_tenants_are_apart(world):
    ours, theirs = world.storage("first", "ours"), world.storage("first", "theirs")
    (a,) = new_streams(1)
    of_ours, of_theirs = events(a, 1), events(a, 2)

    assert ours.insert_many([part(a, 0, of_ours)]) == [1]
    assert theirs.insert_many([part(a, 0, of_theirs)]) == [2]

    holds(ours, a, of_ours)
    holds(theirs, a, of_theirs)


@pytest.mark.inline
def test_all_events_have_positions_when_the_call_returns(storage, cold):
    a, b = new_streams(2)
    storage.insert_many([part(a, 0, events(a, 1))])
    before = storage.current_position
    parts = [part(s, 0, events(s, 2)) for s in new_streams(30)]

    with pytest.raises(AppendsFailedError):
        storage.insert_many([*parts, part(a, 0, events(a, 1)), part(b, 0, events(b, 3))])

    assert storage.current_position == before + 60 + 3
    assert cold.current_position == storage.current_position


@needs(Capability.LIMITS)
def test_an_append_that_is_too_large_fails_alone(storage, cold):
    a, b = new_streams(2)
    huge = heavy_events(a, 1, 600_000)

    with pytest.raises(AppendsFailedError) as caught:
        storage.insert_many([part(a, 0, huge), part(b, 0, events(b, 1))])

    assert isinstance(caught.value.errors[a], CommitTooLargeError)
    assert caught.value.stored == {b: 1}
    assert cold.head(a) is None


@needs(Capability.LIMITS, Capability.LARGE)
def test_an_append_that_needs_several_items_is_among_the_others(storage, cold):
    a, b = new_streams(2)
    parts = [part(a, 0, heavy_events(a, 3, 260_000)), part(b, 0, events(b, 1))]

    assert storage.insert_many(parts) == [3, 1]

    for each in parts:
        holds(cold, each.stream_id, each.events)


def test_the_caller_may_change_its_events_afterwards(storage):
    (a,) = new_streams(1)
    event = an_event(a, data={"list": [1]})
    storage.insert_many([part(a, 0, [event])])

    event.data["list"].append(2)

    assert storage.fetch_events(a)[0].data == {"list": [1]}
