"""A publisher that takes several events a call."""

from __future__ import annotations

from threading import Event
from typing import Any

import pytest

from dynamo_es.exceptions import InvalidSubscriptionError
from tests.outbox.worlds import Hooked


class Batches:
    """Takes three events a call, and fails on some positions."""

    as_stored = True
    at_once = 3

    def __init__(self, *fails):
        self.fails = set(fails)
        self.calls = []
        self.answer: Any = self.outcomes

    def __call__(self, record):
        raise AssertionError("it is called with one event")

    def publish_all(self, records):
        return self.answer(records)

    def outcomes(self, records):
        positions = [record.position for record in records]
        self.calls.append(positions)
        return [OSError("no") if one in self.fails else None for one in positions]

    @property
    def taken(self):
        return [one for call in self.calls for one in call if one not in self.fails]


def test_a_call_has_as_many_events_as_the_publisher_takes(world):
    world.log.add(7)
    batches = Batches()

    report = world.outbox().run_once(batches)

    assert (report.handled, report.position) == (7, 7)
    assert max(map(len, batches.calls)) == 3
    assert batches.taken == [1, 2, 3, 4, 5, 6, 7]


def test_a_call_is_recorded_by_one_write(in_memory):
    in_memory.log.add(3)
    hooked = Hooked(in_memory.strategy, 99)

    in_memory.outbox(hooked).run_once(Batches())

    assert hooked.calls == ["look", "take", "move", "release"]


def test_each_event_that_fails_becomes_an_entry_and_the_others_are_done(world):
    world.log.add(3)
    batches = Batches(2)

    report = world.outbox().run_once(batches)

    assert (report.handled, report.failed, report.position) == (2, 1, 3)
    assert [entry.position for entry in world.outbox().entries()] == [2]
    world.clock.now += 2
    batches.fails = set()
    assert world.outbox().run_once(batches).handled == 1
    assert batches.calls[-1] == [2]
    assert world.outbox().entries() == []


def test_entries_are_tried_again_in_calls_of_several(world):
    world.log.add(3)
    batches = Batches(1, 2, 3)
    world.outbox().run_once(batches)
    world.clock.now += 2
    batches.fails = {2}

    report = world.outbox().run_once(batches)

    assert (report.handled, report.failed) == (2, 1)
    assert batches.calls[-1] == [1, 2, 3]
    assert [(entry.position, entry.attempts) for entry in world.outbox().entries()] == [(2, 2)]


def test_an_error_of_the_call_is_a_failed_try_of_all(world):
    world.log.add(3)
    batches = Batches()
    batches.answer = lambda records: 1 / 0

    assert world.outbox().run_once(batches).failed == 3
    assert {entry.last_error.split()[0] for entry in world.outbox().entries()} == {
        "ZeroDivisionError"
    }


def test_the_limit_counts_events_and_not_calls(world):
    world.log.add(7)
    batches = Batches()

    assert world.outbox().run_once(batches, 4).handled == 4
    assert batches.taken == [1, 2, 3, 4]
    assert world.outbox().run_once(batches).handled == 3


def test_a_worker_that_dies_before_it_records_repeats_one_call_only(world):
    world.log.add(7)
    batches = Batches()
    calls = 0

    def die():
        nonlocal calls
        calls += 1
        raise KeyboardInterrupt

    hooked = Hooked(world.strategy, 3, before=die)  # look, take, move, and then this move
    with pytest.raises(KeyboardInterrupt):
        world.outbox(hooked).run_once(batches)
    assert calls == 1

    world.clock.now += 1e6
    world.outbox().run_once(batches)

    assert sorted(set(batches.taken)) == [1, 2, 3, 4, 5, 6, 7]
    assert len(batches.taken) - 7 <= 3


def test_it_stops_between_two_calls(world):
    world.log.add(7)
    batches, stop = Batches(), Event()
    publish = batches.outcomes

    def publish_and_stop(records):
        stop.set()
        return publish(records)

    batches.answer = publish_and_stop

    assert world.outbox().run_once(batches, stop=stop).handled == 3
    stop.clear()
    assert world.outbox().run_once(batches, stop=stop).position == 6


@pytest.mark.parametrize("returned", [None, [], [None] * 4])
def test_outcomes_of_another_number_end_the_run(world, returned):
    world.log.add(3)
    batches = Batches()
    batches.answer = lambda records: returned

    with pytest.raises(InvalidSubscriptionError, match="an outcome for each of 3 events"):
        world.outbox().run_once(batches)
    assert world.outbox().position == 0


@pytest.mark.parametrize("at_once", [0, True, "3"])
def test_a_number_of_events_a_call_is_1_or_more(world, at_once):
    batches = Batches()
    batches.at_once = at_once
    with pytest.raises(InvalidSubscriptionError, match="at_once"):
        world.outbox().run_once(batches)
