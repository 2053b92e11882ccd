"""Saving a snapshot takes one put if the version is known; a late snapshot is no error."""

from __future__ import annotations

from random import Random

import pytest

from dynamo_es.dynamodb.streams.requests import put_snapshot
from dynamo_es.dynamodb.streams.snapshot import save_snapshot
from dynamo_es.exceptions import (
    CommitTooLargeError,
    ExpectedVersionUsedOnVersionlessStream,
    SnapshotAheadOfStreamError,
    UnavailableError,
)
from dynamo_es.testing.conformance.language import a_snapshot, events
from tests.dynamodb.machine import (
    DONE,
    GENERATION,
    LAST_GENERATION,
    NEXT_GENERATION,
    STREAM,
    TABLE,
    a_commit,
    a_fence,
    a_snapshot_item,
    a_stream,
    at,
    head_of,
    play,
    reading_head,
    refused,
    timed_out,
)


def saving(stream, snapshot):
    return save_snapshot(stream, snapshot, snapshot.version)


def put_of(snapshot, generation=GENERATION):
    return put_snapshot(TABLE, a_snapshot_item(snapshot, generation))


@pytest.mark.parametrize("version", [1, 4])
def test_warm_it_is_one_put(version):
    stream, snapshot = a_stream(at(4)), a_snapshot(STREAM, version)
    play(saving(stream, snapshot), (put_of(snapshot), DONE))
    assert head_of(stream) == at(4)


def test_one_that_tells_its_generation_is_one_put_too():
    stream, snapshot = a_stream(at(4)), a_snapshot(STREAM, 4, generation=GENERATION)
    play(saving(stream, snapshot), (put_of(snapshot), DONE))


def test_one_of_another_generation_than_is_remembered_is_saved_after_a_read():
    stream, snapshot = (
        a_stream(at(4, LAST_GENERATION)),
        a_snapshot(STREAM, 4, generation=GENERATION),
    )
    play(
        saving(stream, snapshot),
        *reading_head(a_commit(events(STREAM, 2), 3)),
        (put_of(snapshot), DONE),
    )


@pytest.mark.parametrize("remembered", [None, at(4), at(9), at(4, LAST_GENERATION)])
def test_one_of_an_earlier_generation_is_never_put_into_the_live_one(remembered):
    snapshot = a_snapshot(STREAM, 4, generation=LAST_GENERATION - 1)
    play(saving(a_stream(remembered), snapshot), *reading_head(a_commit(events(STREAM, 2), 3)))


@pytest.mark.parametrize("remembered", [None, at(3)])
def test_of_a_version_not_known_to_be_reached_it_is_a_read_and_a_put(remembered):
    stream, snapshot = a_stream(remembered), a_snapshot(STREAM, 4)
    play(
        saving(stream, snapshot),
        *reading_head(a_commit(events(STREAM, 2), 3)),
        (put_of(snapshot), DONE),
    )
    assert head_of(stream) == at(4)


def test_it_is_of_the_generation_that_is_live():
    snapshot = a_snapshot(STREAM, 2)
    play(
        saving(a_stream(), snapshot),
        *reading_head(a_fence(7), a_fence(3), a_commit(events(STREAM, 2), 1, NEXT_GENERATION)),
        (put_of(snapshot, NEXT_GENERATION), DONE),
    )


def test_one_that_is_late_is_silently_dropped_and_the_head_not_trusted_again():
    stream, snapshot = a_stream(at(4)), a_snapshot(STREAM, 3)
    assert play(saving(stream, snapshot), (put_of(snapshot), refused())) is None
    assert head_of(stream) is None


@pytest.mark.parametrize(
    ("items", "version"),
    [((), 0), ((a_fence(5), a_fence(1)), 0), ((a_commit(events(STREAM, 2), 3),), 4)],
)
@pytest.mark.parametrize("remembered", [None, at(4)])
def test_one_ahead_of_the_stream_is_refused_after_the_read(items, version, remembered):
    with pytest.raises(SnapshotAheadOfStreamError) as caught:
        play(saving(a_stream(remembered), a_snapshot(STREAM, 5)), *reading_head(*items))
    assert (caught.value.snapshot_version, caught.value.stream_version) == (5, version)


def test_a_stream_without_versions_has_no_snapshots():
    there = a_commit(events(STREAM, 4), 1, versionless=True)
    with pytest.raises(ExpectedVersionUsedOnVersionlessStream):
        play(saving(a_stream(), a_snapshot(STREAM, 2)), *reading_head(there))


def test_a_generation_without_versions_that_is_over_is_no_hindrance():
    snapshot = a_snapshot(STREAM, 2)
    play(
        saving(a_stream(at(4, LAST_GENERATION, versionless=True)), snapshot),
        *reading_head(a_fence(5, LAST_GENERATION), a_commit(events(STREAM, 2), 1)),
        (put_of(snapshot), DONE),
    )


def test_one_too_large_for_an_item_is_refused_before_it_is_sent():
    snapshot = a_snapshot(STREAM, 2, data={"x": Random(1).randbytes(420_000).hex()})
    with pytest.raises(CommitTooLargeError, match="the snapshot takes") as caught:
        play(saving(a_stream(at(4)), snapshot))
    assert caught.value.size > caught.value.limit == 399 * 1024


def test_one_that_got_no_reply_is_a_failure_that_may_be_repeated():
    snapshot = a_snapshot(STREAM, 2)
    with pytest.raises(UnavailableError, match="safe to repeat"):
        play(saving(a_stream(at(4)), snapshot), (put_of(snapshot), timed_out("PutItem")))
