"""The budgets of reads page by page, and of loads that need not be consistent."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from dynamo_es.dynamodb.streams.loading.load import load
from dynamo_es.dynamodb.streams.loading.pages import Pages
from tests.dynamodb.machine import a_stream
from tests.dynamodb.test_read_budgets import LENGTHS, PAGE, SIZES, Table, units, warm

if TYPE_CHECKING:
    from dynamo_es.dynamodb.streams.stream import Stream


def iterated(table: Table, stream: Stream, start: int, *, newest_first: bool, size: int) -> int:
    """Read page by page; return the number of events."""
    pages = Pages(stream, start, None, newest_first=newest_first, size=size, consistent=True)
    number = 0
    while not pages.is_complete:
        number += sum(len(pages.events_of(part)) for part in table.run(pages.next_page()))
    return number


@pytest.mark.parametrize("length", [10, 99, 1_000, pytest.param(10_000, marks=pytest.mark.ci)])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("page_size", [50, 500])
def test_reading_page_by_page_costs_the_size_and_a_unit_a_page(
    length: int, size: int, page_size: int, *, newest_first: bool
):
    table = Table(length, size)
    own = table.bytes_of(1, length)
    pages = math.ceil(math.ceil(length / size) / page_size) + own // PAGE

    for stream in (a_stream(), warm(table)):
        table.bill()
        options: Any = {"newest_first": newest_first, "size": page_size}
        assert iterated(table, stream, 1, **options) == length

        requests, read = table.bill()
        assert requests <= pages + (0 if newest_first else 1)
        # The newest items are read first, to find the end.
        end = 0 if newest_first else table.bytes_of(max(length - 8 * size + 1, 1), length)
        assert read <= units(own) + units(end) + requests


@pytest.mark.parametrize("size", SIZES)
def test_the_newest_event_is_one_request_and_a_unit(size: int):
    table = Table(100_000, size)
    pages = Pages(a_stream(), 1, None, newest_first=True, size=1, consistent=True)

    (newest,) = table.run(pages.next_page())

    assert pages.events_of(newest)[0].version == 100_000
    assert table.bill() == (1, 1)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("after", [0, 2, 5])
def test_a_load_that_need_not_be_consistent_costs_half(length: int, after: int):
    snapshot = length // 3 * 3
    table = Table(snapshot + after * 3, 3, snapshot)
    costs: list[Any] = []
    for consistent in (True, False):
        stream = a_stream()
        for _ in ("cold", "warm"):
            table.run(load(stream, None, None, consistent=consistent))
            costs.append(table.bill())

    (cold, warm_one), (cold_half, warm_half) = costs[:2], costs[2:]
    assert cold_half == (cold[0], cold[1] / 2)
    assert warm_half == (warm_one[0], warm_one[1] / 2)
    if after < 5:
        assert warm_half == (1, 0.5)


@pytest.mark.parametrize("length", [10, 1_000, pytest.param(10_000, marks=pytest.mark.ci)])
def test_a_range_that_need_not_be_consistent_costs_half(length: int):
    table = Table(length, 3)
    costs = []
    for consistent in (True, False):
        stream = warm(table)
        table.run(load(stream, length // 2, None, consistent=consistent))
        costs.append(table.bill())

    assert costs[1] == (costs[0][0], costs[0][1] / 2)
