"""In a replica region a load shows what the stream once was, or waits; it never reports a gap."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import pytest

from dynamo_es.dynamodb.streams.loading.load import load
from dynamo_es.dynamodb.streams.loading.pages import Pages
from dynamo_es.dynamodb.streams.remembered.heads import RememberedHeads
from dynamo_es.dynamodb.streams.stream import Stream
from dynamo_es.exceptions import ReplicaLagError, StreamGapError
from dynamo_es.values import StreamId
from tests.log.replicas import NOW, Region, Write, a_commit, a_fence, a_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ID: Final = StreamId(UUID(int=7), category="order")
FIRST, SECOND, THIRD = a_commit(ID, 1), a_commit(ID, 2, size=2), a_commit(ID, 4)
SNAPSHOT = a_snapshot(ID, 4)
APPENDED = [FIRST, SECOND, THIRD]
NEXT = [a_commit(ID, 1, generation=9), a_commit(ID, 2, generation=9)]
DELETED = [a_fence(ID, 5), a_fence(ID, 4), a_fence(ID, 2), a_fence(ID, 1)]


def a_stream(*, is_replica: bool = True) -> Stream:
    clock = partial(float, NOW)
    heads = RememberedHeads(100, clock)
    return Stream("events", f"#order#{ID}", ID, heads, clock, is_replica=is_replica)


def versions(region: Region, start: int | None = None, **how: Any) -> list[tuple[str, int | None]]:
    """Load; return the id and the version of each event."""
    found = region.run("load", "", ID, load(a_stream(**how), start, None))
    return [(event.uuid.hex, event.version) for event in found]


def whole(*writes: Write) -> list[tuple[str, int | None]]:
    return versions(Region(writes), is_replica=False)


def mixtures(writes: Sequence[Write]) -> Iterator[list[Write]]:
    """Yield each state of a region: of each item, what it was at any time."""
    items: dict[Any, list[Write | None]] = {}
    for write in writes:
        items.setdefault(write.place, [None]).append(write)
    for state in product(*items.values()):
        yield [write for write in state if write is not None]


@pytest.mark.parametrize(
    "history",
    [APPENDED, [*APPENDED, SNAPSHOT], [*APPENDED, *DELETED], [*APPENDED, *DELETED, *NEXT]],
    ids=["appended", "with a snapshot", "deleted", "created again"],
)
def test_a_load_returns_an_earlier_state_of_the_stream_or_waits(history):
    once = [whole(*history[:length]) for length in range(len(history) + 1)]
    waited = 0
    for state in mixtures(history):
        try:
            found = versions(Region(state))
        except ReplicaLagError:
            waited += 1
        else:
            assert found in once
    assert waited


def test_a_load_returns_what_it_waited_for():
    region = Region([FIRST, THIRD])
    region.to_come.append(SECOND)
    assert versions(region) == whole(*APPENDED)
    assert region.waits == 1


def test_a_gap_that_stays_says_that_the_region_is_late_and_not_that_an_event_is_lost():
    with pytest.raises(ReplicaLagError, match="version 3 has not arrived in this region yet"):
        versions(Region([FIRST, THIRD]))
    with pytest.raises(StreamGapError):
        versions(Region([FIRST, THIRD]), is_replica=False)


def test_a_snapshot_that_comes_before_its_commits_is_the_newer_state():
    assert versions(Region([FIRST, SNAPSHOT])) == whole(*APPENDED, SNAPSHOT)


def test_events_that_are_iterated_wait_too():
    region = Region([FIRST, THIRD])
    region.to_come.append(SECOND)
    pages = Pages(a_stream(), 1, None, newest_first=False, size=1, consistent=True)
    found = []
    while not pages.is_complete:
        for part in region.run("load", "", ID, pages.next_page()):
            found += [(event.uuid.hex, event.version) for event in pages.events_of(part)]
    assert found == whole(*APPENDED)


@pytest.mark.parametrize("consistent", [True, False])
def test_a_load_of_what_has_arrived_sends_what_it_sends_elsewhere(consistent):
    sent = []
    for is_replica in (True, False):
        region = Region(APPENDED)
        stream = a_stream(is_replica=is_replica)
        region.run("load", "", ID, load(stream, None, None, consistent=consistent))
        sent.append(region.requests)
    assert sent[0] == sent[1]
    assert len(sent[0]) == 1
