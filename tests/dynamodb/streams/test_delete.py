"""One fence ends a generation, then a sweep clears it, with any number of deleters at once."""

from __future__ import annotations

import pytest

from dynamo_es.dynamodb.streams.delete import delete_stream
from dynamo_es.dynamodb.wire.steps import Pause
from dynamo_es.exceptions import (
    ServiceError,
    StoredItemError,
    ThrottledError,
    UnavailableError,
)
from dynamo_es.testing.conformance.language import a_snapshot, events
from tests.dynamodb.machine import (
    ALL,
    CLEAR_SNAPSHOT,
    DONE,
    GENERATION,
    HIGH,
    LAST_GENERATION,
    LOW,
    MIDDLE,
    NEXT_GENERATION,
    STREAM,
    SURVEY,
    a_commit,
    a_fence,
    a_snapshot_item,
    a_stream,
    at,
    carried_out,
    close,
    expire,
    fence_all,
    fence_over,
    head_of,
    lost,
    outline,
    page,
    play,
    refused,
    survey,
    survey_after,
)

SNAPSHOT = a_snapshot_item(a_snapshot(STREAM, 4))
REFUSED = refused()


# A generation that is live


def test_a_stream_is_fenced_after_its_head_and_cleared_with_version_1_last():
    stream = a_stream(at(6))
    play(
        delete_stream(stream),
        survey(*ALL),
        (close(7), DONE),
        (CLEAR_SNAPSHOT, REFUSED),  # there is none, but one may have come since the survey
        (fence_all(HIGH, MIDDLE), [carried_out(2)]),
        (fence_over(LOW), DONE),
        (expire(7), DONE),
    )
    assert head_of(stream) is None


def test_its_snapshot_goes_first():
    play(
        delete_stream(a_stream()),
        survey(SNAPSHOT, LOW),
        (close(3), DONE),
        (CLEAR_SNAPSHOT, DONE),
        (fence_over(LOW), DONE),
        (expire(3), DONE),
    )


def test_a_snapshot_of_a_generation_before_goes_too():
    play(
        delete_stream(a_stream()),
        survey(a_snapshot_item(a_snapshot(STREAM, 4), LAST_GENERATION), LOW),
        (close(3), DONE),
        (CLEAR_SNAPSHOT, DONE),
        (fence_over(LOW), DONE),
        (expire(3), DONE),
    )


def test_a_stream_that_is_not_there_is_a_read_and_nothing_else():
    stream = a_stream(at(6))
    play(delete_stream(stream), survey())
    assert head_of(stream) is None


def test_a_stream_that_was_deleted_is_a_read_and_nothing_else():
    play(delete_stream(a_stream()), survey(a_fence(7), a_fence(5), a_fence(3), a_fence(1)))


def test_the_pages_of_a_long_stream_are_all_read_before_anything_is_written():
    play(
        delete_stream(a_stream()),
        (SURVEY, page(outline(HIGH), more=True)),
        (survey_after(HIGH), page(outline(MIDDLE), more=True)),
        (survey_after(MIDDLE), page(outline(LOW))),
        (close(7), DONE),
        (CLEAR_SNAPSHOT, REFUSED),
        (fence_all(HIGH, MIDDLE), [carried_out(2)]),
        (fence_over(LOW), DONE),
        (expire(7), DONE),
    )


def test_fences_of_generations_before_are_left_as_they_are():
    play(
        delete_stream(a_stream()),
        survey(a_fence(9, LAST_GENERATION), a_fence(5, LAST_GENERATION), MIDDLE, LOW),
        (close(5), DONE),
        (CLEAR_SNAPSHOT, REFUSED),
        (fence_over(MIDDLE), DONE),
        (fence_over(LOW), DONE),
        (expire(5), DONE),
    )


def test_a_closing_fence_that_never_expired_does_now():
    # Of a deletion that died just before its last request, and a generation that began since.
    play(
        delete_stream(a_stream()),
        survey(a_fence(9, LAST_GENERATION, None), MIDDLE, LOW),
        (close(5), DONE),
        (CLEAR_SNAPSHOT, REFUSED),
        (fence_over(MIDDLE), DONE),
        (fence_over(LOW), DONE),
        (expire(9, LAST_GENERATION), DONE),
        (expire(5), DONE),
    )


def test_a_closing_fence_that_is_put_over_a_lasting_one_expires_once():
    play(
        delete_stream(a_stream()),
        survey(a_fence(3, LAST_GENERATION, None), LOW),
        (close(3), DONE),
        (CLEAR_SNAPSHOT, REFUSED),
        (fence_over(LOW), DONE),
        (expire(3), DONE),
    )


# Others at the same time


def test_an_append_that_was_faster_is_deleted_too():
    stream = a_stream(at(2))
    play(
        delete_stream(stream),
        survey(LOW),
        (close(3), REFUSED),
        survey(MIDDLE, LOW),
        (close(5), DONE),
        (CLEAR_SNAPSHOT, REFUSED),
        (fence_over(MIDDLE), DONE),
        (fence_over(LOW), DONE),
        (expire(5), DONE),
    )


def test_appends_that_are_faster_again_and_again_are_waited_for_up_to_the_deadline():
    play(
        delete_stream(a_stream(at(2))),
        survey(LOW),
        (close(3), REFUSED),
        survey(MIDDLE, LOW),
        (close(5), REFUSED),
        (Pause(2), DONE),
        survey(a_fence(7, GENERATION, None), a_fence(5), a_fence(3), a_fence(1)),
        (expire(7), DONE),
    )


@pytest.mark.parametrize("count", ["0", "-1", "9" * 38])
def test_a_commit_of_no_events_is_an_error_and_nothing_is_written(count):
    broken = LOW | {"event_count": {"N": count}}
    with pytest.raises(StoredItemError, match="event_count"):
        play(delete_stream(a_stream()), survey(broken))


def test_a_deletion_that_was_faster_is_helped():
    play(
        delete_stream(a_stream()),
        survey(MIDDLE, LOW),
        (close(5), REFUSED),
        survey(a_fence(5, GENERATION, None), a_fence(3), LOW),
        (fence_over(LOW), REFUSED),
        (expire(5), REFUSED),
    )


def test_a_deletion_that_was_faster_and_done_leaves_nothing_to_do():
    play(
        delete_stream(a_stream()),
        survey(LOW),
        (close(3), REFUSED),
        survey(a_fence(3), a_fence(1)),
    )


def test_whatever_another_has_done_already_is_passed_over():
    play(
        delete_stream(a_stream()),
        survey(SNAPSHOT, *ALL),
        (close(7), DONE),
        (CLEAR_SNAPSHOT, REFUSED),
        (
            fence_all(HIGH, MIDDLE),
            [carried_out(2, _0="ConditionalCheckFailed", _1="ConditionalCheckFailed")],
        ),
        (fence_over(LOW), REFUSED),
        (expire(7), REFUSED),
    )


def a_long_stream(commits):
    """Return the commits of a stream with one event each, newest first."""
    return [a_commit(events(STREAM, 1), version) for version in range(commits, 0, -1)]


def test_the_commits_of_a_long_stream_are_fenced_25_a_request_all_at_once():
    items = a_long_stream(61)
    batches = fence_all(*items[:-1])
    assert [len(each.params["Statements"]) for each in batches.requests] == [25, 25, 10]
    play(
        delete_stream(a_stream()),
        survey(*items),
        (close(62), DONE),
        (CLEAR_SNAPSHOT, REFUSED),
        (batches, [carried_out(25), carried_out(25), carried_out(10)]),
        (fence_over(items[-1]), DONE),
        (expire(62), DONE),
    )


FAILURES = {
    "a batch that is not sent": UnavailableError("BatchExecuteStatement", "Down", "no way."),
    "a statement that is refused for another reason": carried_out(2, _1="ValidationError"),
    "a statement that may not be sent": carried_out(2, _0="AccessDenied"),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_version_1_stays_until_all_other_commits_are_fences(failure):
    with pytest.raises(ServiceError):
        play(
            delete_stream(a_stream()),
            survey(*ALL),
            (close(7), DONE),
            (CLEAR_SNAPSHOT, REFUSED),
            (fence_all(HIGH, MIDDLE), [failure]),
        )


def test_commits_whose_batch_got_no_reply_are_fenced_one_by_one():
    play(
        delete_stream(a_stream()),
        survey(*ALL),
        (close(7), DONE),
        (CLEAR_SNAPSHOT, REFUSED),
        (fence_all(HIGH, MIDDLE), [lost()]),
        (fence_over(HIGH), REFUSED),
        (fence_over(MIDDLE), DONE),
        (fence_over(LOW), DONE),
        (expire(7), DONE),
    )


def test_a_commit_that_is_throttled_until_the_deadline_is_fenced_at_the_pace_of_the_sdk():
    play(
        delete_stream(a_stream()),
        survey(*ALL),
        (close(7), DONE),
        (CLEAR_SNAPSHOT, REFUSED),
        (fence_all(HIGH, MIDDLE), [carried_out(2, _0="ThrottlingError")]),
        (Pause(1, throttled=True), ThrottledError("BatchExecuteStatement", "Throttling", "Slow.")),
        (fence_over(HIGH), DONE),
        (fence_over(LOW), DONE),
        (expire(7), DONE),
    )


def test_a_throttled_commit_is_fenced_before_version_1():
    play(
        delete_stream(a_stream()),
        survey(*ALL),
        (close(7), DONE),
        (CLEAR_SNAPSHOT, REFUSED),
        (fence_all(HIGH, MIDDLE), [carried_out(2, _0="ThrottlingError")]),
        (Pause(1, throttled=True), {}),
        (fence_all(HIGH), [carried_out(1)]),
        (fence_over(LOW), DONE),
        (expire(7), DONE),
    )


def test_a_commit_of_a_later_generation_in_a_later_page_is_never_touched():
    # Between two pages another process finished the deletion, and a new generation began.
    later = a_commit(events(STREAM, 1), 1, NEXT_GENERATION)
    play(
        delete_stream(a_stream()),
        (SURVEY, page(outline(a_fence(7, GENERATION, None)), outline(HIGH), more=True)),
        (survey_after(HIGH), page(outline(a_fence(3)), outline(later))),
        (fence_over(HIGH), REFUSED),
        (expire(7), DONE),
    )


def test_a_commit_of_a_later_generation_below_a_live_one_is_never_touched():
    later = a_commit(events(STREAM, 1), 1, NEXT_GENERATION)
    play(
        delete_stream(a_stream()),
        (SURVEY, page(outline(HIGH), more=True)),
        (survey_after(HIGH), page(outline(later))),
        (close(7), REFUSED),
        survey(a_fence(7), a_fence(5), later),
    )


def test_one_deletion_ends_one_generation():
    # Its fence was stored and the reply lost; then the next creation cleared the rest.
    later = a_commit(events(STREAM, 2), 1, NEXT_GENERATION)
    play(
        delete_stream(a_stream(at(2))),
        survey(LOW),
        (close(3), REFUSED),
        survey(a_fence(3), later),
    )
