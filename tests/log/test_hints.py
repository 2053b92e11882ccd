"""Hints: which items of the events table are commits, and which are nothing of this library's."""

from __future__ import annotations

import pytest

from dynamo_es import StreamId
from dynamo_es.dynamodb.log.hints import find_hint
from dynamo_es.dynamodb.log.sequencing import hint_of
from dynamo_es.exceptions import StoredItemError
from tests.bdd import a_snapshot, events
from tests.dynamodb.machine import STREAM, a_commit, a_fence, a_snapshot_item
from tests.log.stores import FOREIGN, a_commit_of


def test_a_commit_is_one():
    item = a_commit(events(STREAM, 2), 3)
    assert find_hint(item) == hint_of(item)


def test_fences_and_snapshots_are_none():
    assert find_hint(a_fence(1)) is None
    assert find_hint(a_snapshot_item(a_snapshot(STREAM, 2))) is None


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (FOREIGN, "event_count"),
        (a_commit_of(StreamId()) | {"stream_key": {"S": "mine"}}, "not a stream's"),
        (a_commit_of(StreamId(), size=0), "no events"),
        (a_commit_of(StreamId(), version=0), "no events"),
    ],
)
def test_anything_else_is_foreign(item, reason):
    with pytest.raises(StoredItemError, match=reason):
        find_hint(item)
