"""Appends to several streams in one write: all of them or none are stored."""

from itertools import count

import pytest

from dynamo_es import ANY_VERSION, DEFAULT_TENANT, NO_VERSIONING, ExplicitVersioning, StreamId
from dynamo_es.contracts import StreamAppend, StreamCheck
from dynamo_es.exceptions import (
    AppendAllConflictError,
    CommitTooLargeError,
    ConcurrentStreamWriteError,
    ExpectedVersionUsedOnVersionlessStream,
    InvalidEnlistedWriteError,
    InvalidEventError,
    InvalidVersioningError,
)
from dynamo_es.testing.conformance.engine import Capability, Crash, needs
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


def part(stream, expected, some, generation=None):
    return StreamAppend(stream, ExplicitVersioning(expected, generation), some)


def new_streams(number):
    return [StreamId() for _ in range(number)]


def counts(storage, streams):
    return [len(storage.fetch_events(stream, 1)) for stream in streams]


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


def test_tenants_do_not_meet(world, streams):
    a, b, _ = streams
    ours, theirs = (world.storage("first", tenant) for tenant in ("ours", "theirs"))
    ours.insert_all([part(a, 0, events(a, 1)), part(b, 0, events(b, 2))])

    theirs.insert_all([part(a, 0, events(a, 3)), part(b, 0, events(b, 4))])

    assert counts(ours, [a, b]) == [1, 2]
    assert counts(theirs, [a, b]) == [3, 4]


@needs(Capability.LIMITS)
@pytest.mark.parametrize(("appended", "checked"), [(101, 0), (60, 41)])
def test_a_call_has_a_hundred_streams_at_most(storage, appended, checked):
    parts = [part(stream, 0, events(stream, 1)) for stream in new_streams(appended)]
    unchanged = [StreamCheck(stream, ExplicitVersioning(0)) for stream in new_streams(checked)]

    with pytest.raises(CommitTooLargeError, match=r"in 101 items .* fewer streams"):
        storage.insert_all(parts, unchanged=unchanged)
    assert counts(storage, [each.stream_id for each in parts[:2]]) == [0, 0]


@needs(Capability.LIMITS, Capability.LARGE)
def test_events_too_large_for_one_transaction_are_refused(storage, streams):
    a, b, _ = streams

    with pytest.raises(CommitTooLargeError, match="fewer streams"):
        storage.insert_all([part(s, 0, heavy_events(s, 10, 300_000)) for s in (a, b)])


def test_a_refusal_names_each_stream_that_moved_with_the_events_that_were_faster(
    storage, other, streams
):
    a, b, c = streams
    storage.insert_all([part(s, 0, events(s, 1)) for s in streams])
    of_a, of_c = events(a, 1), events(c, 2)
    other.insert_events(a, ExplicitVersioning(1), of_a)
    other.insert_events(c, ExplicitVersioning(1), of_c)

    with pytest.raises(AppendAllConflictError) as caught:
        storage.insert_all([part(s, 1, events(s, 1)) for s in (c, b, a)])

    assert list(caught.value.conflicts) == [c, a]
    assert_same(caught.value.conflicts[a].winning, numbered(of_a, 2))
    assert_same(caught.value.conflicts[c].winning, numbered(of_c, 2))
    assert [each.actual for each in caught.value.conflicts.values()] == [3, 2]
    assert (caught.value.stream_id, caught.value.expected, caught.value.actual) == (str(c), 1, 3)
    assert counts(storage, streams) == [2, 1, 3]


def test_one_append_alone_is_refused_as_ever(storage, streams):
    a, _, _ = streams
    storage.insert_events(a, ExplicitVersioning(0), events(a, 1))

    with pytest.raises(ConcurrentStreamWriteError) as caught:
        storage.insert_all([part(a, 0, events(a, 1))])

    assert type(caught.value) is ConcurrentStreamWriteError


@pytest.mark.inline
def test_what_was_appended_follows_each_other_in_the_log(world, streams):
    storage = world.storage("first", DEFAULT_TENANT)
    a, b, c = streams
    storage.insert_events(c, ExplicitVersioning(0), events(c, 1))
    before = storage.current_position

    storage.insert_all([part(a, 0, events(a, 2)), part(b, 0, events(b, 3))])

    assert storage.current_position == before + 5


@needs(Capability.CRASHES)
def test_a_process_that_dies_has_written_to_all_streams_or_to_none(engine, storage):
    seen = []
    for requests in count():
        a, b, c, d = streams = [StreamId(category="Account") for _ in range(4)]
        storage.insert_all([part(s, 0, events(s, 1)) for s in (b, c, d)])
        storage.delete_stream(c)
        call = [part(a, 0, events(a, 1)), part(b, 1, events(b, 2)), part(c, 0, events(c, 3))]
        unchanged = [StreamCheck(d, ExplicitVersioning(1))]
        crashed = False
        with engine.crash_after(requests) as dying:
            try:
                dying.storage.insert_all(call, unchanged=unchanged)
            except Crash:
                crashed = True
        found = counts(engine.fresh_process().storage, streams)
        assert found in ([0, 1, 0, 1], [1, 3, 3, 1])
        seen.append(found[0])

        versions = engine.fresh_process().storage.insert_all(call, unchanged=unchanged)

        assert versions == [1, 3, 3]
        assert counts(storage, streams) == [1, 3, 3, 1]
        if not crashed:
            break
    assert seen == sorted(seen)
    assert {*seen} == {0, 1}
