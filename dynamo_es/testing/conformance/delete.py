"""Deleting streams, creating them again, and refusing late writers of an earlier generation."""

import pytest

from dynamo_es import StreamId
from dynamo_es.exceptions import ConcurrentStreamWriteError, SnapshotAheadOfStreamError
from dynamo_es.testing.conformance.engine import Capability, needs
from dynamo_es.testing.conformance.language import a_snapshot, an_event, events

# Sizes of commits: the same versions in other commits; shorter; longer.
GENERATIONS = [(1,), (2,), (1, 1), (4,), (1, 3), (3, 1), (2, 2), (1,) * 4, (5,), (1,) * 7, (40,)]


@pytest.fixture
def stream() -> StreamId:
    return StreamId(category="Order")


@pytest.mark.parametrize("process", ["first", "cold"])
@pytest.mark.parametrize("sizes", [*GENERATIONS, (1,) * 40], ids=str)
def test_deleted_stream_is_missing(given, when, then, stream, sizes, process):
    given.stream(stream).with_commits_of(*sizes)

    when.in_process(process).deleting(stream)

    then.stream(stream).is_missing().gives([], start=2).gives([], stop=3)


def test_deleting_is_idempotent(given, when, then, stream):
    when.deleting(stream)
    then.stream(stream).is_missing()
    given.stream(stream).with_commits_of(2, 1)

    when.deleting(stream)
    when.deleting(stream)
    when.in_process("cold").deleting(stream)

    then.stream(stream).is_missing()


def test_stream_without_versions_is_deleted(given, when, then, stream):
    given.stream(stream).without_versions(1, 3)

    when.deleting(stream)

    then.stream(stream).is_missing()


def test_other_streams_stay(given, when, then, stream):
    others = [
        StreamId(category=stream.category),
        StreamId(uuid=stream),
        StreamId(uuid=stream, category=""),
        StreamId(uuid=stream, category="Order#"),
    ]
    stored = {other: given.stream(other).with_commits_of(1, 2) for other in others}
    snapshots = {other: given.stream(other).with_snapshot(2) for other in others}
    given.stream(stream).with_commits_of(2)

    when.deleting(stream)

    for other in others:
        then.stream(other).is_(stored[other]).loads(snapshots[other], stored[other][2])


@pytest.mark.parametrize("process", ["first", "cold", "stale"])
@pytest.mark.parametrize("sizes", GENERATIONS, ids=str)
def test_next_generation_has_its_own_events_only(given, when, then, stream, sizes, process):
    given.stream(stream).with_commits_of(1, 3)
    given.stream(stream).with_snapshot(3)
    given.in_process("stale").stream(stream).loaded()
    given.in_process("other").stream(stream).deleted()

    version, stored = 0, []
    for size in sizes:
        appended = events(stream, size)
        when.in_process(process).appending(*appended, to=stream, expecting=version)
        stored += appended
        version += size
        then.stream(stream).is_(stored)


def test_every_range_of_the_next_generation(given, then, stream):
    given.stream(stream).with_commits_of(2, 3, 1, 1)
    given.stream(stream).with_snapshot(6)
    given.stream(stream).deleted()
    stored = given.stream(stream).with_commits_of(3, 1)

    for start in [None, 1, 2, 3, 4, 5, 6, 7, 8]:
        for stop in [None, 1, 2, 3, 4, 5, 6, 7, 8]:
            first, end = start or 1, stop or 8
            then.stream(stream).gives(stored[first - 1 : max(end - 1, first - 1)], start, stop)


def test_many_generations(given, then, stream):
    for sizes in GENERATIONS:
        stored = given.stream(stream).with_commits_of(*sizes)
        snapshot = given.stream(stream).with_snapshot(1)
        then.stream(stream).is_(stored).loads(snapshot, *stored[1:])
        given.stream(stream).deleted()
        then.stream(stream).is_missing()


@pytest.mark.parametrize("loaded_at", [1, 2, 4])
@pytest.mark.parametrize("appended", [1, 2, 6])
def test_late_writer_is_refused_by_a_deleted_stream(given, when, then, stream, appended, loaded_at):
    sizes = {1: [1], 2: [1, 1], 4: [1, 1, 2]}[loaded_at]
    given.stream(stream).with_commits_of(*sizes)
    given.in_process("late").stream(stream).loaded()
    given.stream(stream).with_commits_of(*[1, 1, 2][len(sizes) :], 1)
    given.stream(stream).deleted()

    when.in_process("late").appending(*events(stream, appended), to=stream, expecting=loaded_at)

    then.it_is_refused(ConcurrentStreamWriteError, stream_id=str(stream), expected=loaded_at)
    then.stream(stream).is_missing()


@pytest.mark.parametrize("appended", [1, 2, 6])
@pytest.mark.parametrize("sizes", [sizes for sizes in GENERATIONS if sum(sizes) != 4], ids=str)
def test_late_writer_is_refused_by_a_generation_of_another_length(
    given, when, then, stream, sizes, appended
):
    given.stream(stream).with_commits_of(1, 3)
    given.in_process("late").stream(stream).loaded()
    given.stream(stream).deleted()
    stored = given.stream(stream).with_commits_of(*sizes)

    when.in_process("late").appending(*events(stream, appended), to=stream, expecting=4)

    then.it_is_refused(ConcurrentStreamWriteError, stream_id=str(stream), expected=4)
    then.stream(stream).is_(stored)


@needs(Capability.GENERATIONS)
@pytest.mark.parametrize("sizes", [sizes for sizes in GENERATIONS if sum(sizes) == 4], ids=str)
def test_late_writer_is_refused_by_a_generation_of_the_same_length(
    given, when, then, stream, sizes
):
    given.stream(stream).with_commits_of(1, 3)
    given.in_process("late").stream(stream).loaded()
    given.stream(stream).deleted()
    stored = given.stream(stream).with_commits_of(*sizes)
    late = when.in_process("late")

    late.appending(an_event(stream), to=stream, expecting=4)

    then.it_is_refused(ConcurrentStreamWriteError, stream_id=str(stream), expected=4)
    then.stream(stream).is_(stored)
    late.loading(stream)
    appended = an_event(stream)
    late.appending(appended, to=stream, expecting=4)
    then.stream(stream).is_([*stored, appended])


def test_refused_late_writer_may_create_the_next_generation(given, when, then, stream):
    given.stream(stream).with_commits_of(1, 3)
    given.in_process("late").stream(stream).loaded()
    given.stream(stream).deleted()
    late = when.in_process("late")
    late.appending(an_event(stream), to=stream, expecting=4)
    then.it_is_refused(ConcurrentStreamWriteError)
    appended = an_event(stream)

    late.appending(appended, to=stream, expecting=0)

    then.stream(stream).is_([appended])


@pytest.mark.parametrize("expected", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("process", ["first", "cold"])
def test_deleted_stream_is_at_version_0(given, when, then, stream, expected, process):
    given.stream(stream).with_commits_of(1, 3)
    given.in_process("first").stream(stream).deleted()

    when.in_process(process).appending(an_event(stream), to=stream, expecting=expected)

    then.it_is_refused(
        ConcurrentStreamWriteError, stream_id=str(stream), expected=expected, actual=0
    )
    then.stream(stream).is_missing()


@pytest.mark.parametrize("expected", [0, 1, 3, 4, 5])
@pytest.mark.parametrize("process", ["first", "cold"])
def test_next_generation_is_at_its_own_version(given, when, then, stream, expected, process):
    given.stream(stream).with_commits_of(1, 3)
    given.stream(stream).deleted()
    stored = given.stream(stream).with_commits_of(2)

    when.in_process(process).appending(an_event(stream), to=stream, expecting=expected)

    then.it_is_refused(
        ConcurrentStreamWriteError, stream_id=str(stream), expected=expected, actual=2
    )
    then.stream(stream).is_(stored)


def test_late_snapshot_of_a_deleted_stream_is_not_seen(given, when, then, stream):
    given.stream(stream).with_commits_of(1, 3)
    given.in_process("late").stream(stream).loaded()
    given.stream(stream).deleted()

    # A process that knows the old head may not notice the deletion. Only later reads matter.
    when.in_process("late").saving(a_snapshot(stream, 4))
    if when.world.refusal is not None:
        then.it_is_refused(SnapshotAheadOfStreamError, stream_version=0)

    then.stream(stream).is_missing()
    stored = given.stream(stream).with_commits_of(1, 3, 1)
    then.stream(stream).loads(*stored)


@needs(Capability.GENERATIONS)
@pytest.mark.parametrize("sizes", GENERATIONS, ids=str)
def test_late_snapshot_of_the_earlier_generation_is_not_in_the_next(
    given, when, then, stream, sizes
):
    given.stream(stream).with_commits_of(1, 3)
    given.in_process("late").stream(stream).loaded()
    given.stream(stream).deleted()
    stored = given.stream(stream).with_commits_of(*sizes)

    when.in_process("late").saving(a_snapshot(stream, 1))
    when.world.refusal = None

    then.stream(stream).loads(*stored).is_(stored)


def test_snapshot_of_the_next_generation_is_kept(given, when, then, stream):
    given.stream(stream).with_commits_of(1, 3)
    given.stream(stream).with_snapshot(4)
    given.in_process("late").stream(stream).loaded()
    given.stream(stream).deleted()
    stored = given.stream(stream).with_commits_of(2)
    snapshot = given.stream(stream).with_snapshot(2)

    when.in_process("late").saving(a_snapshot(stream, 4))
    when.world.refusal = None

    then.stream(stream).loads(snapshot).is_(stored)


@pytest.mark.parametrize("process", ["first", "late"])
def test_next_generation_is_deleted_too(given, when, then, stream, process):
    given.stream(stream).with_commits_of(1, 3)
    given.in_process("late").stream(stream).loaded()
    given.stream(stream).deleted()
    given.stream(stream).with_commits_of(1, 1)
    given.stream(stream).with_snapshot(1)

    when.in_process(process).deleting(stream)

    then.stream(stream).is_missing()
