"""A stream has one snapshot, never ahead of the stream, never replaced by an older one."""

import pytest

from dynamo_es import StreamId
from dynamo_es.exceptions import ConcurrentStreamWriteError, SnapshotAheadOfStreamError
from dynamo_es.testing.conformance.language import a_snapshot, an_event, numbered

PROCESSES = ["first", "cold"]


@pytest.fixture
def stream() -> StreamId:
    return StreamId(category="Order")


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("version", [1, 2, 3, 4, 5, 6])
def test_load_starts_from_the_snapshot(given, when, then, stream, version, process):
    stored = given.stream(stream).with_commits_of(1, 3, 2)
    snapshot = a_snapshot(stream, version)

    when.in_process(process).saving(snapshot)

    then.stream(stream).loads(snapshot, *stored[version:])


def test_explicit_start_returns_events_only(given, then, stream):
    stored = given.stream(stream).with_commits_of(1, 3, 2)
    given.stream(stream).with_snapshot(3)

    then.stream(stream).is_(stored).gives(stored[2:], start=3).gives(stored[3:], start=4)


@pytest.mark.parametrize("stop", [1, 2, 3, 4, 5, 6, 7, 8, 100])
def test_snapshot_counts_only_below_stop(given, then, stream, stop):
    stored = given.stream(stream).with_commits_of(1, 3, 2)
    snapshot = given.stream(stream).with_snapshot(4)
    expected = [snapshot, *stored[4 : stop - 1]] if stop > 4 else stored[: stop - 1]

    then.stream(stream).gives(expected, stop=stop)


def test_events_appended_later_come_after_it(given, when, then, stream):
    stored = given.stream(stream).with_commits_of(3)
    snapshot = given.stream(stream).with_snapshot(3)
    then.stream(stream).loads(snapshot)
    appended = an_event(stream)

    when.appending(appended, to=stream, expecting=3)

    then.stream(stream).loads(snapshot, *numbered([appended], 4)).is_([*stored, appended])


@pytest.mark.parametrize("stale_by", [1, 2, 3])
def test_loading_a_snapshot_misleads_no_later_append(given, when, then, stream, stale_by):
    stored = given.stream(stream).with_commits_of(1, 3, 2)
    given.stream(stream).with_snapshot(6 - stale_by)
    cold = when.in_process("cold")
    cold.loading(stream)

    cold.appending(an_event(stream), to=stream, expecting=6 - stale_by)
    then.it_is_refused(ConcurrentStreamWriteError, expected=6 - stale_by, actual=6)
    appended = an_event(stream)
    cold.appending(appended, to=stream, expecting=6)

    then.stream(stream).is_([*stored, appended])


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("version", [3, 5, 6])
def test_newer_one_replaces_it(given, when, then, stream, version, process):
    stored = given.stream(stream).with_commits_of(1, 3, 2)
    given.stream(stream).with_snapshot(2)
    newer = a_snapshot(stream, version)

    when.in_process(process).saving(newer)

    then.stream(stream).loads(newer, *stored[version:]).is_(stored)


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("version", [1, 3, 4])
def test_same_or_older_one_is_dropped_silently(given, when, then, stream, version, process):
    stored = given.stream(stream).with_commits_of(1, 3, 2)
    kept = given.stream(stream).with_snapshot(4)

    when.in_process(process).saving(a_snapshot(stream, version))

    then.stream(stream).loads(kept, *stored[4:]).is_(stored)


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("version", [7, 8, 1_000, 10**18, 10**30, 10**130])
def test_snapshot_ahead_of_the_stream_is_refused(given, when, then, stream, version, process):
    stored = given.stream(stream).with_commits_of(1, 3, 2)

    when.in_process(process).saving(a_snapshot(stream, version))

    then.it_is_refused(
        SnapshotAheadOfStreamError,
        stream_id=str(stream),
        snapshot_version=version,
        stream_version=6,
    )
    then.stream(stream).loads(*stored)


@pytest.mark.parametrize("version", [1, 2, 10**18])
def test_snapshot_of_a_missing_stream_is_refused(when, then, stream, version):
    when.saving(a_snapshot(stream, version))

    then.it_is_refused(
        SnapshotAheadOfStreamError,
        stream_id=str(stream),
        snapshot_version=version,
        stream_version=0,
    )
    then.stream(stream).is_missing()


@pytest.mark.parametrize("process", PROCESSES)
def test_snapshot_of_a_deleted_stream_is_refused(given, when, then, stream, process):
    given.stream(stream).with_commits_of(1, 3)
    given.in_process(process).stream(stream).deleted()

    when.in_process(process).saving(a_snapshot(stream, 3))

    then.it_is_refused(SnapshotAheadOfStreamError, snapshot_version=3, stream_version=0)
    then.stream(stream).is_missing()


def test_process_that_missed_appends_saves_a_snapshot_of_them(given, when, then, stream):
    given.stream(stream).with_commits_of(2)
    given.in_process("stale").stream(stream).loaded()
    stored = given.stream(stream).with_commits_of(3)
    snapshot = a_snapshot(stream, 4)

    when.in_process("stale").saving(snapshot)

    then.stream(stream).loads(snapshot, *stored[2:])


def test_snapshot_is_deleted_with_the_stream(given, when, then, stream):
    given.stream(stream).with_commits_of(1, 3)
    given.stream(stream).with_snapshot(2)

    when.deleting(stream)

    then.stream(stream).is_missing()


@pytest.mark.parametrize("sizes", [(1,), (2,), (4,), (1, 1, 1, 1, 1)])
def test_snapshot_of_an_earlier_generation_is_not_in_the_next(given, when, then, stream, sizes):
    given.stream(stream).with_commits_of(1, 3)
    given.stream(stream).with_snapshot(4)
    given.stream(stream).deleted()

    stored = given.stream(stream).with_commits_of(*sizes)
    then.stream(stream).loads(*stored).is_(stored)

    snapshot = a_snapshot(stream, 1)
    when.saving(snapshot)
    then.stream(stream).loads(snapshot, *stored[1:])


@pytest.mark.parametrize("sizes", [(1,), (2, 2), (3, 3, 3)])
@pytest.mark.parametrize("version", [2, 4])
def test_process_that_loaded_a_snapshot_reads_the_next_generation(
    given, when, then, stream, sizes, version
):
    given.stream(stream).with_commits_of(1, 3)
    given.stream(stream).with_snapshot(version)
    given.in_process("stale").stream(stream).loaded()
    given.stream(stream).deleted()
    then.in_process("stale").stream(stream).is_missing()

    stored = given.stream(stream).with_commits_of(*sizes)
    then.in_process("stale").stream(stream).loads(*stored)
    snapshot = a_snapshot(stream, 1)
    when.saving(snapshot)

    then.in_process("stale").stream(stream).loads(snapshot, *stored[1:]).is_(stored)


@pytest.mark.parametrize("newer", [5, 6, 7, 8])
@pytest.mark.parametrize("version", [2, 3, 4])
def test_process_that_loaded_a_snapshot_loads_a_newer_one(
    given, when, then, stream, version, newer
):
    stored = given.stream(stream).with_commits_of(1, 3)
    given.stream(stream).with_snapshot(version)
    given.in_process("stale").stream(stream).loaded()
    stored += given.stream(stream).with_commits_of(2, 2)
    snapshot = a_snapshot(stream, newer)

    when.saving(snapshot)

    then.in_process("stale").stream(stream).loads(snapshot, *stored[newer:]).is_(stored)


def test_snapshot_keeps_its_payload_and_metadata(given, when, then, stream):
    given.stream(stream).with_commits_of(1)
    snapshot = a_snapshot(
        stream, 1, data={"": [None, -0.0, 2**130], "é😀": {}}, context={"\0": {"a": [[]]}}
    )

    when.saving(snapshot)

    then.stream(stream).loads(snapshot)


def test_large_snapshot(given, when, then, stream):
    stored = given.stream(stream).with_commits_of(3)
    snapshot = a_snapshot(stream, 2, data={"entries": list(range(50_000))})

    when.saving(snapshot)

    then.stream(stream).loads(snapshot, *stored[2:]).is_(stored)
