"""An append to several streams, request by request."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final
from uuid import UUID

import pytest

from dynamo_es import ExplicitVersioning, StreamId
from dynamo_es.dynamodb.streams.appending.append_all import append_to_all
from dynamo_es.dynamodb.streams.appending.append_part import Check, PartAppend
from dynamo_es.dynamodb.streams.items import Head, commit_item
from dynamo_es.dynamodb.streams.requests import check_unchanged, put_commits, query_down
from dynamo_es.dynamodb.wire.errors import ConditionRefused
from dynamo_es.dynamodb.wire.steps import Pause
from dynamo_es.exceptions import AppendAllConflictError, AppendOutcomeUnknownError
from dynamo_es.testing.conformance.language import events
from tests.dynamodb.machine import (
    DONE,
    GENERATION,
    KEY,
    LAST_GENERATION,
    NEW,
    NEXT_GENERATION,
    OTHERS,
    RANGE,
    STREAM,
    TABLE,
    a_commit,
    a_fence,
    a_stream,
    at,
    lost,
    page,
    play,
    put,
    reading_head,
)

if TYPE_CHECKING:
    from dynamo_es import RawEvent
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Item, Request

OURS = a_commit(NEW, 4)
CHECKED: Final = StreamId(UUID(int=8), category="order")
CHECKED_KEY: Final = "#order#00000000-0000-0000-0000-000000000008"
READ_CHECKED: Final = query_down(TABLE, CHECKED_KEY, below=10**18, limit=1)


def append_one():
    return append_to_all([PartAppend(a_stream(at(3)), NEW, 3, versionless=False)])


def checked_stream(head: Head | None = None) -> Stream:
    """Return the checked stream, of which the process saw a head, or none."""
    stream = replace(a_stream(), key=CHECKED_KEY, id=CHECKED)
    if head is not None:
        stream.heads.remember(CHECKED_KEY, head)
    return stream


def append_if(version: int, head: Head | None = None, generation: int | None = None):
    """Append after version 3 of a stream if another one is at a version."""
    part = PartAppend(a_stream(at(3)), NEW, 3, versionless=False)
    check = Check.that(checked_stream(head), ExplicitVersioning(version, generation))
    return append_to_all([part], [check])


def sent_if(head: Head) -> Request:
    """Return the transaction that appends if the checked stream ends at a head."""
    return put_commits(TABLE, [OURS], [check_unchanged(TABLE, CHECKED_KEY, head)])


def refused_by(*items: Item | None, maybe_landed: bool = False) -> ConditionRefused:
    """Return the refusal of the transaction; None: that condition was met."""
    places = frozenset(place for place, item in enumerate(items) if item is not None)
    return ConditionRefused(list(items), maybe_landed=maybe_landed, refused=places)


def checked_commit(some: list[RawEvent], version: int, generation: int = GENERATION) -> Item:
    item, _ = commit_item(
        CHECKED_KEY, None, some, version=version, generation=generation, versionless=False
    )
    return item


MOVED: Final = checked_commit(events(CHECKED, 2), 6)
"""What another writer appended to the checked stream after version 5."""


def test_a_check_is_that_nothing_is_at_the_next_version_of_the_generation():
    assert check_unchanged(TABLE, KEY, at(5)) == {
        "ConditionCheck": {
            "TableName": TABLE,
            "Key": {"stream_key": {"S": KEY}, "version": {"N": "6"}},
            "ConditionExpression": "attribute_not_exists(version) OR closed < :generation",
            "ExpressionAttributeValues": {":generation": {"N": str(GENERATION)}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def test_a_check_of_no_stream_is_that_nothing_or_a_leftover_is_at_version_1():
    check = check_unchanged(TABLE, KEY, at(0, 0))["ConditionCheck"]

    assert check["Key"]["version"] == {"N": "1"}
    assert check["ConditionExpression"] == (
        "attribute_not_exists(version) OR attribute_exists(closed) OR generation = :generation"
    )
    assert check["ExpressionAttributeValues"] == {":generation": {"N": "0"}}


def test_a_remembered_head_is_checked_unread():
    assert play(append_if(5, at(5)), (sent_if(at(5)), DONE)) == [5]


@pytest.mark.parametrize("head", [None, at(4), at(6)])
def test_any_other_head_is_read_first(head):
    newest = checked_commit(events(CHECKED, 2), 4)

    versions = play(
        append_if(5, head),
        (READ_CHECKED, page(newest, more=True)),
        (sent_if(at(5)), DONE),
    )

    assert versions == [5]


def test_a_version_inside_a_commit_is_read_and_refused():
    with pytest.raises(AppendAllConflictError) as caught:
        play(
            append_if(5),
            (READ_CHECKED, page(checked_commit(events(CHECKED, 3), 4), more=True)),
            *reading_head(a_commit(OTHERS, 2)),
        )

    assert list(caught.value.conflicts) == [CHECKED]
    assert caught.value.actual == 6


def test_another_generation_than_the_caller_s_is_read_and_refused():
    with pytest.raises(AppendAllConflictError, match="earlier generation"):
        play(
            append_if(5, at(5), LAST_GENERATION),
            (READ_CHECKED, page(checked_commit(events(CHECKED, 2), 4), more=True)),
            *reading_head(a_commit(OTHERS, 2)),
        )


def test_the_item_in_the_way_of_a_check_is_the_conflict():
    with pytest.raises(AppendAllConflictError) as caught:
        play(
            append_if(5, at(5)),
            (sent_if(at(5)), refused_by(None, MOVED)),
            *reading_head(a_commit(OTHERS, 2)),
        )

    assert list(caught.value.conflicts) == [CHECKED]
    assert [event.version for event in caught.value.winning] == [6, 7]


def test_a_moved_check_is_no_conflict_if_the_events_are_stored():
    """DynamoDB may name the check alone, though the commit is in its own way."""
    assert play(
        append_if(5, at(5)),
        (sent_if(at(5)), refused_by(None, MOVED)),
        *reading_head(OURS),
    ) == [5]


def test_a_moved_check_proves_nothing_after_a_lost_reply():
    """It may have moved once the events were stored, and the stream been deleted since."""
    with pytest.raises(AppendOutcomeUnknownError, match="not all stored so far"):
        play(
            append_if(5, at(5)),
            (sent_if(at(5)), refused_by(None, MOVED, maybe_landed=True)),
            *reading_head(a_commit(OTHERS, 2)),
        )


def test_a_faster_commit_proves_that_a_lost_transaction_was_not_carried_out():
    faster = a_commit(OTHERS, 4)

    with pytest.raises(AppendAllConflictError) as caught:
        play(
            append_if(5, at(5)),
            (sent_if(at(5)), refused_by(faster, MOVED, maybe_landed=True)),
        )

    assert list(caught.value.conflicts) == [STREAM, CHECKED]


def test_a_fence_in_the_way_of_a_check_is_read_after():
    fence = {**a_fence(6), "stream_key": {"S": CHECKED_KEY}}

    with pytest.raises(AppendAllConflictError) as caught:
        play(
            append_if(5, at(5)),
            (sent_if(at(5)), refused_by(None, fence)),
            *reading_head(a_commit(OTHERS, 2)),
            (READ_CHECKED, page(checked_commit(events(CHECKED, 5), 1, NEXT_GENERATION), more=True)),
        )

    assert "earlier generation" in str(caught.value)


def test_what_a_deletion_left_is_taken_into_the_condition_and_not_written_to():
    leftover = checked_commit(events(CHECKED, 2), 1, LAST_GENERATION)
    fence = {**a_fence(3, LAST_GENERATION, None), "stream_key": {"S": CHECKED_KEY}}
    rest = query_down(TABLE, CHECKED_KEY, below=3, limit=8)

    versions = play(
        append_if(0),
        (sent_if(at(0, 0)), refused_by(None, leftover)),
        *reading_head(a_commit(OTHERS, 2)),
        (READ_CHECKED, page(fence, more=True)),
        (rest, page(leftover)),
        (Pause(1), DONE),
        (sent_if(at(0, LAST_GENERATION)), DONE),
    )

    assert versions == [5]


def test_a_stream_created_again_up_to_the_expected_version_refuses_the_append():
    """A single append is refused too: the process saw another stream."""
    reborn = a_commit(OTHERS, 2, NEXT_GENERATION)

    with pytest.raises(AppendAllConflictError, match="earlier generation"):
        play(
            append_if(5, at(5)),
            (sent_if(at(5)), refused_by(a_fence(4), None)),
            *reading_head(reborn),
        )


def test_a_stream_that_is_deleted_during_the_search_leaves_a_lost_append_open():
    reborn = a_commit(events(STREAM, 2), 1, NEXT_GENERATION)
    with pytest.raises(AppendOutcomeUnknownError):
        play(
            append_one(),
            (put(OURS), lost()),
            *reading_head(a_commit(OTHERS, 6)),
            (RANGE, page(reborn)),
        )


def test_a_stream_created_again_without_versions_leaves_a_lost_append_open():
    with pytest.raises(AppendOutcomeUnknownError):
        play(
            append_one(),
            (put(OURS), lost()),
            *reading_head(a_commit(OTHERS, 1, NEXT_GENERATION, versionless=True)),
        )
