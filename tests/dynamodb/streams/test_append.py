"""Appending: the exact requests up to every certain outcome."""

from __future__ import annotations

from random import Random

import pytest

from dynamo_es import ANY_VERSION, NO_VERSIONING
from dynamo_es.dynamodb.streams.requests import get_item, put_commits
from dynamo_es.dynamodb.wire.steps import Pause, Request, Response
from dynamo_es.exceptions import (
    ConcurrentStreamWriteError,
    ServiceError,
)
from dynamo_es.testing.conformance.language import an_event, events, numbered
from tests.dynamodb.machine import (
    DONE,
    GENERATION,
    KEY,
    NEW,
    NEXT_GENERATION,
    OTHERS,
    RANGE,
    READ_HEAD,
    STREAM,
    SURVEY,
    TABLE,
    a_commit,
    a_fence,
    a_stream,
    append,
    at,
    expire,
    fence_over,
    head_of,
    outline,
    page,
    play,
    put,
    ranging,
    reading_head,
    refused,
    timed_out,
)

# Nothing in the way


@pytest.mark.parametrize("expected", [3, ANY_VERSION])
def test_warm_it_is_one_put(expected):
    stream = a_stream(at(3))
    play(append(stream, expected), (put(a_commit(NEW, 4)), DONE))
    assert head_of(stream) == at(5)


@pytest.mark.parametrize("expected", [4, ANY_VERSION])
def test_cold_it_is_a_read_and_a_put(expected):
    stream = a_stream()
    newest = a_commit(OTHERS, 3)
    play(
        append(stream, expected),
        *reading_head(newest),
        (put(a_commit(NEW, 5)), DONE),
    )
    assert head_of(stream) == at(6)


def test_a_remembered_head_that_is_not_the_expected_one_is_read_again():
    stream = a_stream(at(2))
    play(
        append(stream, 4),
        *reading_head(a_commit(OTHERS, 3)),
        (put(a_commit(NEW, 5)), DONE),
    )


def test_a_creation_is_one_put_of_a_new_generation():
    stream = a_stream()
    play(append(stream, 0), (put(a_commit(NEW, 1, NEXT_GENERATION)), DONE))
    assert head_of(stream) == at(2, NEXT_GENERATION)


@pytest.mark.parametrize("versioning", [ANY_VERSION, NO_VERSIONING])
def test_at_the_head_of_nothing_it_creates(versioning):
    stream, versionless = a_stream(), versioning is NO_VERSIONING
    play(
        append(stream, versioning),
        *reading_head(),
        (put(a_commit(NEW, 1, NEXT_GENERATION, versionless=versionless)), DONE),
    )
    assert head_of(stream) == at(2, NEXT_GENERATION, versionless=versionless)


def test_without_versions_it_goes_on_after_the_hidden_sequence():
    stream = a_stream(at(7, versionless=True))
    play(append(stream, NO_VERSIONING), (put(a_commit(NEW, 8, versionless=True)), DONE))


def test_what_does_not_fit_in_one_item_is_one_transaction():
    large = [an_event(STREAM, data={"x": Random(n).randbytes(120_000).hex()}) for n in range(4)]
    stream = a_stream(at(3))
    play(
        append(stream, 3, large),
        (put_commits(TABLE, [a_commit(large[:2], 4), a_commit(large[2:], 6)]), DONE),
    )
    assert head_of(stream) == at(7)


# Another version


def test_a_stream_that_is_not_there_has_version_0():
    with pytest.raises(ConcurrentStreamWriteError) as caught:
        play(append(a_stream(at(2)), 3), *reading_head())
    assert (caught.value.expected, caught.value.actual) == (3, 0)


@pytest.mark.parametrize("expected", [1, 3, 5])
def test_a_wrong_version_is_refused_after_the_read(expected):
    stream, head = a_stream(), reading_head(a_commit(OTHERS, 3))
    with pytest.raises(ConcurrentStreamWriteError, match=r"at 4\. Load the stream") as caught:
        play(append(stream, expected), *head, *RANGES[expected])
    assert (caught.value.expected, caught.value.actual) == (expected, 4)
    assert head_of(stream) == at(4)


# Far enough below the head, the events may be there already: then they are looked for.
RANGES: dict[int, list[tuple[Request, Response]]] = {
    1: [(RANGE, page(a_commit(OTHERS, 3), a_commit(events(STREAM, 2), 1)))],
    3: [],
    5: [],
}

ONES = numbered(events(STREAM, 10))
TEN = [a_commit(ONES[n : n + 1], n + 1) for n in range(9, -1, -1)]
"""Ten commits of one event, newest first."""


def test_a_version_below_the_head_that_this_process_saw_is_refused_by_one_read():
    stream = a_stream(at(10))
    with pytest.raises(ConcurrentStreamWriteError, match=r"at 10\. Load the stream") as caught:
        play(append(stream, 5), (ranging(9, lowest=6), page(*TEN[:5])))
    assert (caught.value.expected, caught.value.actual) == (5, 10)
    assert head_of(stream) == at(10)


def test_the_same_read_finds_events_that_are_stored_there_already():
    ours = [a_commit(NEW[1:], 7), a_commit(NEW[:1], 6)]
    done = play(append(a_stream(at(10)), 5), (ranging(9, lowest=6), page(*TEN[:3], *ours)))
    assert (done, done.generation, done.repeated) == (7, GENERATION, True)


def test_the_same_read_shows_that_the_stream_is_gone():
    stream = a_stream(at(10))
    with pytest.raises(ConcurrentStreamWriteError) as caught:
        play(
            append(stream, 5),
            (ranging(9, lowest=6), page(a_fence(11, GENERATION, None), *TEN[:5])),
        )
    assert (caught.value.actual, head_of(stream)) == (0, None)


def test_a_stream_that_began_again_at_the_expected_version_is_appended_to():
    # The process saw version 5 in no generation, so the caller may have seen this one.
    reborn = a_commit(events(STREAM, 5), 1, NEXT_GENERATION)
    done = play(
        append(a_stream(at(10)), 5),
        (ranging(9, lowest=6), page()),
        (ranging(9, below=6), page(reborn)),
        (get_item(TABLE, KEY, 6), {}),
        (put(a_commit(NEW, 6, NEXT_GENERATION)), DONE),
    )
    assert (done, done.generation) == (7, NEXT_GENERATION)


def test_a_hole_below_the_head_that_this_process_saw_is_read_again():
    gap = (ranging(9, lowest=6), page(*TEN[:3], TEN[4]))
    whole = (ranging(9, lowest=6), page(*TEN[:5]))
    with pytest.raises(ConcurrentStreamWriteError):
        play(append(a_stream(at(10)), 5), gap, gap, (Pause(1), DONE), whole)


def test_a_commit_in_the_way_is_a_conflict_without_a_read():
    stream = a_stream(at(3))
    with pytest.raises(ConcurrentStreamWriteError, match=r"at 5\. Load the stream") as caught:
        play(append(stream, 3), (put(a_commit(NEW, 4)), refused(a_commit(OTHERS, 4))))
    assert (caught.value.expected, caught.value.actual) == (3, 5)
    assert [event.uuid for event in caught.value.winning] == [event.uuid for event in OTHERS]
    assert head_of(stream) == at(5)


def test_events_that_are_stored_already_are_a_success():
    # As another process stored them, or this one before it forgot.
    stream = a_stream()
    play(append(stream, 2), *reading_head(a_commit(NEW, 3)))
    assert head_of(stream) == at(4)


def test_events_that_are_stored_further_down_are_a_success():
    newest, ours = a_commit(OTHERS, 5), a_commit(NEW, 3)
    play(
        append(a_stream(), 2),
        *reading_head(newest),
        (RANGE, page(newest, ours, a_commit(events(STREAM, 2), 1))),
    )


# Fences


def test_a_creation_over_a_fence_is_numbered_above_it():
    # Of a process whose clock is ahead: usually the fence is below now, and not in the way.
    ahead = NEXT_GENERATION + 60_000_000
    stream = a_stream()
    play(
        append(stream, 0),
        (put(a_commit(NEW, 1, NEXT_GENERATION)), refused(a_fence(1, ahead))),
        (put(a_commit(NEW, 1, ahead + 1)), DONE),
    )
    assert head_of(stream) == at(2, ahead + 1)


def test_a_creation_that_meets_fence_after_fence_takes_its_time():
    generations = [NEXT_GENERATION + 60_000_000 * n for n in range(4)]
    stream = a_stream()
    play(
        append(stream, 0),
        (put(a_commit(NEW, 1, generations[0])), refused(a_fence(1, generations[1]))),
        (put(a_commit(NEW, 1, generations[1] + 1)), refused(a_fence(1, generations[2]))),
        (Pause(2), DONE),
        (put(a_commit(NEW, 1, generations[2] + 1)), refused(a_fence(1, generations[3]))),
        (Pause(3), DONE),
        (put(a_commit(NEW, 1, generations[3] + 1)), DONE),
    )


@pytest.mark.parametrize(
    ("above", "actual"),
    [([], 0), ([a_fence(4)], 0), ([a_fence(4), a_commit(OTHERS, 1, NEXT_GENERATION)], 2)],
)
def test_an_append_to_a_generation_that_is_over_says_so(above, actual):
    stream = a_stream(at(3))
    with pytest.raises(ConcurrentStreamWriteError) as caught:
        play(
            append(stream, 3),
            (put(a_commit(NEW, 4)), refused(a_fence(4))),
            *reading_head(*above),
        )
    assert (caught.value.expected, caught.value.actual) == (3, actual)
    assert "was deleted (and maybe created again) since the caller last saw" in str(caught.value)
    assert head_of(stream) == (at(2, NEXT_GENERATION) if actual else None)


def test_a_later_generation_of_the_same_version_is_another_stream():
    stream = a_stream(at(2))
    with pytest.raises(ConcurrentStreamWriteError, match="an earlier generation") as caught:
        play(
            append(stream, 2),
            (put(a_commit(NEW, 3)), refused(a_fence(3))),
            *reading_head(a_fence(3), a_commit(OTHERS, 1, NEXT_GENERATION)),
        )
    assert caught.value.actual == 2


# A creation that meets a commit


def test_a_creation_of_what_is_there_is_a_conflict():
    stream, there = a_stream(), a_commit(OTHERS, 1)
    with pytest.raises(ConcurrentStreamWriteError) as caught:
        play(
            append(stream, 0),
            (put(a_commit(NEW, 1, NEXT_GENERATION)), refused(there)),
            *reading_head(a_commit(events(STREAM, 1), 3)),
        )
    assert (caught.value.expected, caught.value.actual) == (0, 3)
    assert head_of(stream) == at(3)


def test_a_creation_of_what_these_events_created_is_a_success():
    # A Lambda that ran twice: another generation's number, the same events.
    there = a_commit(NEW, 1)
    play(
        append(a_stream(), 0),
        (put(a_commit(NEW, 1, NEXT_GENERATION)), refused(there)),
        *reading_head(there),
    )


def test_leftovers_of_a_deletion_are_cleared_and_the_creation_is_put_again():
    low, high, closing = (
        a_commit(OTHERS, 1),
        a_commit(events(STREAM, 2), 3),
        a_fence(5, GENERATION, None),
    )
    stream = a_stream()
    play(
        append(stream, 0),
        (put(a_commit(NEW, 1, NEXT_GENERATION)), refused(low)),
        *reading_head(closing, high, low),
        (SURVEY, page(*map(outline, (closing, high, low)))),
        (fence_over(high), DONE),
        (fence_over(low), DONE),
        (expire(5), DONE),
        (put(a_commit(NEW, 1, NEXT_GENERATION)), DONE),
    )
    assert head_of(stream) == at(2, NEXT_GENERATION)


def test_leftovers_of_a_clock_that_was_ahead_are_numbered_above_too():
    ahead = NEXT_GENERATION + 60_000_000
    low, closing = a_commit(OTHERS, 1, ahead), a_fence(3, ahead, None)
    play(
        append(a_stream(), 0),
        (put(a_commit(NEW, 1, NEXT_GENERATION)), refused(low)),
        *reading_head(closing, low),
        (SURVEY, page(outline(closing), outline(low))),
        (fence_over(low), DONE),
        (expire(3, ahead), DONE),
        (put(a_commit(NEW, 1, ahead + 1)), DONE),
    )


def test_a_read_that_fails_after_a_certain_refusal_is_a_failure_and_no_riddle():
    with pytest.raises(ServiceError) as caught:
        play(
            append(a_stream(), 0),
            (put(a_commit(NEW, 1, NEXT_GENERATION)), refused(a_commit(OTHERS, 1))),
            (READ_HEAD, timed_out()),
        )
    assert caught.value.operation == "Query"
