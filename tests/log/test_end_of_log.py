"""Finding the end of the log takes one read of its newest page."""

from __future__ import annotations

import pytest

from dynamo_es.dynamodb.log.keys import LogKeys
from dynamo_es.dynamodb.log.pages import place_of
from dynamo_es.dynamodb.log.requests import newest_page
from dynamo_es.dynamodb.log.sequencer import last_position
from tests.dynamodb.machine import play


@pytest.mark.parametrize(
    ("position", "place"),
    [(1, "00000000000000000001"), (10**19, "10000000000000000000")],
)
def test_places_sort_as_positions_do(position, place):
    assert place_of(position) == place


@pytest.mark.parametrize(("first", "count", "last"), [(1, 1, 1), (1, 7, 7), (205, 100, 304)])
def test_the_last_position_is_that_of_the_last_entry_of_the_newest_page(first, count, last):
    item = {"place": {"S": place_of(first)}, "count": {"N": str(count)}}
    assert (
        play(last_position(LogKeys("log")), (newest_page(LogKeys("log")), {"Items": [item]}))
        == last
    )


def test_before_the_first_page_there_is_none():
    assert play(last_position(LogKeys("log")), (newest_page(LogKeys("log")), {"Items": []})) is None
