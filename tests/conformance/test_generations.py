"""Loaded events know their generation, and appends based on them reach no other generation."""

from __future__ import annotations

import pickle
from copy import copy, deepcopy
from dataclasses import replace

import pytest

from dynamo_es import ANY_VERSION, NO_VERSIONING, ExplicitVersioning, StoredVersion, StreamId
from dynamo_es.exceptions import ConcurrentStreamWriteError, InvalidVersioningError
from dynamo_es.testing.conformance.language import a_snapshot, an_event, events
from tests.event_store.accounts import Deposited

# As many events as the generation before, cut in other ways; fewer; more.
NEXT = [(4,), (1, 3), (1, 1, 2), (2,), (2, 2, 1)]


@pytest.fixture
def stream() -> StreamId:
    return StreamId(category="Order")


def generation_of(world, stream, process="first"):
    (generation,) = {event.generation for event in world.storage(process, "").fetch_events(stream)}
    return generation


def create_again(given, stream, sizes):
    given.stream(stream).deleted()
    return given.stream(stream).with_commits_of(*sizes)


def test_everything_that_is_loaded_tells_its_generation(given, world, stream):
    given.stream(stream).with_commits_of(1, 3)
    given.stream(stream).with_snapshot(2)
    first = generation_of(world, stream)
    assert isinstance(first, int)
    create_again(given, stream, (4,))
    given.stream(stream).with_snapshot(3)

    assert generation_of(world, stream) > first


def test_streams_without_versions_tell_it_too(given, world, stream):
    given.stream(stream).without_versions(1, 2)

    assert generation_of(world, stream) >= 1


def test_an_append_tells_the_generation_and_whether_it_was_there_already(given, world, stream):
    storage = world.storage("first", "")
    new = events(stream, 2)
    for expected, repeated in ((0, False), (0, True)):
        version = storage.insert_events(stream, ExplicitVersioning(expected), new)
        assert isinstance(version, StoredVersion)
        assert version == 2
        assert version.repeated is repeated
        assert version.generation == generation_of(world, stream)
    more = [an_event(stream)]
    version = storage.insert_events(stream, ANY_VERSION, more)
    assert isinstance(version, StoredVersion)
    assert (version, version.repeated) == (3, False)
    unversioned = StreamId()
    assert storage.insert_events(unversioned, NO_VERSIONING, [an_event(unversioned)]) is None


def test_the_winners_of_a_conflict_tell_it_too(given, when, world, stream):
    given.stream(stream).with_commits_of(2, 1)

    with pytest.raises(ConcurrentStreamWriteError) as refused:
        world.storage("first", "").insert_events(stream, ExplicitVersioning(2), events(stream, 1))

    assert [one.generation for one in refused.value.winning] == [generation_of(world, stream)]


@pytest.mark.parametrize("process", ["first", "cold"])
def test_an_append_to_the_generation_that_was_loaded_is_accepted(
    given, when, then, world, stream, process
):
    stored = given.stream(stream).with_commits_of(1, 3)
    generation = generation_of(world, stream)
    appended = an_event(stream)

    when.in_process(process).appending(
        appended, to=stream, expecting=ExplicitVersioning(4, generation)
    )

    then.stream(stream).is_([*stored, appended])


@pytest.mark.parametrize("expected", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("process", ["first", "cold"])
def test_a_wrong_version_is_refused_whatever_the_generation(
    given, when, then, world, stream, process, expected
):
    given.stream(stream).with_commits_of(1, 3)
    generation = generation_of(world, stream)

    when.in_process(process).appending(
        an_event(stream), to=stream, expecting=ExplicitVersioning(expected, generation)
    )

    then.it_is_refused(ConcurrentStreamWriteError, expected=expected, actual=4)


@pytest.mark.parametrize("process", ["first", "cold", "late"])
@pytest.mark.parametrize("sizes", NEXT, ids=str)
@pytest.mark.parametrize("looked", [False, True])
def test_a_late_writer_is_kept_out_of_the_next_generation(
    given, when, then, world, stream, sizes, process, looked
):
    given.stream(stream).with_commits_of(1, 3)
    generation = generation_of(world, stream, "late")
    stored = create_again(given, stream, sizes)
    if looked:  # another thread of that process: the head that is remembered is the new one
        given.in_process(process).stream(stream).loaded()

    when.in_process(process).appending(
        *events(stream, 2), to=stream, expecting=ExplicitVersioning(4, generation)
    )

    then.it_is_refused(ConcurrentStreamWriteError, expected=4, actual=sum(sizes))
    then.stream(stream).is_(stored)


def test_the_refusal_says_that_it_is_another_generation(given, world, stream):
    given.stream(stream).with_commits_of(4)
    generation = generation_of(world, stream)
    create_again(given, stream, (4,))

    with pytest.raises(ConcurrentStreamWriteError, match="earlier generation"):
        world.storage("first", "").insert_events(
            stream, ExplicitVersioning(4, generation), events(stream, 1)
        )


@pytest.mark.parametrize("process", ["first", "cold", "late"])
def test_a_late_writer_is_refused_by_a_deleted_stream(given, when, then, world, stream, process):
    given.stream(stream).with_commits_of(1, 3)
    generation = generation_of(world, stream, "late")
    given.stream(stream).deleted()

    when.in_process(process).appending(
        an_event(stream), to=stream, expecting=ExplicitVersioning(4, generation)
    )

    then.it_is_refused(ConcurrentStreamWriteError, expected=4, actual=0)
    then.stream(stream).is_missing()


@pytest.mark.parametrize("process", ["first", "cold", "late"])
@pytest.mark.parametrize("sizes", NEXT, ids=str)
@pytest.mark.parametrize("looked", [False, True])
def test_a_late_snapshot_is_kept_out_of_the_next_generation(
    given, when, then, world, stream, sizes, process, looked
):
    given.stream(stream).with_commits_of(1, 3)
    generation = generation_of(world, stream, "late")
    stored = create_again(given, stream, sizes)
    if looked:
        given.in_process(process).stream(stream).loaded()

    when.in_process(process).saving(a_snapshot(stream, 2, generation=generation))

    then.stream(stream).loads(*stored).is_(stored)


@pytest.mark.parametrize("process", ["first", "cold"])
def test_a_snapshot_of_the_live_generation_is_kept(given, when, then, world, stream, process):
    given.stream(stream).with_commits_of(4)
    stored = create_again(given, stream, (1, 3))
    snapshot = a_snapshot(stream, 2, generation=generation_of(world, stream))

    when.in_process(process).saving(snapshot)

    then.stream(stream).loads(snapshot, *stored[2:])


def test_the_generation_of_an_event_is_no_part_of_what_it_is(given, world, stream):
    stored = given.stream(stream).with_commits_of(2)

    loaded = world.storage("first", "").fetch_events(stream)

    assert loaded == stored
    assert loaded == [replace(event, generation=None) for event in loaded]


def test_appending_what_was_loaded_goes_by_the_version_alone(given, when, then, world, stream):
    given.stream(stream).with_commits_of(2)
    loaded = world.storage("first", "").fetch_events(stream)
    given.stream(stream).deleted()

    when.appending(*loaded, to=stream, expecting=0)

    then.stream(stream).is_(loaded)


@pytest.mark.parametrize(
    ("version", "generation"), [(1, 0), (1, -1), (1, True), (1, "1"), (1, 1.0), (0, 1), (True, 1)]
)
def test_a_generation_is_an_integer_above_0_and_goes_with_a_version(version, generation):
    with pytest.raises(InvalidVersioningError):
        ExplicitVersioning(version, generation)


@pytest.mark.parametrize("process", ["first", "late"])
def test_a_version_that_an_append_returned_is_kept_out_of_the_next_generation(
    given, when, then, world, stream, process
):
    version = world.storage(process, "").insert_events(
        stream, ExplicitVersioning(0), events(stream, 4)
    )
    stored = create_again(given, stream, (4,))

    when.in_process(process).appending(
        an_event(stream), to=stream, expecting=ExplicitVersioning(version)
    )

    then.it_is_refused(ConcurrentStreamWriteError, expected=4, actual=4)
    then.stream(stream).is_(stored)


def test_a_typed_append_takes_the_generation_of_a_stored_version(engine, world):
    store = engine.fresh_process().event_store
    stream = StreamId(category="account")
    appended = store.append(Deposited(amount=1), stream_id=stream)
    asked = store.version(stream)
    store.append(Deposited(amount=2), stream_id=stream, expected_version=appended)
    store.delete_stream(stream)
    store.append(Deposited(amount=3), stream_id=stream, expected_version=store.version(stream))

    for late in (appended, asked):
        with pytest.raises(ConcurrentStreamWriteError, match="earlier generation"):
            store.append(Deposited(amount=4), stream_id=stream, expected_version=late)

    assert [one.event.amount for one in store.load_stream(stream)] == [3]


def test_a_stored_version_brings_its_generation():
    version = StoredVersion(3, 77, repeated=True)

    assert ExplicitVersioning(version) == ExplicitVersioning(3, 77)
    assert ExplicitVersioning(version, 77) == ExplicitVersioning(3, 77)
    assert type(ExplicitVersioning(version).expected_version) is int
    assert ExplicitVersioning(StoredVersion(0, 0)) == ExplicitVersioning(0)
    assert ExplicitVersioning(int(version)) == ExplicitVersioning(3)
    for again in (copy(version), deepcopy(version), pickle.loads(pickle.dumps(version))):  # noqa: S301
        assert (again, again.generation, again.repeated) == (3, 77, True)


def test_another_generation_than_that_of_the_stored_version_is_refused():
    with pytest.raises(InvalidVersioningError, match="generation 77, not 78"):
        ExplicitVersioning(StoredVersion(3, 77), 78)
