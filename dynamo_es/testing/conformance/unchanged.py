"""An append succeeds only if the other streams that it depends on are unchanged."""

from contextlib import suppress
from typing import Any

import pytest

from dynamo_es import ANY_VERSION, DEFAULT_TENANT, NO_VERSIONING, ExplicitVersioning, StreamId
from dynamo_es.contracts import StreamAppend, StreamCheck
from dynamo_es.exceptions import (
    AppendAllConflictError,
    ExpectedVersionUsedOnVersionlessStream,
    InputError,
    InvalidStreamIdError,
    InvalidVersioningError,
)
from dynamo_es.testing.conformance.engine import Capability, Crash, needs
from dynamo_es.testing.conformance.language import (
    assert_same,
    events,
    numbered,
)


@pytest.fixture
def storage(world):
    return world.storage("first", DEFAULT_TENANT)


@pytest.fixture
def late(world):
    """A process that has not seen anything yet."""
    return world.storage("late", DEFAULT_TENANT)


@pytest.fixture
def other(world):
    """A process that writes without the first one's knowledge."""
    return world.storage("other", DEFAULT_TENANT)


@pytest.fixture
def streams():
    return [StreamId(category="Account") for _ in range(3)]


def part(stream, expected, some):
    return StreamAppend(stream, ExplicitVersioning(expected), some)


def check(stream, version):
    return StreamCheck(stream, ExplicitVersioning(version))


a_check: Any = StreamCheck
"""Untyped, so that tests can pass invalid arguments."""


def counts(storage, streams):
    return [len(storage.fetch_events(stream, 1)) for stream in streams]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("expected", [0, 2])
def test_a_stream_that_stays_unchanged_lets_the_events_in(storage, late, streams, known, expected):
    a, b, _ = streams
    if expected:
        storage.insert_events(b, ExplicitVersioning(0), events(b, expected))

    versions = (storage if known else late).insert_all(
        [part(a, 0, events(a, 2))], unchanged=[check(b, expected)]
    )

    assert versions == [2]
    assert counts(storage, [a, b]) == [2, expected]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("version", [0, 1, 2, 3, 5, 6])
def test_a_check_of_another_version_refuses_all(storage, late, streams, known, version):
    a, b, c = streams
    for expected, number in ((0, 1), (1, 3)):
        storage.insert_events(b, ExplicitVersioning(expected), events(b, number))

    with pytest.raises(AppendAllConflictError) as caught:
        (storage if known else late).insert_all(
            [part(a, 0, events(a, 1)), part(c, 0, events(c, 1))], unchanged=[check(b, version)]
        )

    assert list(caught.value.conflicts) == [b]
    assert (caught.value.expected, caught.value.actual) == (version, 4)
    assert counts(storage, streams) == [0, 4, 0]


def test_a_check_of_what_another_process_appended_to_is_refused_with_its_events(
    storage, other, streams
):
    a, b, _ = streams
    storage.insert_events(b, ExplicitVersioning(0), events(b, 1))
    faster = events(b, 3)
    other.insert_events(b, ExplicitVersioning(1), faster)

    with pytest.raises(AppendAllConflictError) as caught:
        storage.insert_all([part(a, 0, events(a, 1))], unchanged=[check(b, 1)])

    assert_same(caught.value.winning, numbered(faster, 2))
    assert caught.value.actual == 4
    assert counts(storage, [a]) == [0]


def test_a_check_of_no_stream_is_refused_once_the_stream_is_created(storage, other, streams):
    a, b, _ = streams
    storage.insert_all([part(a, 0, events(a, 1))], unchanged=[check(b, 0)])
    other.insert_events(b, ExplicitVersioning(0), events(b, 1))

    with pytest.raises(AppendAllConflictError) as caught:
        storage.insert_all([part(a, 1, events(a, 1))], unchanged=[check(b, 0)])

    assert list(caught.value.conflicts) == [b]
    assert counts(storage, [a]) == [1]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("sizes", [(1,), (2, 1), (1, 1, 1)], ids=str)
def test_a_check_of_a_stream_that_was_deleted(storage, late, other, streams, known, sizes):
    a, b, _ = streams
    version = 0
    for size in sizes:
        version = storage.insert_events(b, ExplicitVersioning(version), events(b, size))
    other.delete_stream(b)
    process = storage if known else late

    for stale in range(1, sum(sizes) + 1):
        with pytest.raises(AppendAllConflictError) as caught:
            process.insert_all([part(a, 0, events(a, 1))], unchanged=[check(b, stale)])
        assert (caught.value.expected, caught.value.actual) == (stale, 0)

    assert process.insert_all([part(a, 0, events(a, 1))], unchanged=[check(b, 0)]) == [1]


@pytest.mark.parametrize("known", [True, False])
def test_a_check_of_an_earlier_generation_is_refused(storage, late, other, streams, known):
    a, b, _ = streams
    old = storage.insert_events(b, ExplicitVersioning(0), events(b, 2))
    other.delete_stream(b)
    new = other.insert_events(b, ExplicitVersioning(0), events(b, 2))
    process = storage if known else late

    with pytest.raises(AppendAllConflictError, match="earlier generation"):
        process.insert_all([part(a, 0, events(a, 1))], unchanged=[check(b, old)])
    with pytest.raises(AppendAllConflictError):
        process.insert_all([part(a, 0, events(a, 1))], unchanged=[check(b, 0)])

    assert process.insert_all([part(a, 0, events(a, 1))], unchanged=[check(b, new)]) == [1]
    assert counts(storage, [a, b]) == [1, 2]


@needs(Capability.GENERATIONS)
def test_a_process_that_saw_an_earlier_generation_is_refused_in_the_next(
    storage, other, late, streams
):
    a, b, c = streams
    storage.insert_events(b, ExplicitVersioning(0), events(b, 2))
    other.delete_stream(b)
    other.insert_events(b, ExplicitVersioning(0), events(b, 2))

    with pytest.raises(AppendAllConflictError, match="earlier generation"):
        storage.insert_all([part(a, 0, events(a, 1))], unchanged=[check(b, 2)])
    assert storage.insert_all([part(a, 0, events(a, 1))], unchanged=[check(b, 2)]) == [1]

    late.fetch_events(b)
    other.delete_stream(b)
    other.insert_events(b, ExplicitVersioning(0), events(b, 2))
    with pytest.raises(AppendAllConflictError, match="earlier generation"):
        late.insert_all([part(c, 0, events(c, 1)), part(b, 2, events(b, 1))])
    assert counts(storage, streams) == [1, 2, 0]


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize("known", [True, False])
def test_a_check_of_a_stream_without_versions_is_refused(storage, late, streams, known, version):
    a, b, _ = streams
    storage.insert_events(b, NO_VERSIONING, events(b, 2))

    with pytest.raises(ExpectedVersionUsedOnVersionlessStream):
        (storage if known else late).insert_all(
            [part(a, 0, events(a, 1))], unchanged=[check(b, version)]
        )

    assert counts(storage, [a, b]) == [0, 2]


def test_the_same_call_again_succeeds_though_the_checked_stream_has_moved(
    storage, late, other, streams
):
    a, b, c = streams
    storage.insert_events(b, ExplicitVersioning(0), events(b, 1))
    both = [part(a, 0, events(a, 1)), part(c, 0, events(c, 2))]
    unchanged = [check(b, 1)]
    storage.insert_all(both, unchanged=unchanged)
    other.insert_events(b, ExplicitVersioning(1), events(b, 1))
    other.insert_events(a, ExplicitVersioning(1), events(a, 1))

    for process in (storage, late):
        versions = process.insert_all(both, unchanged=unchanged)
        assert versions == [1, 2]
        assert all(version.repeated for version in versions)
    assert counts(storage, streams) == [2, 2, 2]


def test_a_refusal_names_what_was_to_be_written_and_what_was_to_stay(storage, other, streams):
    a, b, c = streams
    storage.insert_all([part(s, 0, events(s, 1)) for s in streams])
    for stream in (c, a):
        other.insert_events(stream, ExplicitVersioning(1), events(stream, 1))

    with pytest.raises(AppendAllConflictError) as caught:
        storage.insert_all([part(a, 1, events(a, 1))], unchanged=[check(b, 1), check(c, 1)])

    assert list(caught.value.conflicts) == [a, c]


def test_of_two_that_each_check_the_stream_of_the_other_one_is_refused(storage, other, streams):
    a, b, _ = streams
    storage.insert_all([part(a, 0, events(a, 1)), part(b, 0, events(b, 1))])
    other.fetch_events(a)
    other.fetch_events(b)

    storage.insert_all([part(a, 1, events(a, 1))], unchanged=[check(b, 1)])
    with pytest.raises(AppendAllConflictError) as caught:
        other.insert_all([part(b, 1, events(b, 1))], unchanged=[check(a, 1)])

    assert list(caught.value.conflicts) == [a]
    assert counts(storage, [a, b]) == [2, 1]


def test_a_stream_is_written_or_unchanged_and_given_once(storage, streams):
    a, b, _ = streams
    one = [part(a, 0, events(a, 1))]

    with pytest.raises(InputError, match="in the appends and in unchanged"):
        storage.insert_all(one, unchanged=[check(a, 0)])
    with pytest.raises(InputError, match="in unchanged twice"):
        storage.insert_all(one, unchanged=[check(b, 0), check(b, 0)])
    with pytest.raises(InputError, match="unchanged needs appends"):
        storage.insert_all([], unchanged=[check(b, 0)])

    assert counts(storage, streams) == [0, 0, 0]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ("text", InputError),
        ([None], InputError),
        ([a_check("stream", ExplicitVersioning(0))], InvalidStreamIdError),
        ([StreamCheck(StreamId(category="x" * 3000), ExplicitVersioning(0))], InvalidStreamIdError),
        ([a_check(StreamId(), ANY_VERSION)], InvalidVersioningError),
        ([a_check(StreamId(), NO_VERSIONING)], InvalidVersioningError),
        ([a_check(StreamId(), 3)], InvalidVersioningError),
    ],
)
def test_wrong_checks_are_refused_before_anything_is_stored(storage, streams, wrong, error):
    a, _, _ = streams

    with pytest.raises(error):
        storage.insert_all([part(a, 0, events(a, 1))], unchanged=wrong)

    assert counts(storage, [a]) == [0]


def test_tenants_check_their_own_streams(world, streams):
    a, b, _ = streams
    ours, theirs = (world.storage("first", tenant) for tenant in ("ours", "theirs"))
    theirs.insert_events(b, ExplicitVersioning(0), events(b, 1))

    assert ours.insert_all([part(a, 0, events(a, 1))], unchanged=[check(b, 0)]) == [1]


def test_a_hundred_streams_and_checks_are_one_call(storage):
    appended, checked = ([StreamId() for _ in range(number)] for number in (60, 40))

    versions = storage.insert_all(
        [part(stream, 0, events(stream, 1)) for stream in appended],
        unchanged=[check(stream, 0) for stream in checked],
    )

    assert versions == [1] * 60


@needs(Capability.CRASHES)
@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 1)], ids=str)
def test_what_a_deletion_that_crashed_left_is_no_stream(engine, storage, sizes):
    seen = []
    for requests in range(7):
        a, b = StreamId(category="Account"), StreamId(category="Account")
        version = 0
        for size in sizes:
            version = storage.insert_events(b, ExplicitVersioning(version), events(b, size))
        with engine.crash_after(requests) as dying, suppress(Crash):
            dying.storage.delete_stream(b)
        process = engine.fresh_process().storage
        seen.append(bool(process.fetch_events(b, 1)))
        good, wrong = (3, 0) if seen[-1] else (0, 3)

        with pytest.raises(AppendAllConflictError) as caught:
            process.insert_all([part(a, 0, events(a, 1))], unchanged=[check(b, wrong)])
        assert (caught.value.expected, caught.value.actual) == (wrong, good)
        assert process.insert_all([part(a, 0, events(a, 1))], unchanged=[check(b, good)]) == [1]

        if not good:  # A check does not finish the deletion.
            assert process.insert_events(b, ExplicitVersioning(0), events(b, 2)) == 2
            with pytest.raises(AppendAllConflictError):
                process.insert_all([part(a, 1, events(a, 1))], unchanged=[check(b, 0)])
    assert {*seen} == {True, False}
