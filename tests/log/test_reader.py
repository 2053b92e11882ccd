"""The reader, request by request, notices what an eventually consistent read leaves out."""

from typing import Any

import pytest

from dynamo_es.contracts import Selection
from dynamo_es.dynamodb.log.pages import Page, page_item
from dynamo_es.dynamodb.log.pointers import Pointer
from dynamo_es.dynamodb.log.reader import DynamoLogReader
from dynamo_es.dynamodb.log.records import records_of
from dynamo_es.dynamodb.log.sequencer import Tables
from dynamo_es.exceptions import StoredItemError
from dynamo_es.testing.conformance.language import events
from tests.dynamodb.machine import GENERATION, STREAM, a_commit, a_fence
from tests.dynamodb.machine import KEY as STREAM_KEY

KEY = "#account#00000000-0000-0000-0000-000000000001"


def a_page(first, *counts, key=KEY):
    pointers, version = [], 1
    for count in counts:
        pointers.append(Pointer(key, None, 1, version, count, ("N",), False, False))
        version += count
    return page_item(Page(first, tuple(pointers), "w"))


@pytest.fixture
def reader():
    """A reader that selects nothing: only pages are read."""
    nowhere: Any = None
    return DynamoLogReader(Tables("events", "log"), nowhere, 0, Selection(category="none"))


def play(steps, *replies):
    """Send replies; return whether each request was consistent, and what came of it."""
    asked = []
    request = next(steps)
    for reply in replies:
        asked.append(request.params["ConsistentRead"])
        try:
            request = steps.send({"Items": list(reply)})
        except StopIteration as end:
            return asked, end.value
    raise AssertionError(f"one more request: {request}")


def test_pages_are_read_at_half_price(reader):
    assert play(reader._read(), [a_page(1, 2), a_page(3, 1)]) == ([False], [])
    assert reader.position == 3


def test_a_page_that_came_too_late_is_read_again(reader):
    late, there = a_page(3, 1), a_page(4, 5)

    asked, _ = play(reader._read(), [a_page(1, 2), there], [late, there])

    assert asked == [False, True]
    assert reader.position == 8


def test_a_page_that_is_missing_is_an_error_that_says_what_to_do(reader):
    broken = [a_page(1, 2), a_page(4, 5)]
    with pytest.raises(
        StoredItemError, match=r"no page begins at position 3.*dynamo-es log verify"
    ):
        play(reader._read(), broken, broken[1:])


def test_a_commit_of_fewer_events_than_positions_is_an_error():
    item = a_commit(events(STREAM, 2), 1)
    pointer = Pointer(STREAM_KEY, None, 1, 1, 3, ("N",), False, False)
    with pytest.raises(StoredItemError, match="has 2 events, but 3 positions"):
        records_of(pointer, item, 1)


# Commits


def run(steps, *responses):
    """Send replies; return the requests and the result."""
    asked = [next(steps)]
    for response in responses:
        try:
            asked.append(steps.send(response))
        except StopIteration as end:
            return asked, end.value
    raise AssertionError(f"one more request: {asked[-1]}")


def reading_after(position, *commits):
    """A reader that begins after a position within a page of commits of one stream."""
    nowhere: Any = None
    reader = DynamoLogReader(Tables("events", "log"), nowhere, position, Selection())
    version, pointers = 1, []
    for commit in commits:
        pointers.append(
            Pointer(STREAM_KEY, None, GENERATION, version, len(commit), ("N",), False, False)
        )
        version += len(commit)
    page = page_item(Page(1, tuple(pointers), "w"))
    if position:
        run(reader.begin(), {"Items": [page]})
    pages = [] if position else [page]
    return reader, {"Items": pages}


def test_it_begins_in_the_middle_of_a_commit():
    commit = events(STREAM, 3)
    reader, pages = reading_after(2, commit)
    _, found = run(reader._read(), pages, {"Responses": {"events": [a_commit(commit, 1)]}})
    assert [(record.position, record.entry.uuid) for record in found] == [(3, commit[2].uuid)]


@pytest.mark.parametrize(("after", "versions"), [(0, ["1", "3"]), (1, ["1", "3"]), (2, ["3"])])
def test_commits_before_its_position_are_not_read(after, versions):
    commits = events(STREAM, 2), events(STREAM, 2)
    reader, pages = reading_after(after, *commits)
    items = [a_commit(commit, version) for commit, version in zip(commits, (1, 3), strict=True)]
    asked, found = run(reader._read(), pages, {"Responses": {"events": items}})
    keys = asked[-1].params["RequestItems"]["events"]["Keys"]
    assert [key["version"]["N"] for key in keys] == versions
    assert [record.position for record in found] == list(range(after + 1, 5))


@pytest.mark.parametrize("left", [[], [a_fence(1)]], ids=["nothing", "a fence"])
def test_a_commit_that_was_deleted_is_left_out_without_a_word(left, caplog):
    reader, pages = reading_after(0, events(STREAM, 2))
    nothing: dict[str, Any] = {"Responses": {}}
    asked, found = run(reader._read(), pages, nothing, {"Responses": {"events": left}})
    consistent = [one.params["RequestItems"]["events"]["ConsistentRead"] for one in asked[1:]]
    assert consistent == [False, True]
    assert (found, reader.position, reader.passed_over, caplog.text) == ([], 2, 0, "")
