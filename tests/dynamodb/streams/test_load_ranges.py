"""Loading a range skips the commits above it without reading them."""

from __future__ import annotations

import pytest

from dynamo_es.dynamodb.streams.keys import SNAPSHOT_VERSION
from dynamo_es.dynamodb.streams.load import load
from dynamo_es.dynamodb.streams.requests import query_down
from dynamo_es.exceptions import StreamGapError
from dynamo_es.testing.conformance.language import a_snapshot, assert_same, events, numbered
from tests.dynamodb.machine import (
    ALL,
    EVENTS,
    HIGH,
    KEY,
    LAST_GENERATION,
    LOAD,
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
)

# Within a page


@pytest.mark.parametrize("start", range(1, 9))
@pytest.mark.parametrize("stop", [None, *range(1, 10)])
def test_every_range_of_a_short_stream_is_one_read(start, stop):
    stream = a_stream()
    found = play(load(stream, start, stop), (ranging(), page(*ALL)))
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


def test_what_is_above_stop_is_skipped_by_a_query_of_its_own():
    found = play(
        load(a_stream(), 50, 54),
        (ranging(), page(*DOWN[:32], more=True)),
        (ranging(limit=4, below=54), page(*below(54)[:10], more=True)),
    )
    assert_same(found, MANY[49:53])


def test_far_below_a_head_that_is_known_the_first_page_is_one_item():
    found = play(
        load(a_stream(at(200)), 50, 54),
        (ranging(limit=1), page(DOWN[0], more=True)),
        (ranging(limit=4, below=54), page(*below(54)[:10], more=True)),
    )
    assert_same(found, MANY[49:53])


@pytest.mark.parametrize(("stop", "limit"), [(100, 32), (67, 1), (68, 32)])
def test_only_a_range_that_is_more_than_a_page_below_is_far(stop, limit):
    steps = load(a_stream(at(100)), 50, stop)
    assert next(steps) == ranging(limit=limit)


@pytest.mark.parametrize(("start", "stop"), [(None, 10), (10, None), (None, None)])
def test_without_both_ends_no_range_is_far(start, stop):
    steps = load(a_stream(at(200)), start, stop)
    assert next(steps) == (LOAD if start is None else ranging())


def test_in_a_page_that_reaches_below_stop_nothing_is_read_again():
    found = play(
        load(a_stream(), 150, 154),
        (ranging(), page(*DOWN[:32], more=True)),
    )
    assert_same(found, MANY[149:153])


def test_a_range_goes_on_over_pages():
    first, second = below(54)[:1], below(54)[1:]
    found = play(
        load(a_stream(at(200)), 50, 54),
        (ranging(limit=1), page(DOWN[0], more=True)),
        (ranging(limit=4, below=54), page(*first, more=True)),
        (query_down(TABLE, KEY, below=54, limit=3, after=place_of(first[0])), page(*second)),
    )
    assert_same(found, MANY[49:53])


def test_a_page_that_reaches_below_stop_is_followed_by_the_one_after_it():
    found = play(
        load(a_stream(), 100, 154),
        (ranging(), page(*DOWN[:32], more=True)),
        (
            query_down(TABLE, KEY, below=SNAPSHOT_VERSION, limit=37, after=place_of(DOWN[31])),
            page(*DOWN[32:60], more=True),
        ),
    )
    assert_same(found, MANY[99:153])


def test_what_is_above_stop_is_skipped_on_the_way_from_the_newest_too():
    found = play(
        load(a_stream(), None, 5),
        (LOAD, page(*DOWN[:32], more=True)),
        (ranging(limit=None, below=5), page(*below(5))),
    )
    assert_same(found, MANY[:4])


def test_fences_among_what_is_skipped_are_passed_over():
    fences = [a_fence(version, LAST_GENERATION) for version in (60, 54, 52)]
    found = play(
        load(a_stream(at(200)), 50, 54),
        (ranging(limit=1), page(DOWN[0], more=True)),
        (ranging(limit=4, below=54), page(below(54)[0], fences[2], *below(54)[1:5], more=True)),
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
            (ranging(), page(*DOWN[:32], more=True)),
            (ranging(limit=4, below=54), page(*items)),
            (ranging(limit=1), page(DOWN[0], more=True)),
            (ranging(limit=4, below=54), page(*items)),
        )
    assert caught.value.version == missing
