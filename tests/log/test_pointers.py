"""Tells commits from other items of the events table."""

from __future__ import annotations

import pytest

from dynamo_es import StreamId
from dynamo_es.contracts.stream_keys import MAX_KEY_BYTES
from dynamo_es.dynamodb.log.markers import MAX_PLACE_BYTES
from dynamo_es.dynamodb.log.pointers import find_pointer, find_pointers, pointer_to
from dynamo_es.exceptions import StoredItemError
from dynamo_es.testing.conformance.language import a_snapshot, events
from tests.dynamodb.machine import STREAM, a_commit, a_fence, a_snapshot_item
from tests.log.stores import FOREIGN, a_commit_of


def test_a_commit_is_one():
    item = a_commit(events(STREAM, 2), 3)
    assert find_pointer(item) == pointer_to(item)


def test_fences_and_snapshots_are_none():
    assert find_pointer(a_fence(1)) is None
    assert find_pointer(a_snapshot_item(a_snapshot(STREAM, 2))) is None


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (FOREIGN, "event_count"),
        (a_commit_of(StreamId()) | {"stream_key": {"S": "mine"}}, "not a stream's"),
        (a_commit_of(StreamId()) | {"stream_key": {"S": f"#order#{{{STREAM}}}"}}, "stream's"),
        (a_commit_of(StreamId()) | {"stream_name": {"S": "another"}}, "its name is not"),
        (a_commit_of(StreamId()) | {"event_count": {"N": "0"}}, "event_count"),
        (a_commit_of(StreamId()) | {"version": {"N": "0"}}, "version"),
        (a_commit_of(StreamId()) | {"item_format": {"N": "2"}}, "newer release"),
        (a_commit_of(StreamId()) | {"event_names": {"S": "x"}}, "event_names is of another type"),
        (a_commit_of(StreamId()) | {"event_names": {"SS": ["x" * 40_000]}}, "32,768 bytes"),
        (a_commit_of(StreamId()) | {"closed": {"N": "7"}}, "both a fence and a commit"),
        (a_fence(1) | {"closed": {"N": "9" * 38}}, "its closed is not"),
    ],
)
def test_anything_else_cannot_be_read(item, reason):
    with pytest.raises(StoredItemError, match=reason):
        find_pointer(item)


def test_what_has_nothing_of_the_librarys_is_foreign_and_all_else_is_damaged():
    fine, damaged = a_commit_of(StreamId()), a_commit_of(StreamId(), 3)
    del damaged["event_names"]
    bare = {name: damaged[name] for name in ("stream_key", "version")}
    found = find_pointers([FOREIGN, fine, damaged, a_fence(1), bare])
    assert found.pointers == [pointer_to(fine)]
    assert found.foreign == ["'mine' at 1"]
    assert [error.stream_key for error in found.damaged] == [damaged["stream_key"]["S"]] * 2


@pytest.mark.parametrize("letter", ["x", "\N{SNAKE}"])
@pytest.mark.parametrize("length", [36, 190, 200, 250, 251, 500, 1000, 1003, 1004, 2000, 2100])
@pytest.mark.parametrize("category", ["#", f"#{'y' * 1000}"])
def test_a_marker_fits_if_both_parts_of_its_key_do(category, letter, length):
    key = f"{category}#{letter * length}"
    pointer = pointer_to(a_commit_of(StreamId()))._replace(stream_key=key)
    fits = (
        len(pointer.marker.log_key.encode()) <= MAX_KEY_BYTES
        and len(pointer.marker.place.encode()) <= MAX_PLACE_BYTES
    )
    assert pointer.can_have_marker is fits


@pytest.mark.parametrize(
    ("figures", "fits"),
    [
        ({"first_version": 10**18 - 1, "event_count": 1}, True),
        ({"first_version": 10**18 - 1, "event_count": 2}, False),
        ({"first_version": 0}, False),
        ({"event_count": 0}, False),
        ({"event_count": 1_000_001}, False),
        ({"generation": -1}, False),
        ({"generation": 10**18 + 1}, False),
    ],
)
def test_a_marker_needs_figures_that_a_stream_can_have(figures, fits):
    pointer = pointer_to(a_commit_of(StreamId()))._replace(**figures)
    assert pointer.can_have_marker is fits
