"""In a replica region items arrive in any order, and the reader of the log skips none of them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo_es.dynamodb.log.arrivals import YOUNG_SECONDS, Arrivals
from dynamo_es.dynamodb.streams.remembered.heads import FENCE_SECONDS
from dynamo_es.exceptions import InvalidPositionError, ReplicaLagError, StoredItemError
from dynamo_es.projections.parts import PASSING
from dynamo_es.values import StreamId
from tests.log.replicas import NOW, Region, Write, a_commit, a_fence, a_page, orders

if TYPE_CHECKING:
    from dynamo_es.dynamodb.log.pointers import Pointer
    from dynamo_es.dynamodb.wire.steps import Item

A = StreamId(UUID(int=1), category="order")
B = StreamId(UUID(int=2), category="order")

A1, A2, B1 = a_commit(A, 1), a_commit(A, 2, size=2), a_commit(B, 1)
AGAIN = a_commit(A, 1, generation=9)

APPENDS = [A1, B1, a_page(1, A1, B1), A2, a_page(3, A2)]
"""Five events at positions 1 to 4."""
RECREATED = [A1, a_page(1, A1), a_fence(A, 2), a_fence(A, 1), AGAIN, a_page(2, AGAIN)]
"""A stream is deleted and created again at the same version."""
DELETED = [A1, B1, a_page(1, A1, B1), a_fence(A, 2), a_fence(A, 1)]


def uuids_of(*commits: Write) -> list[UUID]:
    """Return the ids of all events of some commits, in order."""
    region, first, placed = Region(commits), 1, []
    for one in commits:
        region.arrive(a_page(first, one))
        placed.append(first)
        first += int(one.item["event_count"]["N"])
    return [record.entry.uuid for record in region.reader(waits=False).read()]


def read_up(reader: Any) -> list[Any]:
    """Read until nothing comes, or the reader waits in vain."""
    found: list[Any] = []
    try:
        while records := reader.read():
            found += records
    except ReplicaLagError:
        pass
    return found


def followed(order: list[Write], *, again: bool, **how: Any) -> list[UUID]:
    """Read after each arrival, by one reader, or by a new one from the last position each time."""
    region, found = Region(), []
    reader = region.reader(**how)
    for write in order:
        region.arrive(write)
        position = reader.position
        if again:
            reader = region.reader(position, **how)
        records = read_up(reader)
        found += [record.entry.uuid for record in records]
        positions = [record.position for record in records]
        assert positions == sorted(set(positions))
        assert all(position < each <= reader.position for each in positions)
    return found


@pytest.mark.parametrize("again", [False, True], ids=["one reader", "a new reader each time"])
def test_every_event_is_read_once_and_in_order_however_items_arrive(again):
    wanted = uuids_of(A1, B1, A2)
    for order in orders(APPENDS):
        assert followed(order, again=again) == wanted


@pytest.mark.parametrize("again", [False, True], ids=["one reader", "a new reader each time"])
def test_a_stream_that_was_created_again_is_read_and_its_deleted_event_may_be(again):
    (deleted,), (wanted,) = uuids_of(A1), uuids_of(AGAIN)
    found = {tuple(followed(order, again=again)) for order in orders(RECREATED)}
    assert found == {(deleted, wanted), (wanted,)}


def test_a_deleted_commit_holds_up_nothing_once_its_fence_has_arrived():
    (deleted,), (kept,) = uuids_of(A1), uuids_of(B1)
    found = {tuple(followed(order, again=False)) for order in orders(DELETED)}
    assert found == {(deleted, kept), (kept,)}


class OnlyNothing(Arrivals):
    """Broken: takes what an earlier generation left for a deletion."""

    def is_to_come(self, pointer: Pointer, item: Item | None, put_at: int | None) -> bool:
        return item is None and super().is_to_come(pointer, item, put_at)


def is_missed(wanted: UUID, writes: list[Write], **how: Any) -> bool:
    """Whether some order of arrival makes a reader pass over an event, without any error."""
    for order in orders(writes):
        with suppress(StoredItemError):  # a reader that does not wait stops at a gap of pages
            if wanted not in followed(order, again=False, **how):
                return True
    return False


def test_a_reader_that_does_not_wait_misses_events_in_these_orders():
    assert is_missed(uuids_of(A2)[-1], APPENDS, waits=False)
    assert is_missed(uuids_of(AGAIN)[0], RECREATED, waits=False)


def test_a_reader_that_waits_only_where_nothing_is_misses_events_too(monkeypatch):
    assert not is_missed(uuids_of(AGAIN)[0], RECREATED)
    monkeypatch.setattr("tests.log.replicas.Arrivals", OnlyNothing)
    assert is_missed(uuids_of(AGAIN)[0], RECREATED)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Write], list[UUID]]:
    """Draw what a region writes, in an order of arrival, and the events that nobody deletes."""
    streams = [StreamId(UUID(int=number), category="order") for number in range(1, 4)]
    heads = dict.fromkeys(streams, 0)
    generations = dict.fromkeys(streams, 1)
    waiting: list[Write] = []
    live: dict[StreamId, list[Write]] = {stream: [] for stream in streams}
    writes: list[Write] = []
    commits: list[Write] = []
    following = 1
    for _ in range(draw(st.integers(1, 8))):
        stream = draw(st.sampled_from(streams))
        match draw(st.sampled_from(["append", "append", "append", "page", "delete"])):
            case "append":
                size = draw(st.integers(1, 2))
                write = a_commit(stream, heads[stream] + 1, size, generations[stream])
                heads[stream] += size
                live[stream].append(write)
                writes.append(write)
                waiting.append(write)
                commits.append(write)
            case "page" if waiting:
                writes.append(a_page(following, *waiting))
                following += sum(int(one.item["event_count"]["N"]) for one in waiting)
                waiting = []
            case "delete" if heads[stream]:
                closed = generations[stream]
                writes.append(a_fence(stream, heads[stream] + 1, closed))
                writes += [
                    a_fence(stream, int(one.item["version"]["N"]), closed) for one in live[stream]
                ]
                heads[stream], generations[stream], live[stream] = 0, closed + 1, []
    if waiting:
        writes.append(a_page(following, *waiting))
    kept = [one for one in commits if any(one is each for alive in live.values() for each in alive)]
    return draw(an_order(writes)), uuids_of(*kept)


@st.composite
def an_order(draw: st.DrawFn, writes: list[Write]) -> list[Write]:
    left, order = list(writes), []
    while left:
        firsts = [one for one in left if one is next(w for w in left if w.place == one.place)]
        chosen = draw(st.sampled_from(range(len(firsts))))
        order.append(firsts[chosen])
        left = [one for one in left if one is not firsts[chosen]]
    return order


@settings(max_examples=60, deadline=None)
@given(histories(), st.booleans())
def test_of_any_history_nothing_that_stays_is_skipped(history, again):
    order, kept = history
    found = followed(order, again=again)
    assert [each for each in found if each in set(kept)] == kept
    assert len(found) == len(set(found))


def test_it_waits_for_what_arrives_and_returns_it():
    region = Region([a_page(1, A1, B1)])
    region.to_come.extend([B1, A1])
    assert [record.position for record in region.reader().read()] == [1, 2]
    assert region.waits == 2


def test_what_comes_before_a_missing_commit_is_returned_at_once():
    region = Region([A1, a_page(1, A1, B1)])
    reader = region.reader()
    assert [record.position for record in reader.read()] == [1]
    assert (reader.position, region.waits) == (1, 0)
    with pytest.raises(ReplicaLagError, match="event at position 2 has not arrived in this region"):
        reader.read()
    region.arrive(B1)
    assert [record.position for record in reader.read()] == [2]


def test_the_error_says_that_nothing_was_skipped_and_is_one_that_workers_try_again():
    with pytest.raises(ReplicaLagError) as caught:
        Region([a_page(1, A1)]).reader().read()
    assert isinstance(caught.value, PASSING)
    assert "table events" in str(caught.value)
    assert "Nothing was skipped" in str(caught.value)
    assert "ReplicationLatency" in str(caught.value)


def test_a_page_that_is_late_is_waited_for_in_its_place():
    region = Region([A1, B1, A2, a_page(3, A2)])
    reader = region.reader()
    with pytest.raises(ReplicaLagError, match="event at position 1 "):
        reader.read()
    region.to_come.append(a_page(1, A1, B1))
    assert [record.position for record in reader.read()] == [1, 2, 3, 4]


def test_events_before_a_late_page_are_returned_without_a_wait():
    region = Region([A1, B1, A2, a_page(1, A1), a_page(3, A2)])
    reader = region.reader()
    assert [record.position for record in reader.read()] == [1]
    assert (reader.position, region.waits) == (1, 0)
    with pytest.raises(ReplicaLagError, match="event at position 2 "):
        reader.read_some()


def test_a_position_that_the_region_has_not_reached_is_waited_for():
    region = Region([A1, B1, a_page(1, A1, B1), A2])
    with pytest.raises(ReplicaLagError, match="event at position 4 "):
        region.reader(4)
    region.to_come.append(a_page(3, A2))
    assert region.reader(4).read() == []
    with pytest.raises(InvalidPositionError):
        Region([A1, a_page(1, A1)]).reader(4, waits=False)


@pytest.mark.parametrize(
    ("age", "waits"),
    [(0, True), (YOUNG_SECONDS - 1, True), (YOUNG_SECONDS, False), (FENCE_SECONDS, False)],
)
def test_nothing_in_the_place_of_a_commit_is_a_deletion_once_the_fences_may_have_expired(
    age, waits
):
    region = Region([a_page(1, A1, B1, put_at=NOW - age), B1])
    reader = region.reader()
    if waits:
        with pytest.raises(ReplicaLagError):
            reader.read()
    else:
        assert [record.position for record in reader.read()] == [2]


def test_the_age_leaves_a_day_for_a_late_page_and_a_day_for_clocks():
    assert FENCE_SECONDS - YOUNG_SECONDS == 2 * 24 * 3600


def test_what_an_earlier_generation_left_is_waited_out_at_any_age():
    month = 30 * 24 * 3600
    region = Region([a_fence(A, 1), a_page(1, AGAIN, put_at=NOW - month)])
    region.to_come.append(AGAIN)
    assert [record.position for record in region.reader().read()] == [1]


def test_a_reader_in_the_region_that_writes_sends_what_it_sent_before():
    complete = [A1, B1, a_page(1, A1, B1)]
    requests = []
    for waits in (True, False):
        region = Region(complete)
        reader = region.reader(waits=waits)
        assert [record.position for record in reader.read()] == [1, 2]
        assert reader.read() == []
        requests.append(region.requests)
    assert requests[0] == requests[1]
    assert [one.operation for one in requests[0]] == ["query", "batch_get_item", "query"]
