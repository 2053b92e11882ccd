"""Dropping an entry of an outbox by hand, and setting its position."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dynamo_es import StreamId
from dynamo_es.contracts.consumers.outbox import OutboxEntry, OutboxWorker
from dynamo_es.exceptions import InvalidPositionError, OutboxBusyError, UnknownOutboxEntryError
from dynamo_es.outbox import Outbox
from tests.outbox.worlds import Log

WAITS = OutboxEntry(2, "", StreamId(name="order 7"), "Shipped", 1, "OSError", False, 500, 400)
DEAD = replace(WAITS, position=3, dead=True)


@pytest.fixture
def log():
    log = Log()
    log.add(5)
    return log


@pytest.fixture
def outbox(strategy, log, request):
    name = f"by hand {request.node.name}"[:200]
    outbox = Outbox(strategy, log, lambda raw, **_: raw, name=name, clock=lambda: 1000.0)
    worker = OutboxWorker(name, "worker")
    strategy.take(worker, 0, 1000)
    strategy.fail(worker, 2, 1000, WAITS)
    strategy.fail(worker, 4, 1000, DEAD)
    strategy.release(worker, None)
    return outbox


@pytest.mark.parametrize(("position", "left"), [(2, [3]), (3, [2])])
def test_a_skipped_entry_is_gone_dead_or_not(outbox, strategy, position, left):
    outbox.skip(position)

    assert [entry.position for entry in outbox.entries()] == left
    state = strategy.look(outbox.name, 0)
    assert (state.position, state.lease) == (4, None)


def test_skipping_what_is_not_there_changes_nothing(outbox, strategy):
    with pytest.raises(UnknownOutboxEntryError):
        outbox.skip(1)
    assert [entry.position for entry in outbox.entries()] == [2, 3]
    assert strategy.look(outbox.name, 0).lease is None


def test_a_reset_sets_the_position_and_keeps_entries(outbox, strategy):
    outbox.reset(1)

    state = strategy.look(outbox.name, 0)
    assert (state.position, state.lease) == (1, None)
    assert [entry.position for entry in outbox.entries()] == [2, 3]
    outbox.reset(5)
    assert strategy.look(outbox.name, 0).position == 5
    for wrong in (-1, 6):
        with pytest.raises(InvalidPositionError):
            outbox.reset(wrong)


def test_while_a_worker_has_the_lease_nothing_is_changed_by_hand(outbox, strategy):
    worker = OutboxWorker(outbox.name, "worker")
    strategy.take(worker, 1_000_000, 1_060_000)

    with pytest.raises(OutboxBusyError):
        outbox.skip(2)
    with pytest.raises(OutboxBusyError):
        outbox.reset(0)
    assert strategy.move(worker, 4, 1_070_000) is True
    assert strategy.reset(OutboxWorker(outbox.name, "another"), 0) is False
