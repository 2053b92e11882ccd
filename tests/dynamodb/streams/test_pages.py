"""The requests that read a long stream page by page."""

from __future__ import annotations

from functools import partial

import pytest

from dynamo_es.dynamodb.streams.keys import SNAPSHOT_VERSION
from dynamo_es.dynamodb.streams.loading.pages import Pages
from dynamo_es.dynamodb.streams.requests import query_down, query_up
from dynamo_es.exceptions import StoredItemError, StreamGapError
from dynamo_es.testing.conformance.language import a_snapshot, assert_same, events, numbered
from tests.dynamodb.machine import (
    KEY,
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
    page,
    play,
    timed_out,
)

EVENTS = numbered(events(STREAM, 40))
COMMITS = [a_commit(EVENTS[n : n + 2], n + 1) for n in range(0, 40, 2)]
DOWN = COMMITS[::-1]
UP = partial(query_up, TABLE, KEY)
NEWEST = query_down(TABLE, KEY, below=SNAPSHOT_VERSION, limit=1)


def below(version, limit, lowest=1, **options):
    return query_down(TABLE, KEY, below=version, lowest=lowest, limit=limit, **options)


def reading(stream=None, start=1, stop=None, *, newest_first=False, size=5, consistent=True):
    return Pages(
        a_stream() if stream is None else stream,
        start,
        stop,
        newest_first=newest_first,
        size=size,
        consistent=consistent,
    )


def found(pages, parts):
    return [event for part in parts for event in pages.events_of(part)]


def test_a_short_stream_is_one_request():
    pages = reading(size=500)
    parts = play(pages.next_page(), (below(SNAPSHOT_VERSION, 8), page(*DOWN[-4:])))
    assert_same(found(pages, parts), EVENTS[:8])
    assert pages.is_complete
    assert play(pages.next_page()) == []


def test_a_long_stream_is_read_up_from_its_first_event_to_its_end_at_the_beginning():
    stream = a_stream()
    pages = reading(stream, size=12)
    first = play(
        pages.next_page(),
        (below(SNAPSHOT_VERSION, 8), page(*DOWN[:8], more=True)),
        (UP(lowest=1, highest=40, limit=12), page(*COMMITS[:12], more=True)),
    )
    assert_same(found(pages, first), EVENTS[:24])
    assert head_of(stream) == at(40)

    last = play(pages.next_page(), (UP(lowest=25, highest=40, limit=12), page(*COMMITS[12:])))
    assert_same(found(pages, last), EVENTS[24:])
    assert pages.is_complete


def test_of_a_stream_that_is_remembered_as_long_only_the_newest_item_is_read_first():
    pages = reading(a_stream(at(40)), 1, 9)
    parts = play(
        pages.next_page(),
        (NEWEST, page(DOWN[0], more=True)),
        (UP(lowest=1, highest=8, limit=5), page(*COMMITS[:4])),
    )
    assert_same(found(pages, parts), EVENTS[:8])
    assert pages.is_complete


def test_a_range_begins_with_the_commit_that_holds_its_first_version():
    pages = reading(a_stream(at(40)), 4, 9)
    parts = play(
        pages.next_page(),
        (NEWEST, page(DOWN[0], more=True)),
        (below(5, 1), page(COMMITS[1], more=True)),
    )
    assert_same(found(pages, parts), EVENTS[3:4])
    parts = play(pages.next_page(), (UP(lowest=5, highest=8, limit=4), page(*COMMITS[2:4])))
    assert_same(found(pages, parts), EVENTS[4:8])
    assert pages.is_complete


def test_newest_first_each_page_goes_on_below_the_last_one():
    pages = reading(newest_first=True)
    parts = play(pages.next_page(), (below(SNAPSHOT_VERSION, 5), page(*DOWN[:5], more=True)))
    assert_same(found(pages, parts), EVENTS[:29:-1])
    parts = play(pages.next_page(), (below(31, 5), page(*DOWN[5:10], more=True)))
    assert_same(found(pages, parts), EVENTS[29:19:-1])
    parts = play(pages.next_page(), (below(21, 5), page(*DOWN[10:15], more=True)))
    parts = play(pages.next_page(), (below(11, 5), page(*DOWN[15:])))
    assert_same(found(pages, parts), EVENTS[9::-1])
    assert pages.is_complete


def test_newest_first_the_last_page_ends_with_the_commit_that_holds_the_first_version():
    pages = reading(a_stream(at(40)), 24, None, newest_first=True, size=20)
    parts = play(pages.next_page(), (below(SNAPSHOT_VERSION, 20), page(*DOWN, more=True)))
    assert_same(found(pages, parts), EVENTS[:22:-1])

    pages = reading(a_stream(at(40)), 4, 21, newest_first=True)
    assert_same(
        found(
            pages,
            play(
                pages.next_page(),
                (NEWEST, page(DOWN[0], more=True)),
                (below(21, 5, 4), page(*COMMITS[5:10][::-1], more=True)),
            ),
        ),
        EVENTS[19:9:-1],
    )
    # Between the lower bound and the last page; then the commit that began below it.
    parts = play(
        pages.next_page(),
        (below(11, 5, 4), page(*COMMITS[2:5][::-1])),
    )
    assert_same(found(pages, parts), EVENTS[9:3:-1])
    parts = play(pages.next_page(), (below(5, 1), page(COMMITS[1], more=True)))
    assert_same(found(pages, parts), EVENTS[3:4])
    assert pages.is_complete


def test_without_a_start_it_begins_with_the_snapshot():
    snapshot = a_snapshot(STREAM, 36)
    pages = reading(start=None, size=500)
    parts = play(
        pages.next_page(),
        (query_down(TABLE, KEY, limit=8), page(a_snapshot_item(snapshot), *DOWN[:7], more=True)),
    )
    assert_same(found(pages, parts), [snapshot, *EVENTS[36:]])
    assert pages.is_complete


def test_a_stream_without_commits_has_no_pages():
    pages = reading()
    fence = a_fence(3, LAST_GENERATION)
    assert play(pages.next_page(), (below(SNAPSHOT_VERSION, 5), page(fence))) == []
    assert pages.is_complete


# A stream that changes meanwhile

CHANGED = {
    "a fence in the place of a commit": [*COMMITS[5:7], a_fence(15)],
    "nothing there": [],
    "a commit is missing": [COMMITS[5], COMMITS[7]],
    "a commit is missing, and all above it are there": [COMMITS[5], *COMMITS[7:10]],
    "the last one is missing": COMMITS[5:9],
    "another generation": [a_commit(EVENTS[n : n + 2], n + 1, NEXT_GENERATION) for n in (10, 12)],
    "another generation after this one": [
        COMMITS[5],
        *(a_commit(EVENTS[n : n + 2], n + 1, NEXT_GENERATION) for n in range(12, 20, 2)),
    ],
}


@pytest.fixture
def begun():
    """Pages of which the first is read: versions 1 to 10 of 20."""
    pages = reading(a_stream(at(40)), 1, 21)
    play(
        pages.next_page(),
        (NEWEST, page(DOWN[0], more=True)),
        (UP(lowest=1, highest=20, limit=5), page(*COMMITS[:5], more=True)),
    )
    return pages


@pytest.mark.parametrize("items", CHANGED.values(), ids=CHANGED)
def test_a_page_with_a_gap_is_read_again_and_then_it_is_an_error(begun, items):
    request = UP(lowest=11, highest=20, limit=5)
    with pytest.raises(StreamGapError) as caught:
        play(begun.next_page(), (request, page(*items)), (request, page(*items)))
    assert 11 <= caught.value.version <= 19


@pytest.mark.parametrize("items", CHANGED.values(), ids=CHANGED)
def test_a_gap_that_the_second_read_does_not_show_is_none(begun, items):
    request = UP(lowest=11, highest=20, limit=5)
    parts = play(begun.next_page(), (request, page(*items)), (request, page(*COMMITS[5:10])))
    assert_same(found(begun, parts), EVENTS[10:20])
    assert begun.is_complete


def test_a_page_that_failed_can_be_read_again(begun):
    request = UP(lowest=11, highest=20, limit=5)
    with pytest.raises(type(timed_out())):
        play(begun.next_page(), (request, timed_out()))
    parts = play(begun.next_page(), (request, page(*COMMITS[5:10])))
    assert_same(found(begun, parts), EVENTS[10:20])


def test_a_page_may_end_anywhere(begun):
    parts = play(
        begun.next_page(),
        (UP(lowest=11, highest=20, limit=5), page(COMMITS[5], more=True)),
    )
    assert_same(found(begun, parts), EVENTS[10:12])
    assert not begun.is_complete


def test_leftovers_of_a_closed_generation_are_passed_over(begun):
    leftovers = [a_fence(12, LAST_GENERATION), a_commit(EVENTS[:1], 14, LAST_GENERATION)]
    items = [COMMITS[5], leftovers[0], COMMITS[6], leftovers[1], *COMMITS[7:10]]
    parts = play(begun.next_page(), (UP(lowest=11, highest=20, limit=5), page(*items)))
    assert_same(found(begun, parts), EVENTS[10:20])


def test_newest_first_a_gap_is_read_again_and_then_it_is_an_error():
    pages = reading(newest_first=True)
    play(pages.next_page(), (below(SNAPSHOT_VERSION, 5), page(*DOWN[:5], more=True)))
    gone = (below(31, 5), page(a_fence(29), a_fence(27)))
    with pytest.raises(StreamGapError):
        play(pages.next_page(), gone, gone)


def test_an_item_that_cannot_be_read_is_an_error(begun):
    damaged = {**COMMITS[5], "event_count": {"N": "0"}}
    with pytest.raises(StoredItemError):
        play(begun.next_page(), (UP(lowest=11, highest=20, limit=5), page(damaged)))


# Reads that need not be consistent


def test_a_page_out_of_date_is_read_again_consistently():
    pages = reading(a_stream(at(40)), 1, 21, consistent=False)
    newest = below(SNAPSHOT_VERSION, 1, consistent=False)
    request = UP(lowest=1, highest=20, limit=5, consistent=False)
    parts = play(
        pages.next_page(),
        (newest, page(DOWN[0], more=True)),
        (request, page(*COMMITS[:2])),
        (
            request._replace(params={**request.params, "ConsistentRead": True}),
            page(*COMMITS[:5], more=True),
        ),
    )
    assert_same(found(pages, parts), EVENTS[:10])


@pytest.mark.parametrize("items", [[], DOWN[1:]], ids=["nothing", "an older head"])
def test_a_beginning_that_this_process_knows_better_is_read_again_consistently(items):
    pages = reading(a_stream(at(40)), consistent=False, newest_first=True)
    parts = play(
        pages.next_page(),
        (below(SNAPSHOT_VERSION, 5, consistent=False), page(*items[:5], more=bool(items))),
        (below(SNAPSHOT_VERSION, 5), page(*DOWN[:5], more=True)),
    )
    assert_same(found(pages, parts), EVENTS[:29:-1])
