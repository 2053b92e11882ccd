"""Ranges include ``start`` and exclude ``stop``, over commits of any size."""

import pytest

from dynamo_es import StreamId
from dynamo_es.contracts import StreamCommit
from dynamo_es.contracts.moments import in_utc
from dynamo_es.testing.conformance.language import events, numbered

VERSIONS = [None, *range(1, 10)]
CUTS = [(7,), (1,) * 7, (1, 3, 2, 1), (4, 3)]


@pytest.fixture
def stream() -> StreamId:
    return StreamId(category="Order")


@pytest.mark.parametrize("sizes", CUTS, ids=str)
def test_every_range(given, then, stream, sizes):
    stored = given.stream(stream).with_commits_of(*sizes)

    for start in VERSIONS:
        for stop in VERSIONS:
            first, end = start or 1, stop or 8
            then.stream(stream).gives(stored[first - 1 : max(end - 1, first - 1)], start, stop)


@pytest.mark.parametrize("sizes", CUTS[1:3], ids=str)
@pytest.mark.parametrize("snapshot_version", [1, 4, 7])
def test_every_range_with_a_snapshot(given, then, stream, sizes, snapshot_version):
    stored = given.stream(stream).with_commits_of(*sizes)
    snapshot = given.stream(stream).with_snapshot(snapshot_version)

    for start in VERSIONS:
        for stop in VERSIONS:
            first, end = start or 1, stop or 8
            expected = stored[first - 1 : max(end - 1, first - 1)]
            if start is None and (stop is None or snapshot_version < stop):
                expected = [snapshot, *stored[snapshot_version : end - 1]]
            then.stream(stream).gives(expected, start, stop)


@pytest.mark.parametrize(("start", "stop"), [(1, None), (None, 5), (3, 4), (10**12, None)])
def test_every_range_of_a_missing_stream_is_empty(then, stream, start, stop):
    then.stream(stream).gives([], start, stop)


@pytest.mark.parametrize("start", [8, 9, 10**12, 10**18, 10**18 + 1, 10**30, 10**130])
def test_range_beyond_the_end_is_empty(given, then, stream, start):
    given.stream(stream).with_commits_of(1, 3, 2, 1)
    given.stream(stream).with_snapshot(7)

    then.stream(stream).gives([], start).gives([], start, start + 1).gives([], start, 5)


@pytest.mark.parametrize("stop", [8, 10**12, 10**18, 10**18 + 1, 10**30, 10**130])
def test_stop_may_be_beyond_the_end(given, then, stream, stop):
    stored = given.stream(stream).with_commits_of(1, 3, 2, 1)

    then.stream(stream).gives(stored, None, stop).gives(stored[2:], 3, stop)
    snapshot = given.stream(stream).with_snapshot(5)
    then.stream(stream).gives([snapshot, *stored[5:]], None, stop).gives(stored[2:], 3, stop)


def test_range_returns_numbered_events(given, then, stream):
    stored = given.stream(stream).with_commits_of(3)

    then.stream(stream).gives(numbered(stored[1:], 2), 2)


@pytest.mark.parametrize("sizes", CUTS, ids=str)
def test_every_version_is_in_its_commit(given, stream, sizes):
    stored = given.stream(stream).with_commits_of(*sizes)
    given.stream(stream).with_snapshot(4)
    head = given.storage.head(stream)
    first = 1
    for size in sizes:
        last = first + size - 1
        latest = max(in_utc(event.created_at) for event in stored[first - 1 : last])
        for version in range(first, last + 1):
            found = given.storage.commit_at(stream, version, head.generation)
            assert found == StreamCommit(first, last, latest)
        first = last + 1


def test_no_commit_has_a_version_that_is_not_there(given, when, stream):
    given.stream(stream).with_commits_of(2, 1)
    first = given.storage.head(stream).generation
    for version in (0, -1, 4, 10**18, 10**30):
        assert given.storage.commit_at(stream, version, first) is None
    when.deleting(stream)
    assert given.storage.commit_at(stream, 1, first) is None
    when.appending(*events(stream, 4), to=stream, expecting=0)
    assert given.storage.commit_at(stream, 1, first) is None
    second = given.storage.head(stream).generation
    assert given.storage.commit_at(stream, 2, second).last == 4
