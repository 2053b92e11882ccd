"""Two workers at once: one steps in at every request and every event of the other."""

from __future__ import annotations

from functools import partial
from itertools import count
from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any

import pytest

from dynamo_es.exceptions import AsynchronousFunctionError
from dynamo_es.memory.outbox import MemoryOutbox
from tests.engine import Capability, needs
from tests.outbox.worlds import LEASE, Clock, Hooked, World

if TYPE_CHECKING:
    from dynamo_es.outbox import OutboxReport

TERMS: Any = {"retry_delay": 0, "attempts": 3}


class NoMailError(Exception):
    """What the receiver fails with."""


def a_world(world: World) -> World:
    """Return an outbox with two old failures, three new events, one of which fails once."""
    world.log.add(3)
    world.receiver.fails = {1: [NoMailError()], 3: [NoMailError()], 5: [NoMailError()]}
    world.run(**TERMS)
    world.log.add(3)
    return world


class Rival:
    """Another worker, that runs in the middle of the first, perhaps when time has passed."""

    def __init__(self, world: World, seconds: float) -> None:
        self._world, self._seconds = world, seconds
        self.report: OutboxReport | None = None
        self.taken: list[int] = []

    def __call__(self) -> None:
        outbox = self._world.outbox_that_saw(self._seconds)
        before = len(self._world.receiver.taken)
        self.report = outbox.run_once(self._world.receiver, **TERMS)
        self.taken = self._world.receiver.taken[before:]


def interleaved(strategy, new_world, when, seconds):
    """Yield each world in which another worker stepped in, and what it and the first have done."""
    for at in count():
        world = a_world(new_world())
        rival = Rival(world, seconds)
        # Requests and publishing are steps, counted together.
        steps = Hooked(strategy, at, **{when: rival})
        publish = partial(steps._call, "publish", world.receiver)
        first = world.outbox(steps).run_once(publish, **TERMS)
        if not steps.reached:
            return
        yield world, rival, first, steps.calls, at


@pytest.mark.ci
@pytest.mark.parametrize("when", ["before", "after"])
def test_while_the_lease_lasts_nothing_is_sent_twice(strategy, new_world, when):
    busy, active = 0, 0
    for world, rival, first, calls, at in interleaved(strategy, new_world, when, 0):
        held = "take" in calls[: at + (when == "after")] and not (
            when == "after" and calls[at] == "release"
        )
        assert rival.report.busy == held
        assert not (held and rival.taken)
        busy += held
        active += rival.report.active
        assert not first.busy

        world.run_to_the_end(**TERMS)
        assert sorted(world.receiver.taken) == [1, 2, 3, 4, 5, 6]
        assert world.outbox().entries() == []
    assert busy > 10
    assert active


@pytest.mark.ci
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_whose_lease_ran_out_stops_and_harms_nothing(strategy, new_world, when):
    lost = 0
    for world, _, first, calls, at in interleaved(strategy, new_world, when, LEASE):
        state = strategy.look(world.name, world.clock.ms(10**6))
        # The second worker did all that was left; only events that failed once then may remain.
        assert state.position == 6
        assert state.lease is None
        if first.busy:
            lost += 1
            # Not a thing more than the one it had in its hands.
            mine = calls[at + 1 :]
            assert mine.count("publish") <= 1
            assert "release" not in mine
        world.run_to_the_end(**TERMS)
        assert sorted(set(world.receiver.taken)) == [1, 2, 3, 4, 5, 6]
        # The one that it had in its hands when its lease ran out.
        assert len(world.receiver.repeated) <= 1
        assert world.outbox().entries() == []
    assert lost > 8


def test_what_another_worker_has_just_sent_is_not_sent_again(strategy, new_world):
    """It had looked before the other one took the lease, and took it after that was done."""
    world = a_world(new_world())
    rival = Rival(world, 0)
    outbox = world.outbox(Hooked(strategy, 0, after=rival))
    done = outbox.run_once(world.receiver, **TERMS)
    assert rival.taken == [1, 3, 4, 6]
    # Of those that failed before, only what fails again is left.
    assert (done.handled, done.busy, done.position) == (1, False, 6)
    assert world.receiver.taken == [2, 1, 3, 4, 6, 5]


def test_a_dead_entry_put_back_in_the_middle_of_a_run_is_left_for_the_next(strategy):
    world = World(strategy)
    world.log.add(3)
    world.receiver.fails = {1: [NoMailError()]}
    world.run(limit=1, attempts=1)
    outbox = world.outbox(Hooked(strategy, 2, after=lambda: world.outbox().retry(1)))
    assert outbox.run_once(world.receiver).handled == 2
    assert world.run().handled == 1
    assert world.receiver.taken == [2, 3, 1]


@pytest.mark.concurrent
@needs(Capability.CONCURRENCY)
def test_threads_share_the_work_and_nothing_comes_twice(strategy):
    world = World(strategy)
    world.log.add(60)
    world.receiver.fails = {n: [NoMailError()] for n in range(5, 60, 9)}
    start = Barrier(4)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            start.wait()
            for _ in range(40):
                world.run(limit=7, **TERMS)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    world.run_to_the_end(**TERMS)
    assert sorted(world.receiver.taken) == list(range(1, 61))


def test_the_state_in_memory_of_one_object_is_shared():
    shared = MemoryOutbox()
    world = a_world(World(shared))
    assert World(shared, log=world.log, name=world.name).outbox().entries() != []


def test_a_clock_a_minute_ahead_takes_no_lease_over(strategy):
    """The end that a lease names is its holder's word: the other one waits by its own clock."""
    world = World(strategy)
    world.log.add(3)
    ahead = Clock()
    ahead.now = world.clock.now + LEASE + 1
    rival = world.outbox(clock=ahead)
    reports = []

    def meddle(position):
        for seconds in (0, LEASE / 2 - 1):
            ahead.now += seconds
            world.clock.now += seconds
            reports.append(rival.run_once(lambda _: None))

    world.receiver.before = meddle
    assert world.run().handled == 3

    assert all(report.busy and not report.active for report in reports)
    assert world.receiver.taken == [1, 2, 3]


def test_a_publisher_that_would_never_run_is_no_try(strategy):
    async def publish(recorded):
        raise AssertionError("it never runs")

    world = World(strategy)
    world.log.add(2)
    with pytest.raises(AsynchronousFunctionError):
        world.outbox().run_once(publish)
    with pytest.raises(AsynchronousFunctionError):
        world.outbox().run_once(lambda recorded: [publish(recorded)][0])

    assert world.outbox().entries() == []
    assert world.run().handled == 2, "nothing moved, and the lease was given back"
