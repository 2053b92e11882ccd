"""The reader, request by request, notices what an eventually consistent read leaves out."""

from typing import Any

import pytest

from dynamo_es.contracts import Selection
from dynamo_es.dynamodb.log.pages import Page, page_item
from dynamo_es.dynamodb.log.pointers import Pointer
from dynamo_es.dynamodb.log.reader import DynamoLogReader, records_of
from dynamo_es.dynamodb.log.sequencer import Tables
from dynamo_es.exceptions import StoredItemError
from dynamo_es.testing.conformance.language import events
from tests.dynamodb.machine import KEY as STREAM_KEY
from tests.dynamodb.machine import STREAM, a_commit

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
