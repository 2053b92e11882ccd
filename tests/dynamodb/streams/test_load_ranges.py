"""Loading a range skips the commits above it without reading them."""

from __future__ import annotations

import pytest

from dynamo_es.dynamodb.streams.loading.load import load
from dynamo_es.dynamodb.streams.requests import get_item
from dynamo_es.exceptions import StreamGapError
from dynamo_es.testing.conformance.language import a_snapshot, assert_same, events, numbered
from tests.dynamodb.machine import (
    ALL,
    EVENTS,
    HIGH,
    KEY,
    LAST_GENERATION,
    LOAD,
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
    play,
    ranging,
)

# Within a page


@pytest.mark.parametrize("start", range(1, 9))
@pytest.mark.parametrize("stop", [None, *range(1, 10)])
def test_every_range_of_a_short_stream_is_one_read(start, stop):
    stream = a_stream()
    query = ranging(None if start == 1 and stop is None else 4)
    found = play(load(stream, start, stop), (query, page(*ALL)))
    assert_same(found, EVENTS[start - 1 : None if stop is None else max(stop - 1, start - 1)])
    assert head_of(stream) == at(6)


@pytest.mark.parametrize(
    ("version", "stop", "snapshot_comes"),
    [(4, None, True), (4, 6, True), (4, 5, True), (4, 4, False), (4, 1, False), (1, 2, True)],
)
def test_a_snapshot_counts_if_it_is_below_stop(version, stop, snapshot_comes):
    snapshot = a_snapshot(STREAM, version)
    items = [a_snapshot_item(snapshot), *ALL]
    found = play(load(a_stream(), None, stop), (LOAD, page(*items)))
    end = 6 if stop is None else stop - 1
    expected = [snapshot, *EVENTS[version:end]] if snapshot_comes else EVENTS[:end]
    assert_same(found, expected)


def test_nothing_is_read_below_start():
    assert_same(
        play(load(a_stream(), 5, None), (ranging(), page(HIGH, more=True))),
        EVENTS[4:],
    )


# Over pages

MANY = numbered(events(STREAM, 200))
COMMITS = [a_commit(MANY[n : n + 2], n + 1) for n in range(0, 200, 2)]
DOWN = COMMITS[::-1]


def below(version):
    """Return the commits that begin below a version, newest first."""
    return [item for item in DOWN if int(item["version"]["N"]) < version]


def between(lowest, version):
    """Return the commits that begin at a version or above it, and below another."""
    return [item for item in below(version) if int(item["version"]["N"]) >= lowest]


def test_what_is_above_stop_is_skipped_by_a_query_of_its_own():
    found = play(
        load(a_stream(), 50, 54),
        (ranging(), page(*DOWN[:4], more=True)),
        (ranging(4, below=54), page(*below(54)[:4], more=True)),
    )
    assert_same(found, MANY[49:53])


def test_far_below_a_head_that_is_known_the_first_page_is_one_item():
    found = play(
        load(a_stream(at(200)), 50, 54),
        (ranging(1), page(DOWN[0], more=True)),
        (ranging(4, below=54), page(*below(54)[:4], more=True)),
    )
    assert_same(found, MANY[49:53])


def test_more_than_a_few_versions_are_read_down_to_the_first_of_them():
    found = play(
        load(a_stream(at(200)), 51, 61),
        (ranging(1), page(DOWN[0], more=True)),
        (ranging(None, below=61, lowest=51), page(*between(51, 61))),
    )
    assert_same(found, MANY[50:60])


def test_a_commit_that_straddles_the_first_version_is_one_read_more():
    found = play(
        load(a_stream(at(200)), 52, 61),
        (ranging(1), page(DOWN[0], more=True)),
        (ranging(None, below=61, lowest=52), page(*between(52, 61))),
        (ranging(1, below=52), page(below(52)[0], more=True)),
    )
    assert_same(found, MANY[51:60])


def test_old_fences_above_a_commit_that_straddles_are_passed_over_in_growing_pages():
    fences = [a_fence(version, LAST_GENERATION) for version in (40, 30, 20)]
    long = a_commit(MANY[10:59], 11)
    found = play(
        load(a_stream(at(200)), 52, 61),
        (ranging(1), page(DOWN[0], more=True)),
        (ranging(None, below=61, lowest=52), page(a_commit(MANY[59:61], 60))),
        (ranging(1, below=52), page(fences[0], more=True)),
        (ranging(8, below=40), page(*fences[1:], long, more=True)),
    )
    assert_same(found, MANY[51:60])


@pytest.mark.parametrize(
    ("stop", "first"),
    [
        (92, ranging(55, lowest=50)),
        (91, ranging(1)),
        (None, ranging(None, lowest=50)),
        (101, ranging(55, lowest=50)),
        (999, ranging(55, lowest=50)),
    ],
)
def test_of_a_head_that_is_known_a_range_is_asked_for_at_once_unless_it_is_far(stop, first):
    assert next(load(a_stream(at(100)), 50, stop)) == first


def test_of_a_newest_commit_that_began_below_the_range_the_first_page_has_all():
    stream = a_stream()
    stream.heads.remember(KEY, at(100), 91)
    assert next(load(stream, 95, None)) == ranging(None, lowest=91)


@pytest.mark.parametrize("start", [100, 101])
def test_what_follows_a_known_newest_commit_is_one_page_however_much_it_is(start):
    stream = a_stream()
    stream.heads.remember(KEY, at(100), 99)
    late = numbered(events(STREAM, 20), 101)
    commits = [a_commit([each], first) for first, each in reversed(list(enumerate(late, 101)))]
    newest = a_commit(numbered(events(STREAM, 2), 99), 99)
    found = play(load(stream, start, None), (ranging(None, lowest=99), page(*commits, newest)))
    assert [event.version for event in found] == list(range(start, 121))


@pytest.mark.parametrize(
    ("start", "first"),
    [(96, ranging(None, lowest=96)), (97, ranging()), (101, ranging()), (10**18, ranging())],
)
def test_few_versions_up_to_the_head_are_few_items_with_a_commit_that_straddles(start, first):
    assert next(load(a_stream(at(100)), start, None)) == first


@pytest.mark.parametrize(
    ("start", "stop", "first"),
    [(None, 10, LOAD), (10, None, ranging()), (1, None, REPLAY), (1, 10, ranging())],
)
def test_of_a_head_that_is_not_known_the_first_page_is_small(start, stop, first):
    assert next(load(a_stream(), start, stop)) == first


def test_whatever_follows_a_version_is_read_down_to_it():
    found = play(
        load(a_stream(), 101, None),
        (ranging(), page(*DOWN[:4], more=True)),
        (ranging(None, below=193, lowest=101), page(*between(101, 193)[:20], more=True)),
        (ranging(None, below=153, lowest=101), page(*between(101, 153))),
    )
    assert_same(found, MANY[100:])


def test_in_a_page_that_reaches_below_stop_nothing_is_read_again():
    found = play(load(a_stream(), 196, 198), (ranging(), page(*DOWN[:4], more=True)))
    assert_same(found, MANY[195:197])


def test_a_page_that_ends_at_the_first_version_asked_for_is_the_last():
    # DynamoDB says that there may be more after a page that its limit fills.
    found = play(
        load(a_stream(at(200)), 193, 201),
        (ranging(12, lowest=193), page(*DOWN[:4], more=True)),
    )
    assert_same(found, MANY[192:])


def test_old_fences_down_to_the_lower_bound_do_not_reverse_the_bounds():
    fences = [a_fence(version, LAST_GENERATION) for version in (202, 193)]
    found = play(
        load(a_stream(at(200)), 193, 201),
        (ranging(12, lowest=193), page(*fences, more=True)),
        (ranging(96, below=193), page(*below(193)[:3])),
        (get_item(TABLE, KEY, 193), {}),
    )
    assert_same(found, [])


def test_a_range_goes_on_over_pages():
    first, second = below(54)[:1], below(54)[1:]
    found = play(
        load(a_stream(at(200)), 50, 54),
        (ranging(1), page(DOWN[0], more=True)),
        (ranging(4, below=54), page(*first, more=True)),
        (ranging(3, below=53), page(*second)),
    )
    # The commit at 53 ends above the range, and 50 is in the middle of its commit.
    assert_same(found, MANY[49:53])


def test_what_is_above_stop_is_skipped_on_the_way_from_the_newest_too():
    found = play(
        load(a_stream(), None, 5),
        (LOAD, page(*DOWN[:8], more=True)),
        (ranging(None, below=5), page(*below(5))),
    )
    assert_same(found, MANY[:4])


def test_fences_among_what_is_skipped_are_passed_over():
    fences = [a_fence(version, LAST_GENERATION) for version in (60, 54, 52)]
    found = play(
        load(a_stream(at(200)), 50, 54),
        (ranging(1), page(DOWN[0], more=True)),
        (ranging(4, below=54), page(below(54)[0], fences[2], *below(54)[1:5], more=True)),
    )
    assert_same(found, MANY[49:53])


@pytest.mark.parametrize(
    ("items", "missing"),
    [(below(52), 53), (below(54)[:1], 52), ([], 53)],
)
def test_a_hole_in_a_range_is_an_error(items, missing):
    # The first read remembers the head: the second one begins with a single item.
    with pytest.raises(StreamGapError) as caught:
        play(
            load(a_stream(), 50, 54),
            (ranging(), page(*DOWN[:4], more=True)),
            (ranging(4, below=54), page(*items)),
            (ranging(1), page(DOWN[0], more=True)),
            (ranging(4, below=54), page(*items)),
        )
    assert caught.value.version == missing
