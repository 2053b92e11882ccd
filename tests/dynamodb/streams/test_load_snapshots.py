"""Loads by a process that remembers a snapshot: one page, which ends where the load ends."""

from __future__ import annotations

import pytest

from dynamo_es.dynamodb.streams.loading.load import load
from dynamo_es.dynamodb.streams.requests import get_item, query_down
from dynamo_es.dynamodb.streams.snapshot import save_snapshot
from dynamo_es.testing.conformance.language import a_snapshot, assert_same, events, numbered
from tests.dynamodb.machine import (
    ALL,
    DONE,
    EVENTS,
    GENERATION,
    HIGH,
    KEY,
    LAST_GENERATION,
    LOAD,
    LOAD_SEEN,
    LOW,
    MIDDLE,
    NEXT_GENERATION,
    STREAM,
    TABLE,
    a_commit,
    a_fence,
    a_snapshot_item,
    a_stream,
    append,
    at,
    head_of,
    load_from,
    page,
    play,
    put,
    put_snapshot_of,
    ranging,
    refused,
)

SNAPSHOT = a_snapshot(STREAM, 4)
ITEM = a_snapshot_item(SNAPSHOT)


def a_stream_with(snapshot=ITEM, *commits):
    """Return a stream whose snapshot and newest commits this process has loaded."""
    stream = a_stream()
    play(load(stream, None, None), (LOAD, page(snapshot, *(commits or ALL), more=True)))
    return stream


def remembered(stream):
    return stream.heads.snapshot_from(KEY)


# What is remembered


@pytest.mark.parametrize(
    ("version", "lowest"),
    [
        (4, 5),
        (6, 5),  # the newest commit: without it, nothing shows that the stream exists
        (5, 5),  # it straddles the snapshot
        (2, 3),
        (3, 3),
    ],
)
def test_a_load_remembers_the_lowest_item_that_it_needed(version, lowest):
    assert remembered(a_stream_with(a_snapshot_item(a_snapshot(STREAM, version)))) == lowest


def test_a_saved_snapshot_of_the_newest_version_is_remembered_with_the_newest_commit():
    stream = a_stream()
    play(append(stream, 0, EVENTS[:3]), (put(a_commit(EVENTS[:3], 1, NEXT_GENERATION)), DONE))
    snapshot = a_snapshot(STREAM, 3)
    item = a_snapshot_item(snapshot, NEXT_GENERATION)
    play(save_snapshot(stream, snapshot, 3), (put_snapshot_of(item), DONE))
    assert remembered(stream) == 1
    assert next(load(stream, None, None)) == load_from(1)


@pytest.mark.parametrize(("version", "lowest"), [(4, 5), (3, 4), (5, 5), (6, 5)])
def test_a_saved_snapshot_is_remembered_with_what_follows_it(version, lowest):
    stream = a_stream()
    play(load(stream, 5, None), (ranging(), page(*ALL)))
    snapshot = a_snapshot(STREAM, version)
    play(
        save_snapshot(stream, snapshot, version),
        (put_snapshot_of(a_snapshot_item(snapshot)), DONE),
    )
    assert remembered(stream) == lowest


def test_a_snapshot_that_was_not_saved_is_not_remembered():
    stream = a_stream()
    play(load(stream, 5, None), (ranging(), page(*ALL)))
    play(save_snapshot(stream, SNAPSHOT, 4), (put_snapshot_of(ITEM), refused()))
    assert remembered(stream) is None


def test_a_load_of_a_range_or_of_a_past_version_changes_nothing_remembered():
    stream = a_stream_with()
    play(load(stream, 5, None), (ranging(None, lowest=5), page(HIGH)))
    play(load(stream, None, 3), (LOAD, page(ITEM, *ALL)))
    assert remembered(stream) == 5


def test_without_a_stream_nothing_is_remembered():
    stream = a_stream_with()
    play(load(stream, None, None), (load_from(5), page()), (ranging(32, below=5), page()))
    assert remembered(stream) is None


# One request


def test_the_snapshot_and_what_follows_it_are_one_request():
    late = numbered(events(STREAM, 3), 7)
    found = play(
        load(a_stream_with(), None, None), (load_from(5), page(ITEM, a_commit(late, 7), HIGH))
    )
    assert_same(found, [SNAPSHOT, *EVENTS[4:], *late])


def test_a_snapshot_of_the_newest_version_is_one_request_and_proves_the_stream():
    newest = a_snapshot(STREAM, 6)
    stream = a_stream_with(a_snapshot_item(newest))
    found = play(load(stream, None, None), (load_from(5), page(a_snapshot_item(newest), HIGH)))
    assert_same(found, [newest])
    assert head_of(stream) == at(6)


def test_a_newer_snapshot_comes_in_the_same_request_and_is_remembered():
    late, newer = numbered(events(STREAM, 4), 7), a_snapshot(STREAM, 8)
    items = [a_snapshot_item(newer), a_commit(late[2:], 9), a_commit(late[:2], 7), HIGH]
    stream = a_stream_with()
    found = play(load(stream, None, None), (load_from(5), page(*items)))
    assert_same(found, [newer, *late[2:]])
    assert remembered(stream) == 9


def test_what_follows_over_pages_is_asked_for_down_to_the_snapshot():
    late = numbered(events(STREAM, 94), 7)
    items = [a_commit(late[n : n + 2], n + 7) for n in range(92, -1, -2)]
    found = play(
        load(a_stream_with(), None, None),
        (load_from(5), page(ITEM, *items[:31], more=True)),
        (query_down(TABLE, KEY, below=39, lowest=5), page(*items[31:], HIGH)),
    )
    assert_same(found, [SNAPSHOT, *EVENTS[4:], *late])


# What is remembered is out of date


def test_below_an_older_snapshot_the_load_goes_on():
    older = a_snapshot(STREAM, 2)
    stream = a_stream_with()
    found = play(
        load(stream, None, None),
        (load_from(5), page(a_snapshot_item(older), HIGH)),
        (ranging(2, below=5), page(MIDDLE, more=True)),
    )
    assert_same(found, [older, *EVENTS[2:]])
    assert remembered(stream) == 3


def test_a_commit_that_straddles_a_saved_snapshot_is_one_read_more_the_first_time():
    stream = a_stream()
    play(load(stream, 5, None), (ranging(), page(*ALL)))
    snapshot = a_snapshot(STREAM, 3)
    item = a_snapshot_item(snapshot)
    play(save_snapshot(stream, snapshot, 3), (put_snapshot_of(item), DONE))
    found = play(
        load(stream, None, None),
        (load_from(4), page(item, HIGH)),
        (ranging(1, below=4), page(MIDDLE, more=True)),
    )
    assert_same(found, [snapshot, *EVENTS[3:]])
    assert next(load(stream, None, None)) == load_from(3)


def test_a_snapshot_that_is_gone_or_of_another_generation_hides_no_event():
    other = a_snapshot_item(SNAPSHOT, LAST_GENERATION)
    for first in (page(HIGH), page(other, HIGH)):
        stream = a_stream_with()
        found = play(
            load(stream, None, None),
            (load_from(5), first),
            (query_down(TABLE, KEY, below=5), page(MIDDLE, LOW)),
        )
        assert_same(found, EVENTS)
        assert next(load(stream, None, None)) == LOAD_SEEN


def test_a_damaged_snapshot_hides_no_event(caplog):
    stream = a_stream_with()
    found = play(
        load(stream, None, None),
        (load_from(5), page(ITEM | {"events": {"B": b"no zlib"}}, HIGH)),
        (query_down(TABLE, KEY, below=5), page(MIDDLE, LOW)),
    )
    assert_same(found, EVENTS)
    assert "Skipped the snapshot" in caplog.text
    assert remembered(stream) is None


def test_a_fence_above_the_newest_commit_ends_the_stream():
    stream = a_stream_with()
    items = [ITEM, a_fence(7, GENERATION, None), HIGH]
    assert play(load(stream, None, None), (load_from(5), page(*items))) == []
    assert (head_of(stream), remembered(stream)) == (None, None)


def test_the_snapshot_of_a_deleted_stream_alone_is_no_stream_even_when_its_fences_are_gone():
    newest = a_snapshot_item(a_snapshot(STREAM, 6))
    stream = a_stream_with(newest)
    assert (
        play(
            load(stream, None, None),
            (load_from(5), page(newest)),
            (ranging(32, below=5), page()),
        )
        == []
    )


def test_a_shorter_generation_is_found_below_the_fences_of_the_one_remembered():
    reborn = a_commit(EVENTS[:2], 1, NEXT_GENERATION)
    stream = a_stream_with()
    found = play(
        load(stream, None, None),
        (load_from(5), page(ITEM, a_fence(7), a_fence(5))),
        (ranging(32, below=5), page(a_fence(3), reborn)),
        (get_item(TABLE, KEY, 3), {"Item": a_fence(3)}),
    )
    assert_same(found, EVENTS[:2])
    assert (head_of(stream), remembered(stream)) == (at(2, NEXT_GENERATION), None)


def test_a_page_full_of_fences_is_followed_by_growing_ones():
    reborn = a_commit(EVENTS[:2], 1, NEXT_GENERATION)
    fences = [a_fence(version) for version in range(100, 10, -1)]
    found = play(
        load(a_stream(), None, None),
        (LOAD, page(*fences[:8], more=True)),
        (ranging(64, below=93), page(*fences[8:72], more=True)),
        (ranging(512, below=29), page(*fences[72:], a_fence(3), reborn)),
        (get_item(TABLE, KEY, 3), {"Item": a_fence(3)}),
    )
    assert_same(found, EVENTS[:2])


def test_a_longer_generation_under_the_same_versions_is_read_whole():
    reborn = [a_commit(EVENTS[n : n + 2], n + 1, NEXT_GENERATION) for n in (4, 2, 0)]
    found = play(
        load(a_stream_with(), None, None),
        (load_from(5), page(a_fence(7), reborn[0])),
        (query_down(TABLE, KEY, below=5), page(*reborn[1:])),
    )
    assert_same(found, EVENTS)


def test_after_a_hole_the_load_reads_as_a_process_that_remembers_no_snapshot():
    later = a_commit(EVENTS[:2], 1, NEXT_GENERATION)
    found = play(
        load(a_stream_with(), None, None),
        (load_from(5), page(HIGH)),
        (query_down(TABLE, KEY, below=5), page(a_fence(3), later)),
        (LOAD_SEEN, page(a_fence(7), a_fence(5), a_fence(3), later)),
    )
    assert_same(found, EVENTS[:2])


@pytest.mark.parametrize("seconds", [0, 3_600, 90_000])
def test_a_snapshot_is_remembered_however_long_ago_the_table_replied(seconds):
    # It decides where pages end, and nothing else.
    stream = a_stream(at(6), seen_ago=seconds)
    stream.heads.remember_snapshot(KEY, 5)
    assert next(load(stream, None, None)) == load_from(5)


# Reads that need not be consistent


@pytest.mark.parametrize("older", [[MIDDLE, LOW], [], [a_fence(7, LAST_GENERATION)]])
def test_a_snapshot_above_the_newest_commit_shows_that_the_page_is_old(older):
    item = a_snapshot_item(a_snapshot(STREAM, 6))
    stale = query_down(TABLE, KEY, limit=8, consistent=False)
    found = play(
        load(a_stream(), None, None, consistent=False),
        (stale, page(item, *older)),
        (LOAD, page(item, *ALL)),
    )
    assert [event.version for event in found] == [6]


def test_an_old_page_that_is_true_is_enough():
    item = a_snapshot_item(a_snapshot(STREAM, 2))
    stale = query_down(TABLE, KEY, limit=8, consistent=False)
    found = play(load(a_stream(), None, None, consistent=False), (stale, page(item, MIDDLE, LOW)))
    assert [event.version for event in found] == [2, 3, 4]


def test_a_page_with_a_gap_is_read_again_consistently():
    stale = query_down(TABLE, KEY, limit=8, consistent=False)
    found = play(
        load(a_stream(), None, None, consistent=False),
        (stale, page(HIGH, LOW)),
        (LOAD_SEEN, page(*ALL)),
    )
    assert_same(found, EVENTS)
