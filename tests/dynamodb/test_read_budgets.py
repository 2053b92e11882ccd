"""The budgets of reads: requests and read units, computed from what each request covers.

The table makes the commits that a query asks for, so a stream of 100,000 events takes no time.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest

from dynamo_es.dynamodb.streams.keys import SNAPSHOT_VERSION
from dynamo_es.dynamodb.streams.loading.load import load, newest_commit
from dynamo_es.dynamodb.streams.snapshot import save_snapshot
from dynamo_es.dynamodb.wire.sizes import item_size
from dynamo_es.exceptions import ConcurrentStreamWriteError
from dynamo_es.testing.conformance.language import a_snapshot, an_event
from tests.dynamodb.machine import (
    NEW,
    STREAM,
    a_commit,
    a_snapshot_item,
    a_stream,
    append,
)

if TYPE_CHECKING:
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Item, Request, Response, Steps

UNIT: Final = 4096
"""Bytes of a read unit."""
PAGE: Final = 1_048_576
"""Most bytes of a page."""
LENGTHS: Final = [10, 100, 1_000, 10_000, 100_000]
SIZES: Final = [1, 3, 10]
EVENTS: Final = [an_event(STREAM, data={"text": "x" * 150}) for _ in range(max(SIZES))]


@dataclass(slots=True)
class Table:
    """A stream of commits of one size, and a bill.

    Attributes:
        length: events of the stream.
        size: events of a commit; the last one may have fewer.
        snapshot: version of its snapshot; None: it has none.
        requests: requests since the last `bill`.
        units: read units since then.
    """

    length: int
    size: int
    snapshot: int | None = None
    requests: int = 0
    units: float = 0
    _templates: dict[int, Item] = field(default_factory=dict)

    def run(self, steps: Steps[Any]) -> Any:
        """Run an algorithm against the table."""
        try:
            request: Any = next(steps)
            while True:
                request = steps.send(self._answer(request))
        except StopIteration as end:
            return end.value

    def bill(self) -> tuple[int, float]:
        """Return the requests and units since the last call."""
        bill = self.requests, self.units
        self.requests, self.units = 0, 0
        return bill

    def bytes_of(self, first: int, last: int) -> int:
        """Return the size of the commits that hold a range of versions."""
        starts = range((first - 1) // self.size * self.size + 1, last + 1, self.size)
        return sum(item_size(self._commit(start)) for start in starts)

    def _answer(self, request: Request) -> Response:
        self.requests += 1
        if request.operation != "query":
            assert request.operation == "put_item", request
            return {}
        params = request.params
        values = {
            name: int(v["N"]) for name, v in params["ExpressionAttributeValues"].items() if "N" in v
        }
        highest = values.get(":highest", values.get(":below", SNAPSHOT_VERSION + 1) - 1)
        lowest = values.get(":lowest", 1)
        keys = range(1, self.length + 1, self.size)
        count = bisect_left(keys, highest + 1)
        items: list[Item] = []
        read, more = 0, False
        found = self._keys(highest, lowest, count)
        for version in reversed([*found]) if params["ScanIndexForward"] else found:
            if read >= PAGE or len(items) == params.get("Limit", math.inf):
                more = True
                break
            items.append(self._item(version))
            read += item_size(items[-1])
        self.units += max(1, math.ceil(read / UNIT)) * (1 if params["ConsistentRead"] else 0.5)
        last = {"LastEvaluatedKey": {"version": items[-1]["version"]}} if more else {}
        return {"Items": items, **last}

    def _keys(self, highest: int, lowest: int, count: int) -> Any:
        if self.snapshot is not None and highest == SNAPSHOT_VERSION:
            yield SNAPSHOT_VERSION
        for number in range(count - 1, -1, -1):
            version = number * self.size + 1
            if version < lowest:
                return
            yield version

    def _item(self, version: int) -> Item:
        if version == SNAPSHOT_VERSION:
            assert self.snapshot is not None
            return a_snapshot_item(a_snapshot(STREAM, self.snapshot, data={"text": "x" * 500}))
        return self._commit(version)

    def _commit(self, version: int) -> Item:
        count = min(self.size, self.length - version + 1)
        if count not in self._templates:
            self._templates[count] = a_commit(EVENTS[:count], 1)
        return self._templates[count] | {"version": {"N": str(version)}}


def warm(table: Table) -> Stream:
    """Return the stream of a process that saw its newest commit."""
    stream = a_stream()
    table.run(newest_commit(stream))
    table.bill()
    return stream


def units(size: int) -> int:
    return math.ceil(size / UNIT)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("after", [0, 2, 3, 4, 5])
def test_a_load_from_a_snapshot_reads_the_snapshot_and_what_follows(length: int, after: int):
    size = 3
    snapshot = length // size * size
    table = Table(snapshot + after * size, size, snapshot)
    stream = a_stream()

    cold = table.run(load(stream, None, None))
    cold_requests, cold_units = table.bill()
    found = table.run(load(stream, None, None))

    own = item_size(table._item(SNAPSHOT_VERSION)) + table.bytes_of(
        min(snapshot + 1, table.length), table.length
    )
    assert [event.version for event in found] == [snapshot, *range(snapshot + 1, table.length + 1)]
    assert [event.version for event in cold] == [event.version for event in found]
    assert table.bill() == (1, units(own))
    assert (cold_requests, cold_units <= 2) == (1, True)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("size", SIZES)
def test_a_process_that_saves_a_snapshot_loads_it_by_one_request(length: int, size: int):
    table = Table(length, size)
    stream = a_stream()
    table.run(load(stream, length, None))
    table.run(save_snapshot(stream, a_snapshot(STREAM, length), length))
    table.snapshot = length
    table.bill()

    (snapshot,) = table.run(load(stream, None, None))

    assert (snapshot.version, table.bill()) == (length, (1, 1))


@pytest.mark.parametrize("length", LENGTHS[1:])
@pytest.mark.parametrize("process", ["cold", "warm"])
def test_many_commits_after_a_snapshot_cost_their_size(length: int, process: str):
    table = Table(length // 3 * 3 + 180, 3, length // 3 * 3)
    stream = a_stream()
    if process == "warm":
        table.run(load(stream, None, None))
        table.bill()

    found = table.run(load(stream, None, None))

    own = table.bytes_of(table.length - 179, table.length)
    assert len(found) == 181
    requests, read = table.bill()
    assert requests == 2
    assert read <= units(own) + 1


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("size", SIZES)
def test_a_range_in_the_middle_costs_its_size_and_two_units(length: int, size: int):
    first = length // 2 + 1
    table = Table(length, size)
    for stream in (a_stream(), warm(table)):
        table.bill()

        found = table.run(load(stream, first, first + 10))

        wanted = [*range(first, min(first + 9, length) + 1)]
        assert [event.version for event in found] == wanted
        requests, read = table.bill()
        straddles = (first - 1) % size != 0
        assert requests <= (3 if straddles else 2)
        assert read <= units(table.bytes_of(first, wanted[-1])) + 2


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("size", SIZES)
def test_the_newest_versions_cost_their_size_and_a_unit(length: int, size: int):
    table = Table(length, size)
    stream = warm(table)
    for newest in (1, 4, 9):
        start = length - newest + 1
        found = table.run(load(stream, start, None))

        assert [event.version for event in found] == [*range(start, length + 1)]
        requests, read = table.bill()
        assert requests <= 2
        assert read <= units(table.bytes_of(start, length)) + 1


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("size", SIZES)
def test_looking_for_newer_versions_is_one_request_and_one_unit_or_two(length: int, size: int):
    table = Table(length, size)

    assert table.run(load(warm(table), length + 1, None)) == []

    requests, read = table.bill()
    assert (requests, read <= units(table.bytes_of(max(length - 4 * size + 1, 1), length))) == (
        1,
        True,
    )


@pytest.mark.parametrize("length", [10, 99, 1_000, 10_000])
@pytest.mark.parametrize("size", SIZES)
def test_a_whole_stream_costs_its_size_and_half_a_unit_a_page(length: int, size: int):
    table = Table(length, size)
    own = table.bytes_of(1, length)

    for stream, start in ((warm(table), None), (a_stream(), None), (a_stream(), 1)):
        table.bill()
        assert len(table.run(load(stream, start, None))) == length

        requests, read = table.bill()
        # A page of 1 MB ends in the middle of an item.
        assert requests <= 2 + own // PAGE
        assert read <= units(own) + requests - 1


@pytest.mark.parametrize("size", SIZES)
def test_99_events_are_one_request(size: int):
    table = Table(99, size)

    assert len(table.run(load(warm(table), None, None))) == 99

    assert table.bill() == (1, units(table.bytes_of(1, 99)))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("size", SIZES)
def test_an_append_at_a_low_wrong_version_is_one_read_near_the_head(length: int, size: int):
    table = Table(length, size)
    stream = warm(table)
    expected = length - 5 // size * size if size < 5 else max(length - size, 1)

    with pytest.raises(ConcurrentStreamWriteError):
        table.run(append(stream, expected, NEW))

    requests, read = table.bill()
    straddles = expected % size != 0
    assert requests <= (2 if straddles else 1)
    assert read <= units(table.bytes_of(expected + 1, length)) + 1


@pytest.mark.parametrize("length", LENGTHS)
def test_an_append_at_any_low_wrong_version_is_at_most_two_reads_of_a_unit(length: int):
    table = Table(length, 1)
    stream = warm(table)

    with pytest.raises(ConcurrentStreamWriteError):
        table.run(append(stream, length // 2, NEW))

    requests, read = table.bill()
    assert (requests <= 2, read <= 2) == (True, True)
