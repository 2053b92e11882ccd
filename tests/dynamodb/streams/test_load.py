"""Loading reads from the newest item down, page by page, and never returns a stream with a gap."""

from __future__ import annotations

import pytest

from dynamo_es import StreamId
from dynamo_es.dynamodb.streams.items import read_commit, version_of
from dynamo_es.dynamodb.streams.loading.load import load, newest_commit
from dynamo_es.dynamodb.streams.requests import get_item, query_down
from dynamo_es.exceptions import StoredItemError, StreamGapError, UnavailableError
from dynamo_es.testing.conformance.language import a_snapshot, an_event, assert_same, events
from tests.dynamodb.machine import (
    ALL,
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
    READ_HEAD,
    REPLAY,
    STREAM,
    TABLE,
    a_commit,
    a_fence,
    a_snapshot_item,
    a_stream,
    at,
    head_of,
    page,
    place_of,
    play,
    ranging,
    reading_head,
    timed_out,
)

SNAPSHOT = a_snapshot(STREAM, 4)


def snapshot_at(version, generation=GENERATION):
    return a_snapshot_item(a_snapshot(STREAM, version), generation)


def next_page(last, limit=None):
    return query_down(TABLE, KEY, below=version_of(last), limit=limit)


# The newest commit


def test_the_newest_commit_is_one_read_and_its_head_is_remembered():
    stream = a_stream()
    commit = play(newest_commit(stream), (READ_HEAD, page(HIGH, more=True)))
    assert commit == read_commit(HIGH)
    assert head_of(stream) == at(6)


@pytest.mark.parametrize(
    "items", [(), (a_fence(3), a_fence(1)), (a_fence(7, GENERATION, None), *ALL)]
)
def test_without_a_live_commit_there_is_no_stream_and_nothing_is_remembered(items):
    stream = a_stream(at(6))
    assert play(newest_commit(stream), *reading_head(*items)) is None
    assert head_of(stream) is None


def test_the_newest_commit_is_looked_for_below_fences_of_generations_before():
    there = a_commit(EVENTS[:2], 1, NEXT_GENERATION)
    stream = a_stream()
    commit = play(newest_commit(stream), *reading_head(a_fence(7), a_fence(5), a_fence(3), there))
    assert commit == read_commit(there)
    assert head_of(stream) == at(2, NEXT_GENERATION)


def test_leftovers_below_a_fence_are_not_taken_for_alive_however_many_pages():
    assert (
        play(
            newest_commit(a_stream()),
            (READ_HEAD, page(a_fence(7, GENERATION, None), more=True)),
            (next_page(a_fence(7), 8), page(a_fence(5), more=True)),
            (next_page(a_fence(5), 64), page(MIDDLE, LOW)),
        )
        is None
    )


def test_a_page_that_ends_at_version_1_is_the_last():
    assert play(newest_commit(a_stream()), (READ_HEAD, page(a_fence(1), more=True))) is None


# All of a stream


@pytest.mark.parametrize("start", [None, 1])
def test_a_stream_of_a_page_is_one_read(start):
    stream = a_stream()
    found = play(load(stream, start, None), (LOAD if start is None else REPLAY, page(*ALL)))
    assert_same(found, EVENTS)
    assert head_of(stream) == at(6)


@pytest.mark.parametrize(("start", "query"), [(None, LOAD_SEEN), (1, REPLAY), (5, ranging())])
def test_a_stream_that_is_not_there_is_empty(start, query):
    stream = a_stream(at(6))
    assert play(load(stream, start, None), (query, page())) == []
    assert head_of(stream) is None


def test_pages_are_followed_and_only_the_first_is_small():
    found = play(
        load(a_stream(), None, None),
        (LOAD, page(HIGH, more=True)),
        (next_page(HIGH), page(MIDDLE, more=True)),
        (next_page(MIDDLE), page(LOW)),
    )
    assert_same(found, EVENTS)


def test_an_empty_page_is_followed_too():
    empty = {"Items": [], "LastEvaluatedKey": place_of(HIGH)}
    found = play(
        load(a_stream(), None, None),
        (LOAD, empty),
        (next_page(HIGH, 64), page(*ALL)),
        (get_item(TABLE, KEY, read_commit(HIGH).last + 1), {}),
    )
    assert_same(found, EVENTS)


def test_nothing_is_read_below_version_1():
    found = play(load(a_stream(), None, None), (LOAD, page(*ALL, more=True)))
    assert_same(found, EVENTS)


def test_events_without_versions_come_without():
    unnumbered = events(STREAM, 3)
    items = [a_commit(unnumbered[n : n + 1], n + 1, versionless=True) for n in (2, 1, 0)]
    assert_same(play(load(a_stream(), None, None), (LOAD, page(*items))), unnumbered)
    assert_same(play(load(a_stream(), 2, 3), (ranging(), page(*items))), unnumbered[1:2])


def test_the_name_of_the_stream_comes_from_any_commit_that_has_it():
    name = "order 1"
    named = StreamId(name=name)
    nameless = StreamId(named)
    stored = [an_event(nameless, version=version) for version in (1, 2)]
    items = [a_commit(stored[1:], 2), a_commit(stored[:1], 1, name=name)]
    found = play(load(a_stream(stream_id=nameless), None, None), (LOAD, page(*items)))
    assert [event.stream_id.name for event in found] == [name, name]
    found = play(load(a_stream(stream_id=named), None, None), (LOAD, page(*items)))
    assert [event.stream_id for event in found] == [named, named]


# Fences and leftovers


def test_fences_of_generations_before_are_passed_over_wherever_they_are():
    fences = [a_fence(version, LAST_GENERATION) for version in (9, 7, 6, 4, 2)]
    items = [*fences[:2], HIGH, fences[2], MIDDLE, fences[3], LOW]
    items.sort(key=lambda item: -int(item["version"]["N"]))
    found = play(load(a_stream(), None, None), (LOAD, page(*items)))
    assert_same(found, EVENTS)


def test_leftovers_of_a_generation_before_are_passed_over():
    # Their commits were cut elsewhere.
    high, low = (a_commit(events(STREAM, 1), version, LAST_GENERATION) for version in (4, 2))
    found = play(load(a_stream(), None, None), (LOAD, page(HIGH, high, MIDDLE, low, LOW)))
    assert_same(found, EVENTS)


def test_leftovers_on_top_end_the_reading_for_no_generation_begins_below_them():
    leftover = a_commit(events(STREAM, 1), 7, LAST_GENERATION)
    items = [a_fence(8, LAST_GENERATION, None), leftover, *ALL]
    assert play(load(a_stream(), None, None), (LOAD, page(*items))) == []


@pytest.mark.parametrize(("start", "query"), [(None, LOAD_SEEN), (1, REPLAY), (3, ranging())])
def test_what_is_below_the_fence_of_its_generation_is_gone(start, query):
    stream = a_stream(at(6))
    items = [a_fence(7, GENERATION, None), *ALL]
    assert play(load(stream, start, None), (query, page(*items))) == []
    assert head_of(stream) is None


# Holes


def test_a_hole_is_read_again_once_for_it_may_have_been_a_deletion():
    later = a_commit(EVENTS[:2], 1, NEXT_GENERATION)
    found = play(
        load(a_stream(), None, None),
        (LOAD, page(HIGH, more=True)),
        (next_page(HIGH), page(a_fence(3), later)),
        (LOAD_SEEN, page(a_fence(7), a_fence(5), a_fence(3), later)),
    )
    assert_same(found, EVENTS[:2])


@pytest.mark.parametrize(
    ("items", "missing"),
    [
        ([HIGH, LOW], 4),
        ([HIGH, MIDDLE], 2),
        ([HIGH], 4),
        ([HIGH, a_commit(events(STREAM, 1), 3), LOW], 4),
        ([HIGH, a_commit(events(STREAM, 3), 3), LOW], 4),
        ([HIGH, a_fence(3), LOW], 4),
        ([HIGH, a_commit(EVENTS[2:4], 3, LAST_GENERATION), LOW], 4),
        ([HIGH, a_commit(EVENTS[2:4], 3, NEXT_GENERATION), LOW], 4),
    ],
)
@pytest.mark.parametrize(("start", "queries"), [(None, (LOAD, LOAD_SEEN)), (1, (REPLAY, REPLAY))])
def test_a_hole_that_stays_is_an_error(items, missing, start, queries):
    with pytest.raises(StreamGapError) as caught:
        play(load(a_stream(), start, None), *[(query, page(*items)) for query in queries])
    assert caught.value.version == missing


def test_a_commit_with_fewer_events_than_it_says_is_a_hole():
    short = MIDDLE | {"event_count": {"N": "3"}}
    low = a_commit(EVENTS[:2], 1)
    high = a_commit(EVENTS[4:], 6)
    with pytest.raises(StreamGapError) as caught:
        play(
            load(a_stream(), None, None),
            *[(query, page(high, short, low)) for query in (LOAD, LOAD_SEEN)],
        )
    assert caught.value.version == 5


def test_a_failure_is_not_read_again():
    with pytest.raises(UnavailableError):
        play(load(a_stream(), None, None), (LOAD, timed_out()))


# Snapshots


def test_a_snapshot_comes_first_and_then_what_follows_it():
    snapshot = a_snapshot_item(SNAPSHOT)
    found = play(load(a_stream(), None, None), (LOAD, page(snapshot, HIGH, MIDDLE, more=True)))
    assert_same(found, [SNAPSHOT, *EVENTS[4:]])


def test_a_snapshot_in_the_middle_of_a_commit_is_followed_by_the_rest_of_it():
    snapshot = a_snapshot(STREAM, 3)
    items = [a_snapshot_item(snapshot), HIGH, MIDDLE]
    found = play(load(a_stream(), None, None), (LOAD, page(*items, more=True)))
    assert_same(found, [snapshot, *EVENTS[3:]])


def test_a_snapshot_of_the_newest_version_comes_alone():
    snapshot = a_snapshot(STREAM, 6)
    stream = a_stream()
    found = play(load(stream, None, None), (LOAD, page(a_snapshot_item(snapshot), HIGH, more=True)))
    assert_same(found, [snapshot])
    assert head_of(stream) == at(6)


@pytest.mark.parametrize("generation", [LAST_GENERATION, NEXT_GENERATION])
def test_a_snapshot_of_another_generation_is_ignored(generation):
    found = play(load(a_stream(), None, None), (LOAD, page(snapshot_at(4, generation), *ALL)))
    assert_same(found, EVENTS)


def test_a_snapshot_without_a_stream_is_no_stream():
    assert play(load(a_stream(), None, None), (LOAD, page(snapshot_at(4)))) == []
    closed = [snapshot_at(4), a_fence(7, GENERATION, None), *ALL]
    assert play(load(a_stream(), None, None), (LOAD, page(*closed))) == []


@pytest.mark.parametrize(
    "broken",
    [
        {name: value for name, value in snapshot_at(4).items() if name != "generation"},
        {name: value for name, value in snapshot_at(4).items() if name != "snapshot_version"},
        snapshot_at(4) | {"snapshot_version": {"S": "4"}},
        snapshot_at(4) | {"snapshot_version": {"N": "9" * 38}},
        snapshot_at(4) | {"events": {"S": "[]"}},
        snapshot_at(4) | {"events": {"S": '[["secret'}},
        snapshot_at(4) | {"events": {"B": b"no zlib"}},
    ],
)
def test_a_snapshot_that_cannot_be_read_hides_no_event(broken, caplog):
    found = play(load(a_stream(), None, None), (LOAD, page(broken, *ALL)))
    assert_same(found, EVENTS)
    assert f"Skipped the snapshot of stream {STREAM} (category 'order')" in caplog.text
    assert "secret" not in caplog.text


def test_an_item_that_says_it_is_a_snapshot_is_one_in_its_place_only():
    fake = a_commit(events(STREAM, 1), 7) | {"snapshot_version": {"N": "7"}}
    del fake["event_count"]
    with pytest.raises(StoredItemError, match="event_count"):
        play(newest_commit(a_stream()), (READ_HEAD, page(fake, more=True)))


def test_a_name_that_is_not_the_streams_is_an_error_of_the_item():
    named = a_commit(EVENTS, 1) | {"stream_name": {"S": "another"}}
    with pytest.raises(StoredItemError, match="name"):
        play(load(a_stream(), None, None), (LOAD, page(named)))
