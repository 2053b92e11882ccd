"""Streams and commits that are longer than a page, an item or a request."""

from dataclasses import replace

import pytest

from dynamo_es import ANY_VERSION, NO_VERSIONING, StreamId
from dynamo_es.exceptions import CommitTooLargeError, ConcurrentStreamWriteError
from dynamo_es.testing.conformance.engine import Capability, needs
from dynamo_es.testing.conformance.language import a_snapshot, an_event, events, heavy_events

KB = 1_000
MANY = (1,) * 70
MIXED = (1, 4, 2, 10, 1, 1, 30) * 10


@pytest.fixture
def stream() -> StreamId:
    return StreamId(category="Order")


@pytest.mark.parametrize("sizes", [MANY, (1,) * 33, (1,) * 32, (3,) * 35, MIXED])
def test_stream_of_many_commits(given, then, stream, sizes):
    stored = given.stream(stream).with_commits_of(*sizes)
    end = len(stored)

    then.stream(stream).is_(stored).loads(*stored)
    for start, stop in [(2, end), (end, None), (end // 2, end // 2 + 3), (end - 1, 10**9)]:
        then.stream(stream).gives(stored[start - 1 : (stop or end + 1) - 1], start, stop)
        then.stream(stream).gives(stored[: start - 1], None, start)


def test_stream_of_many_commits_with_a_snapshot(given, then, stream):
    stored = given.stream(stream).with_commits_of(*MANY)

    for version in [1, 2, 31, 36, 37, 38, 39, 60, 69, 70]:
        snapshot = given.stream(stream).with_snapshot(version)
        then.stream(stream).loads(snapshot, *stored[version:])
        then.stream(stream).gives(stored[: version - 1], stop=version)
        then.stream(stream).gives([snapshot], stop=version + 1)

    then.stream(stream).is_(stored)


def test_append_in_the_middle_of_many_commits_is_refused(given, when, then, stream):
    stored = given.stream(stream).with_commits_of(*MANY)

    for expected in [0, 1, 35, 69]:
        when.in_process("cold").appending(an_event(stream), to=stream, expecting=expected)
        then.it_is_refused(ConcurrentStreamWriteError, expected=expected, actual=70)

    then.stream(stream).is_(stored)


def test_stream_of_many_commits_without_versions(given, then, stream):
    stored = given.stream(stream).without_versions(*MANY)

    then.stream(stream).is_versionless(stored).gives(stored[39:60], 40, 61)


@pytest.mark.parametrize("sizes", [(1,), (70,), (1,) * 40, (2,) * 40])
def test_stream_of_many_commits_is_deleted_and_created_again(given, when, then, stream, sizes):
    given.stream(stream).with_commits_of(*MANY)
    given.stream(stream).with_snapshot(50)

    when.in_process("cold").deleting(stream)
    then.stream(stream).is_missing()

    given.stream(stream).deleted()
    stored = given.stream(stream).with_commits_of(*sizes)
    then.stream(stream).is_(stored).loads(*stored)


@pytest.fixture
def heavy(given, stream):
    """About 2 MB of events, in commits of two."""
    pairs = [heavy_events(stream, 2, 100 * KB) for _ in range(10)]
    return given.stream(stream).with_commits(*pairs)


def test_stream_past_a_page_of_one_megabyte(then, stream, heavy):
    then.stream(stream).is_(heavy).loads(*heavy)


def test_range_past_a_page_of_one_megabyte(then, stream, heavy):
    for start, stop in [(2, 20), (4, 5), (19, None), (None, 18), (12, 21)]:
        then.stream(stream).gives(heavy[(start or 1) - 1 : (stop or 21) - 1], start, stop)


def test_snapshot_of_a_stream_past_a_page_of_one_megabyte(given, then, stream, heavy):
    for version in [1, 2, 9, 19, 20]:
        snapshot = given.stream(stream).with_snapshot(version)
        then.stream(stream).loads(snapshot, *heavy[version:])

    then.stream(stream).is_(heavy)


def test_appends_and_delete_past_a_page_of_one_megabyte(given, when, then, stream, heavy):
    appended = an_event(stream)
    when.in_process("cold").appending(appended, to=stream, expecting=20)
    then.stream(stream).is_([*heavy, appended])
    cold = when.in_process("another")
    cold.appending(an_event(stream), to=stream, expecting=19)
    then.it_is_refused(ConcurrentStreamWriteError, expected=19, actual=21)
    cold.appending(*heavy[3:9], to=stream, expecting=3)

    cold.deleting(stream)

    then.stream(stream).is_missing()


# An append that does not fit into one item is also stored completely or not at all.
ODD_SIZES = [[300 * KB] * 3, [150 * KB] * 7, [399 * KB - 2 * KB, 1 * KB, 390 * KB], [30 * KB] * 60]


@pytest.mark.parametrize("sizes", ODD_SIZES, ids=["3", "7", "near the limit", "60"])
def test_append_of_more_than_one_item(given, when, then, stream, sizes):
    stored = given.stream(stream).with_commits_of(1)
    appended = [event for size in sizes for event in heavy_events(stream, 1, size)]
    end = 1 + len(appended)

    when.appending(*appended, to=stream, expecting=1)

    then.stream(stream).is_([*stored, *appended])
    fetched = then.storage.fetch_events(stream)
    then.stream(stream).gives(fetched[2:], start=3).gives(fetched[: end - 1], stop=end)
    then.stream(stream).gives(fetched[1 : end - 1], 2, end)


@needs(Capability.LARGE)
def test_append_of_more_than_one_item_is_refused_as_a_whole(given, when, then, stream):
    stored = given.stream(stream).with_commits_of(1, 1)
    given.in_process("stale").stream(stream).loaded()
    stored += given.stream(stream).with_commits_of(1)
    appended = heavy_events(stream, 4, 300 * KB)

    for expecting, process in [(0, "first"), (2, "stale"), (2, "first"), (4, "stale")]:
        when.in_process(process).appending(*appended, to=stream, expecting=expecting)
        then.it_is_refused(
            ConcurrentStreamWriteError, stream_id=str(stream), expected=expecting, actual=3
        )

    then.stream(stream).is_(stored)


@needs(Capability.LARGE)
@pytest.mark.parametrize("process", ["first", "cold"])
def test_append_of_more_than_one_item_again(given, when, then, stream, process):
    appended = heavy_events(stream, 4, 300 * KB)
    stored = given.stream(stream).with_commits([an_event(stream)], appended)

    when.in_process(process).appending(*appended, to=stream, expecting=1)
    when.in_process(process).appending(*appended[1:3], to=stream, expecting=2)

    then.stream(stream).is_(stored)


@needs(Capability.LARGE)
@pytest.mark.parametrize("process", ["first", "cold", "stale"])
def test_append_of_more_than_one_item_at_any_version(given, when, then, stream, process):
    stored = given.stream(stream).with_commits_of(1)
    given.in_process("stale").stream(stream).loaded()
    stored += given.stream(stream).with_commits_of(2, 1)
    appended = heavy_events(stream, 3, 300 * KB)

    when.in_process(process).appending(*appended, to=stream, expecting=ANY_VERSION)

    then.stream(stream).is_([*stored, *appended])


@needs(Capability.LARGE)
def test_append_of_more_than_one_item_without_versions(given, when, then, stream):
    stored = given.stream(stream).without_versions(1)
    appended = heavy_events(stream, 3, 300 * KB)

    when.in_process("cold").appending(*appended, to=stream, expecting=NO_VERSIONING)

    then.stream(stream).is_versionless([*stored, *appended])


@needs(Capability.LARGE)
def test_append_of_more_than_one_item_creates_and_is_deleted(given, when, then, stream):
    appended = heavy_events(stream, 4, 300 * KB)
    when.appending(*appended, to=stream, expecting=0)
    then.stream(stream).is_(appended)
    given.in_process("late").stream(stream).loaded()

    when.in_process("cold").deleting(stream)
    then.stream(stream).is_missing()

    when.in_process("late").appending(*heavy_events(stream, 2, 300 * KB), to=stream, expecting=4)
    then.it_is_refused(ConcurrentStreamWriteError, expected=4)
    again = heavy_events(stream, 5, 300 * KB)
    when.appending(*again, to=stream, expecting=0)
    then.stream(stream).is_(again)


@needs(Capability.LIMITS)
@pytest.mark.parametrize(
    ("number", "size"),
    # Compressing 7 MB takes long.
    [(1, 700 * KB), pytest.param(20, 350 * KB, marks=pytest.mark.ci)],
)
@pytest.mark.parametrize("existing", [0, 1])
def test_append_past_the_limits_is_refused(given, when, then, stream, existing, number, size):
    stored = given.stream(stream).with_commits_of(*[1] * existing)
    appended = heavy_events(stream, number, size)

    when.appending(*appended, to=stream, expecting=existing)

    then.it_is_refused(CommitTooLargeError, stream_id=str(stream))
    then.stream(stream).is_(stored)


@needs(Capability.LIMITS)
def test_snapshot_past_the_limit_is_refused(given, when, then, stream):
    stored = given.stream(stream).with_commits_of(1)
    (blob,) = heavy_events(stream, 1, 700 * KB)

    when.saving(a_snapshot(stream, 1, data=blob.data))

    then.it_is_refused(CommitTooLargeError, stream_id=str(stream))
    then.stream(stream).loads(*stored)


def test_large_append_that_compresses_well(when, then, stream):
    appended = [an_event(stream, data={"text": "again and again " * 20_000}) for _ in range(5)]

    when.appending(*appended, to=stream, expecting=0)

    then.stream(stream).is_(appended)


def test_append_of_a_thousand_events(given, when, then, stream):
    appended = events(stream, 1_000)

    when.appending(*appended, to=stream, expecting=0)
    last = an_event(stream)
    when.in_process("cold").appending(last, to=stream, expecting=1_000)

    then.stream(stream).is_([*appended, last])
    tail = [replace(event, version=990 + index) for index, event in enumerate(appended[989:999])]
    then.stream(stream).gives(tail, 990, 1_000)
