"""Reading a stream event by event, also while the stream changes."""

from contextlib import suppress
from itertools import islice

import pytest

from dynamo_es import StreamId
from dynamo_es.exceptions import (
    InputError,
    InvalidRangeError,
    InvalidStreamIdError,
    StreamGapError,
)
from dynamo_es.testing.conformance.language import an_event, assert_same, events

SIZES = (1, 3, 2, 7, 1, 1, 4, 1, 2, 1, 5, 3)
LENGTH = sum(SIZES)


@pytest.fixture
def stream() -> StreamId:
    return StreamId(category="account")


@pytest.fixture
def storage(then):
    return then.in_process("cold").storage


@pytest.mark.parametrize("page_size", [1, 2, 3, 500])
def test_a_range_is_the_one_that_a_load_returns(given, storage, stream, page_size):
    given.stream(stream).with_commits_of(*SIZES)

    for start in (1, 2, 5, LENGTH - 3, LENGTH, LENGTH + 1):
        for stop in (None, 1, 3, 6, LENGTH, LENGTH + 1, LENGTH + 9):
            loaded = storage.fetch_events(stream, start, stop)

            up = storage.iter_events(stream, start, stop, page_size=page_size)
            assert_same(list(up), loaded)
            down = storage.iter_events(stream, start, stop, page_size=page_size, newest_first=True)
            assert_same(list(down), loaded[::-1])


@pytest.mark.parametrize("page_size", [1, 3, 500])
@pytest.mark.parametrize("version", [1, 4, 20, LENGTH - 1, LENGTH])
def test_without_a_start_it_begins_with_the_newest_snapshot(
    given, storage, stream, version, page_size
):
    given.stream(stream).with_commits_of(*SIZES)
    given.stream(stream).with_snapshot(version)

    for stop in (None, version, version + 1, version + 3):
        loaded = storage.fetch_events(stream, None, stop)

        assert_same(list(storage.iter_events(stream, None, stop, page_size=page_size)), loaded)
        whole = list(storage.iter_events(stream, 1, stop))
        assert len(whole) == min(stop or LENGTH + 1, LENGTH + 1) - 1


def test_a_stream_without_a_snapshot_is_read_from_its_first_event(given, storage, stream):
    stored = given.stream(stream).with_commits_of(*SIZES)

    assert_same(list(storage.iter_events(stream, None)), stored)


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_stream_that_does_not_exist_has_no_event(given, storage, stream, newest_first):
    assert list(storage.iter_events(stream, newest_first=newest_first)) == []

    given.stream(stream).with_commits_of(2, 1)
    given.stream(stream).deleted()

    assert list(storage.iter_events(stream, newest_first=newest_first)) == []


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_stream_without_versions_is_counted(given, storage, stream, newest_first):
    stored = given.stream(stream).without_versions(*SIZES)

    found = list(storage.iter_events(stream, 3, 9, page_size=2, newest_first=newest_first))

    assert_same(found[::-1] if newest_first else found, stored[2:8])


@pytest.mark.parametrize("newest_first", [False, True])
def test_later_appends_are_left_out(given, when, storage, stream, newest_first):
    stored = given.stream(stream).with_commits_of(*SIZES)
    reading = storage.iter_events(stream, page_size=2, newest_first=newest_first)
    begun = list(islice(reading, 2))

    when.appending(*events(stream, 2), to=stream, expecting=LENGTH)

    found = [*begun, *reading]
    assert_same(found[::-1] if newest_first else found, stored)


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("read", [0, 1, 9, LENGTH - 1])
@pytest.mark.parametrize("again", [(), SIZES, (LENGTH + 5,)])
def test_a_deletion_meanwhile_never_mixes_generations(
    given, storage, stream, newest_first, read, again
):
    stored = given.stream(stream).with_commits_of(*SIZES)
    reading = storage.iter_events(stream, page_size=2, newest_first=newest_first)
    found = list(islice(reading, read))

    given.stream(stream).deleted()
    new = given.stream(stream).with_commits_of(*again) if again else []
    with suppress(StreamGapError):
        found += reading
        # If there is no error, nothing may be missing.
        assert len(found) == (len(stored) if read else len(new))

    expected = stored if read else new
    assert_same(found, (expected[::-1] if newest_first else expected)[: len(found)])
    assert len(found) >= read


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_generation_after_a_deletion_is_read_past_its_fences(
    given, storage, stream, newest_first
):
    given.stream(stream).with_commits_of(*(1,) * 30)
    given.stream(stream).deleted()
    stored = given.stream(stream).with_commits_of(4, 1, 9, 2)

    for page_size in (1, 2, 500):
        found = list(storage.iter_events(stream, page_size=page_size, newest_first=newest_first))
        assert_same(found[::-1] if newest_first else found, stored)


def test_you_can_stop_at_any_event(given, when, storage, stream):
    stored = given.stream(stream).with_commits_of(*SIZES)

    for number in (0, 1, 2, 7):
        reading = storage.iter_events(stream, page_size=1)
        assert_same(list(islice(reading, number)), stored[:number])
        reading.close()
        assert list(reading) == []

    when.appending(an_event(stream), to=stream, expecting=LENGTH)
    assert len(list(storage.iter_events(stream))) == LENGTH + 1


def test_two_readers_do_not_disturb_each_other(given, storage, stream):
    stored = given.stream(stream).with_commits_of(*SIZES)

    up = storage.iter_events(stream, page_size=2)
    down = storage.iter_events(stream, page_size=3, newest_first=True)
    pairs = list(zip(up, down, strict=True))

    assert_same([one for one, _ in pairs], stored)
    assert_same([other for _, other in pairs], stored[::-1])


def test_wrong_arguments_are_refused_at_the_call(storage, stream):
    for start, stop in [(0, None), (1, 0), ("1", None), (True, None)]:
        with pytest.raises(InvalidRangeError):
            storage.iter_events(stream, start, stop)
    for page_size in (0, True, 1.5, None):
        with pytest.raises(InputError, match="page_size must be"):
            storage.iter_events(stream, page_size=page_size)
    with pytest.raises(InvalidRangeError, match="newest_first needs a start"):
        storage.iter_events(stream, None, newest_first=True)
    with pytest.raises(InvalidStreamIdError):
        storage.iter_events("ann")


def test_a_read_that_need_not_be_consistent_shows_what_this_process_appended(given, then, stream):
    stored = given.stream(stream).with_commits_of(1, 2, 3)

    assert_same(then.storage.fetch_events(stream, 1, consistent=False), stored)
    assert_same(list(then.storage.iter_events(stream, consistent=False)), stored)
