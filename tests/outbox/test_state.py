"""Every engine keeps the contract `OutboxStrategy`."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from dynamo_es import StreamId
from dynamo_es.contracts.consumers.leases import Lease
from dynamo_es.contracts.consumers.outbox import OutboxEntry, OutboxState, OutboxWorker
from dynamo_es.exceptions import InvalidConsumerError, UnknownOutboxEntryError
from tests.engine import Capability, needs

A_NAMED_STREAM = StreamId(name="order 7", category="or#der")
WAITS = OutboxEntry(7, "acme#1", A_NAMED_STREAM, "Shipped", 1, "OSError: no route", False, 500, 400)
DEAD = replace(WAITS, position=10**18, dead=True, attempts=3, stream_id=StreamId(UUID(int=3)))


@pytest.fixture
def me():
    return OutboxWorker(f"mail-{uuid4().hex}", "me")


@pytest.fixture
def you(me):
    return me._replace(id="you")


def test_an_outbox_that_was_never_used_is_at_0_and_nobody_has_it(strategy, me):
    assert strategy.look(me.outbox, 0) == OutboxState(0, None, ())
    assert strategy.entries(me.outbox) == []


def test_who_takes_the_lease_has_it_until_another_takes_over_what_it_saw(strategy, me, you):
    assert strategy.take(me, 1000, 2000) == 0
    lease = strategy.look(me.outbox, 1000).lease
    assert lease == Lease("me", 2000, 1000)

    assert strategy.take(you, 10**15, 10**15 + 7) is None
    assert strategy.look(me.outbox, 1000).lease == lease
    strategy.move(me, 0, 2500)
    assert strategy.take(you, 3000, 5000, lease) is None, "it was renewed since"
    lease = strategy.look(me.outbox, 1000).lease
    assert strategy.take(you, 3000, 5000, lease) == 0
    assert strategy.look(me.outbox, 1000).lease == Lease("you", 5000, 2000)
    assert strategy.move(me, 1, 9000) is False


def test_taking_ones_own_lease_again_is_a_success(strategy, me):
    assert strategy.take(me, 1000, 2000) == 0
    assert strategy.take(me, 1001, 3000) == 0
    assert strategy.look(me.outbox, 0).lease == Lease("me", 3000, 1999)


def test_moving_is_kept_and_renews_the_lease(strategy, me, you):
    strategy.take(me, 0, 1000)

    assert strategy.move(me, 7, 2000) is True
    assert strategy.move(me, 7, 2000) is True, "again: as good as once"

    assert strategy.look(me.outbox, 0) == OutboxState(7, Lease("me", 2000, 1000), ())
    assert strategy.take(you, 2000, 9000) is None
    assert strategy.take(you, 2000, 9000, Lease("me", 2000, 1000)) == 7


def test_a_late_move_of_ones_own_does_not_set_the_position_back(strategy, me):
    strategy.take(me, 0, 1000)
    strategy.move(me, 7, 2000)

    assert strategy.move(me, 6, 3000) is False
    assert strategy.fail(me, 6, 3000, WAITS) is False
    assert strategy.remove(me, 6, 3000, 1) is False
    strategy.release(me, 6)

    assert strategy.look(me.outbox, 10**15) == OutboxState(7, Lease("me", 2000, 1000), ())


def test_released_it_is_free_at_once_and_where_it_was_moved_to(strategy, me, you):
    strategy.take(me, 0, 1000)
    strategy.release(me, 9)
    assert strategy.look(me.outbox, 0) == OutboxState(9, None, ())
    assert strategy.take(you, 0, 1000) == 9
    strategy.release(you, None)
    assert strategy.look(me.outbox, 0) == OutboxState(9, None, ())


@pytest.mark.parametrize("lost_by", ["another worker", "giving it back"])
def test_without_the_lease_nothing_can_be_changed(strategy, me, you, lost_by):
    strategy.take(me, 0, 1000)
    assert strategy.fail(me, 7, 1000, WAITS) is True
    if lost_by == "giving it back":
        strategy.release(me, None)
    else:
        strategy.take(you, 1000, 2000, Lease("me", 1000, 1000))
    before = strategy.look(me.outbox, 10**15), strategy.entries(me.outbox)

    assert strategy.move(me, 8, 9000) is False
    assert strategy.fail(me, 8, 9000, replace(WAITS, position=8)) is False
    assert strategy.fail(me, 8, 9000, replace(WAITS, attempts=2)) is False
    assert strategy.fail(me, 8, 9000, replace(WAITS, dead=True)) is False
    assert strategy.remove(me, 8, 9000, 7) is False
    strategy.release(me, 8)
    strategy.release(me, None)

    assert (strategy.look(me.outbox, 10**15), strategy.entries(me.outbox)) == before
    if lost_by == "another worker":
        assert strategy.move(you, 8, 9000) is True


def test_an_entry_comes_back_as_it_was_kept_when_it_is_due(strategy, me):
    strategy.take(me, 0, 1000)
    later = replace(WAITS, position=3, due_at=501)

    assert strategy.fail(me, 7, 2000, WAITS) is True
    assert strategy.fail(me, 7, 3000, later) is True

    assert strategy.look(me.outbox, 499) == OutboxState(7, Lease("me", 3000, 1000), ())
    assert strategy.look(me.outbox, 500) == OutboxState(7, Lease("me", 3000, 1000), (WAITS,))
    assert strategy.look(me.outbox, 501) == OutboxState(7, Lease("me", 3000, 1000), (later, WAITS))
    (_, found) = strategy.look(me.outbox, 501).due
    assert found.stream_id.name == "order 7"
    assert strategy.entries(me.outbox) == [later, WAITS]


def test_a_dead_entry_is_listed_and_never_due(strategy, me):
    strategy.take(me, 0, 1000)
    strategy.fail(me, 7, 1000, replace(WAITS, position=9))
    strategy.fail(me, 7, 1000, WAITS)
    strategy.fail(me, 7, 1000, DEAD)
    dead = replace(WAITS, dead=True, attempts=2)

    assert strategy.fail(me, 7, 1000, dead) is True

    assert [entry.position for entry in strategy.look(me.outbox, 10**15).due] == [9]
    assert strategy.entries(me.outbox) == [dead, replace(WAITS, position=9), DEAD]


def test_what_is_removed_is_gone_and_the_others_are_not(strategy, me):
    strategy.take(me, 0, 1000)
    strategy.fail(me, 7, 1000, WAITS)
    other = replace(WAITS, position=77)
    strategy.fail(me, 77, 1000, other)

    assert strategy.remove(me, 77, 2000, 7) is True
    assert strategy.remove(me, 77, 2000, 7) is True, "again: as good as once"

    assert strategy.look(me.outbox, 10**15) == OutboxState(77, Lease("me", 2000, 1000), (other,))
    assert strategy.entries(me.outbox) == [other]


@pytest.mark.parametrize("entry", [WAITS, DEAD, replace(DEAD, position=0)], ids=str)
def test_an_entry_put_back_is_due_now_as_often_as_a_new_one(strategy, me, entry):
    strategy.take(me, 0, 1000)
    strategy.fail(me, 7, 1000, entry)

    for now in (300, 400):
        strategy.retry(me.outbox, entry.position, now)
        again = replace(entry, attempts=0, dead=False, due_at=now, failing_since=now)
        assert strategy.look(me.outbox, now).due == (again,)
        assert strategy.look(me.outbox, now - 1).due == ()
        assert strategy.entries(me.outbox) == [again]


def test_there_is_no_putting_back_what_is_not_there(strategy, me):
    strategy.take(me, 0, 1000)
    strategy.fail(me, 7, 1000, WAITS)
    with pytest.raises(UnknownOutboxEntryError, match="no failed entry at position 8") as refused:
        strategy.retry(me.outbox, 8, 0)
    assert (refused.value.outbox, refused.value.position) == (me.outbox, 8)
    assert strategy.entries(me.outbox) == [WAITS]


def test_outboxes_keep_apart(strategy, me):
    other = me._replace(outbox=f"{me.outbox}2")
    strategy.take(me, 0, 1000)
    strategy.fail(me, 7, 1000, WAITS)
    assert strategy.look(other.outbox, 10**15) == OutboxState(0, None, ())
    assert strategy.entries(other.outbox) == []
    assert strategy.take(other, 0, 1000) == 0
    with pytest.raises(UnknownOutboxEntryError):
        strategy.retry(other.outbox, 7, 0)


@pytest.mark.parametrize("name", ["", "a#b", "x" * 256, None])
def test_a_name_has_to_make_a_key(strategy, name):
    worker = OutboxWorker(name, "me")
    for call in (
        lambda: strategy.look(name, 0),
        lambda: strategy.take(worker, 0, 1),
        lambda: strategy.move(worker, 1, 1),
        lambda: strategy.fail(worker, 1, 1, WAITS),
        lambda: strategy.remove(worker, 1, 1, 1),
        lambda: strategy.release(worker, 1),
        lambda: strategy.entries(name),
        lambda: strategy.retry(name, 1, 0),
    ):
        with pytest.raises(InvalidConsumerError):
            call()


@needs(Capability.REQUESTS)
def test_more_than_one_page_of_entries_is_read_to_the_end(strategy, me):
    strategy.take(me, 0, 1000)
    many = [
        replace(WAITS, position=n, event_name="E" * 60_000, dead=n % 2 == 0) for n in range(1, 51)
    ]
    for entry in many:
        strategy.fail(me, 51, 1000, entry)

    state = strategy.look(me.outbox, 10**15)

    assert state == OutboxState(51, Lease("me", 1000, 1000), tuple(many[::2]))
    assert strategy.entries(me.outbox) == many
