"""After a lost reply, an append reports success or conflict only if that is certain."""

from __future__ import annotations

from random import Random

import pytest

from dynamo_es import ANY_VERSION, NO_VERSIONING
from dynamo_es.dynamodb.streams.requests import get_item, put_commits
from dynamo_es.dynamodb.wire.steps import Pause
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    ConcurrentStreamWriteError,
    ContentionError,
    StoredItemError,
    TableNotFoundError,
    UnavailableError,
)
from dynamo_es.testing.conformance.language import an_event, events
from tests.dynamodb.machine import (
    DONE,
    GENERATION,
    KEY,
    LAST_GENERATION,
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
    lost,
    outline,
    page,
    play,
    put,
    reading_head,
    refused,
    timed_out,
)

OURS = a_commit(NEW, 4)
CREATED = a_commit(NEW, 1, NEXT_GENERATION)


def look_up(version):
    return get_item(TABLE, KEY, version)


# Refused, but an attempt before may have been carried out


def test_its_own_commit_in_the_way_is_a_success():
    stream = a_stream(at(3))
    play(
        append(stream, 3),
        (put(OURS), refused(OURS, maybe_landed=True)),
        *reading_head(OURS),
    )
    assert head_of(stream) == at(5)


def test_its_own_commit_is_a_success_however_far_the_stream_has_gone_on():
    later = a_commit(OTHERS, 6)
    stream = a_stream(at(3))
    play(
        append(stream, ANY_VERSION),
        (put(OURS), refused(OURS, maybe_landed=True)),
        *reading_head(later),
        (RANGE, page(later, OURS, a_commit(events(STREAM, 3), 1))),
    )
    assert head_of(stream) == at(7)


def test_a_stream_that_is_deleted_during_the_search_for_its_own_commit_leaves_it_open():
    reborn = a_commit(events(STREAM, 2), 1, NEXT_GENERATION)
    with pytest.raises(AppendOutcomeUnknownError, match="deleted during the append"):
        play(
            append(a_stream(at(3)), 3),
            (put(OURS), refused(OURS, maybe_landed=True)),
            *reading_head(a_commit(OTHERS, 6)),
            (RANGE, page(reborn)),
        )


def test_a_stream_that_is_deleted_before_anything_was_put_is_looked_at_again():
    reborn = a_commit(events(STREAM, 2), 1, NEXT_GENERATION)
    with pytest.raises(ConcurrentStreamWriteError) as caught:
        play(
            append(a_stream(), 3),
            *reading_head(a_commit(OTHERS, 6)),
            (RANGE, page(reborn)),
            (Pause(1), DONE),
            *reading_head(reborn),
        )
    assert caught.value.actual == 2


def test_a_refusal_by_a_part_of_its_events_shows_nothing_of_what_follows():
    first = a_commit(NEW[:1], 4)
    later = a_commit(OTHERS, 5)
    with pytest.raises(ConcurrentStreamWriteError) as caught:
        play(
            append(a_stream(at(3)), 3),
            (put(OURS), refused(first)),
            *reading_head(later),
            (RANGE, page(later, first, a_commit(events(STREAM, 3), 1))),
        )
    assert (caught.value.actual, caught.value.winning) == (6, ())


def test_its_own_creation_in_the_way_is_a_success_if_the_stream_is_alive():
    stream = a_stream()
    play(
        append(stream, 0),
        (put(CREATED), refused(CREATED, maybe_landed=True)),
        *reading_head(CREATED),
    )
    assert head_of(stream) == at(2, NEXT_GENERATION)


def test_anothers_commit_in_the_way_is_a_conflict_all_the_same():
    # A version is written once in a generation: ours is not there, and never will be.
    with pytest.raises(ConcurrentStreamWriteError) as caught:
        play(
            append(a_stream(at(3)), 3),
            (put(OURS), refused(a_commit(OTHERS, 4), maybe_landed=True)),
        )
    assert caught.value.actual == 5


def test_a_fence_in_the_way_leaves_open_whether_it_was_stored_before_the_deletion():
    with pytest.raises(AppendOutcomeUnknownError, match="deleted during the append") as caught:
        play(
            append(a_stream(at(3)), 3),
            (put(OURS), refused(a_fence(4), maybe_landed=True)),
            *reading_head(a_fence(6), a_fence(4)),
        )
    assert caught.value.expected == 3


@pytest.mark.parametrize("closed", [NEXT_GENERATION, NEXT_GENERATION + 1])
def test_a_fence_that_may_be_of_its_own_creation_leaves_it_open(closed):
    with pytest.raises(AppendOutcomeUnknownError, match="deleted during the append"):
        play(
            append(a_stream(), 0),
            (put(CREATED), refused(a_fence(1, closed), maybe_landed=True)),
        )


def test_a_read_that_fails_then_hides_the_outcome():
    with pytest.raises(AppendOutcomeUnknownError, match="to find out failed") as caught:
        play(
            append(a_stream(at(3)), 3),
            (put(OURS), refused(OURS, maybe_landed=True)),
            (READ_HEAD, timed_out()),
        )
    assert isinstance(caught.value.__cause__, UnavailableError)


def test_reads_that_others_interrupt_until_the_deadline_hide_the_outcome():
    # Each time, an append overwrites the fence of an old generation before the read goes on below.
    *pages, (look_above, _) = reading_head(a_fence(6, LAST_GENERATION), OURS)
    interrupted = [*pages, (look_above, {"Item": a_commit(OTHERS, 6)})]
    too_late = ContentionError("PutItem", "LostRaces", "other writers were faster.")
    with pytest.raises(AppendOutcomeUnknownError, match="to find out failed") as caught:
        play(
            append(a_stream(at(3)), ANY_VERSION),
            (put(OURS), refused(OURS, maybe_landed=True)),
            *interrupted,
            *interrupted,
            (Pause(2), too_late),
        )
    assert caught.value.__cause__ is too_late


def test_a_damaged_item_hides_the_outcome():
    damaged = {name: value for name, value in OURS.items() if name != "generation"}
    with pytest.raises(AppendOutcomeUnknownError, match="to find out failed") as caught:
        play(
            append(a_stream(at(3)), ANY_VERSION),
            (put(OURS), refused(OURS, maybe_landed=True)),
            (READ_HEAD, page(damaged)),
        )
    assert isinstance(caught.value.__cause__, StoredItemError)


def test_a_creation_that_may_have_landed_is_no_mixture_of_versions():
    others = a_commit(OTHERS, 1, LAST_GENERATION, versionless=True)
    with pytest.raises(AppendOutcomeUnknownError):
        play(
            append(a_stream(), 0),
            (put(CREATED), refused(others, maybe_landed=True)),
            *reading_head(others),
        )


@pytest.mark.parametrize("maybe_landed", [False, True])
def test_a_refusal_that_shows_nothing_is_looked_up(maybe_landed):
    stream = a_stream(at(3))
    play(
        append(stream, 3),
        (put(OURS), refused(None, maybe_landed=maybe_landed)),
        (look_up(4), {"Item": OURS}),
        *reading_head(OURS),
    )
    assert head_of(stream) == at(5)


def test_a_refusal_of_which_nothing_is_found_any_more_is_no_conflict():
    with pytest.raises(AppendOutcomeUnknownError, match="the item that refused the append is gone"):
        play(append(a_stream(at(3)), 3), (put(OURS), refused(None)), (look_up(4), {}))


# No reply at all


def test_its_own_commit_found_is_a_success():
    stream = a_stream(at(3))
    play(
        append(stream, 3),
        (put(OURS), lost()),
        (look_up(4), {"Item": OURS}),
        *reading_head(OURS),
    )
    assert head_of(stream) == at(5)


def test_its_own_creation_found_is_a_success():
    stream = a_stream()
    play(
        append(stream, 0),
        (put(CREATED), lost()),
        (look_up(1), {"Item": CREATED}),
        *reading_head(CREATED),
    )
    assert head_of(stream) == at(2, NEXT_GENERATION)


def test_anothers_commit_found_is_a_conflict():
    with pytest.raises(ConcurrentStreamWriteError) as caught:
        play(
            append(a_stream(at(3)), 3),
            (put(OURS), lost()),
            (look_up(4), {"Item": a_commit(OTHERS, 4)}),
        )
    assert caught.value.actual == 5


@pytest.mark.parametrize("versioning", [ANY_VERSION, NO_VERSIONING], ids=repr)
def test_at_the_head_anothers_commit_found_is_appended_after(versioning):
    versionless = versioning is NO_VERSIONING
    stream = a_stream(at(3, versionless=versionless))
    play(
        append(stream, versioning),
        (put(a_commit(NEW, 4, versionless=versionless)), lost()),
        (look_up(4), {"Item": a_commit(OTHERS, 4, versionless=versionless)}),
        (put(a_commit(NEW, 6, versionless=versionless)), DONE),
    )


@pytest.mark.parametrize(
    "found", [{}, {"Item": a_fence(4, LAST_GENERATION)}], ids=["nothing", "fence"]
)
@pytest.mark.parametrize("expected", [3, ANY_VERSION])
def test_nothing_found_proves_nothing_for_it_may_still_be_on_its_way(found, expected):
    with pytest.raises(AppendOutcomeUnknownError, match="not in the stream so far") as caught:
        play(append(a_stream(at(3)), expected), (put(OURS), lost()), (look_up(4), found))
    assert f"PutItem on table '{TABLE}' got no usable reply (" in str(caught.value)
    assert caught.value.expected == (3 if expected == 3 else None)
    advice = (
        "Repeat the call with the same events (same UUIDs)"
        if expected == 3
        else "look for the UUIDs of your events"
    )
    assert advice in str(caught.value)


def test_a_fence_of_its_own_generation_found_leaves_it_open():
    with pytest.raises(AppendOutcomeUnknownError, match="deleted during the append"):
        play(
            append(a_stream(at(3)), 3),
            (put(OURS), lost()),
            (look_up(4), {"Item": a_fence(4, GENERATION)}),
            *reading_head(a_fence(4), a_fence(1)),
        )


def test_looking_up_that_fails_leaves_it_open():
    with pytest.raises(AppendOutcomeUnknownError, match="reading the stream") as caught:
        play(append(a_stream(at(3)), 3), (put(OURS), lost()), (look_up(4), timed_out("GetItem")))
    assert isinstance(caught.value.__cause__, UnavailableError)


def test_a_certain_failure_is_raised_as_it_is():
    missing = TableNotFoundError("PutItem", "ResourceNotFoundException", "No.", "events")
    with pytest.raises(TableNotFoundError):
        play(append(a_stream(at(3)), 3), (put(OURS), missing))


# Several items


HALVES = [an_event(STREAM, data={"x": Random(n).randbytes(120_000).hex()}) for n in range(4)]
LOWER, UPPER = a_commit(HALVES[:2], 4), a_commit(HALVES[2:], 6)
BOTH = put_commits(TABLE, [LOWER, UPPER])


def test_its_own_transaction_in_the_way_is_a_success():
    stream = a_stream(at(3))
    play(
        append(stream, 3, HALVES),
        (BOTH, refused(LOWER, UPPER, maybe_landed=True)),
        *reading_head(UPPER),
        (RANGE, page(UPPER, LOWER, a_commit(events(STREAM, 3), 1))),
    )
    assert head_of(stream) == at(7)


def test_anothers_commit_in_the_way_of_a_transaction_is_a_conflict():
    other = a_commit(OTHERS, 4)
    with pytest.raises(ConcurrentStreamWriteError) as caught:
        play(append(a_stream(at(3)), 3, HALVES), (BOTH, refused(other, None)))
    assert caught.value.actual == 5


def test_the_upper_part_of_its_own_transaction_in_the_way_is_a_success():
    # The reason of the lower one: a transaction of another held it just then.
    play(
        append(a_stream(at(3)), 3, HALVES),
        (BOTH, refused(None, UPPER, maybe_landed=True)),
        *reading_head(UPPER),
        (RANGE, page(UPPER, LOWER, a_commit(events(STREAM, 3), 1))),
    )


# A creation that may still be on its way


def test_a_creation_that_may_still_land_is_not_put_again_under_another_number():
    """Else it could be stored, deleted by another process, and stored once more."""
    low, closing = a_commit(OTHERS, 1, LAST_GENERATION), a_fence(3, LAST_GENERATION, None)
    with pytest.raises(AppendOutcomeUnknownError):
        play(
            append(a_stream(), 0),
            (put(CREATED), lost()),
            (look_up(1), {"Item": low}),
            *reading_head(closing, low),
        )


def test_a_creation_that_was_refused_for_certain_is_put_again_when_leftovers_are_cleared():
    low, closing = a_commit(OTHERS, 1, LAST_GENERATION), a_fence(3, LAST_GENERATION, None)
    play(
        append(a_stream(), 0),
        (put(CREATED), refused(low)),
        *reading_head(closing, low),
        (SURVEY, page(outline(closing), outline(low))),
        (fence_over(low), DONE),
        (expire(3, LAST_GENERATION), DONE),
        (put(CREATED), DONE),
    )
