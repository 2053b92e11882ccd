"""If a worker dies anywhere, no event is left out and at most one comes twice."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from dynamo_es.exceptions import UnavailableError
from tests.engine import Capability, Crash, needs
from tests.outbox.worlds import LEASE, Hooked, World

if TYPE_CHECKING:
    from collections.abc import Iterator

# A crash at every request.
pytestmark = pytest.mark.ci

GOOD = [2, 3, 5, 6, 7]
"""What the receiver takes, of the eight events of `a_world`; 8 is deleted when it has failed."""


class NoMailError(Exception):
    """What the receiver fails with."""


def a_world(world: World) -> World:
    """Return an outbox with old failures, one of them of a deleted stream, and new events.

    2 has failed once and is taken next; 4 has and dies next; 8 was deleted since. 5 to 7 are new,
    of which 6 fails once; 1 never comes through.
    """
    world.log.add(4)
    mail = world.receiver
    mail.fails = {1: NoMailError(), 2: [NoMailError()], 4: NoMailError(), 6: [NoMailError()]}
    world.run(retry_delay=0)
    world.log.add(3)
    return world


def die() -> None:
    raise Crash


def lose_the_reply() -> None:
    raise UnavailableError("UpdateItem", "ReadTimeoutError", "no reply.")


def check(world: World, times_out: int = 0) -> None:
    """Let the others finish, and look at what came of it."""
    world.run_to_the_end(retry_delay=0, attempts=2 + times_out)
    assert sorted(set(world.receiver.taken)) == GOOD
    assert [(e.position, e.dead) for e in world.outbox().entries()] == [(1, True), (4, True)]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_that_dies_at_a_request(strategy, new_world, when):
    seen = set()
    for at in count():
        world = a_world(new_world())
        dying = Hooked(strategy, at, **{when: die})
        try:
            world.outbox(dying).run_once(world.receiver, retry_delay=0, attempts=2)
        except Crash:
            pass
        else:
            assert not dying.reached
            break
        seen.add(dying.calls[at])
        taken = list(world.receiver.taken)

        check(world)

        # Only what was being recorded when it died.
        cut_off = when == "before" and dying.calls[at] in {"move", "remove"}
        repeated = world.receiver.repeated
        assert len(repeated) <= cut_off
        assert repeated in ([], taken[-1:])
    assert seen == {"look", "take", "fail", "remove", "move", "release"}


def test_a_crash_gives_back_nothing_and_the_lease_runs_out(strategy, new_world):
    world = a_world(new_world())

    class Dead:
        """A process that sends nothing more once it is to die."""

        left = 4

        def __getattr__(self, name):
            if not self.left:
                raise Crash
            self.left -= 1
            return getattr(strategy, name)

    with pytest.raises(Crash):
        world.outbox(Dead()).run_once(world.receiver)
    taken = list(world.receiver.taken)
    another = world.outbox()
    for seconds in (10 * LEASE, LEASE - 1):
        world.clock.now += seconds
        assert another.run_once(world.receiver).busy, "it has not seen it for the whole lease"
    assert world.receiver.taken == taken
    world.clock.now += 1
    assert another.run_once(world.receiver, retry_delay=0, attempts=2).active
    check(world)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_write_whose_outcome_is_unknown(strategy, new_world, when):
    for at in count():
        world = a_world(new_world())
        losing = Hooked(strategy, at, **{when: lose_the_reply})
        try:
            world.outbox(losing).run_once(world.receiver, retry_delay=0, attempts=2)
        except UnavailableError:
            check(world)
            # What was published is said when the lease is given back; of an old failure it is not.
            cut_off = when == "before" and losing.calls[at] == "remove"
            assert len(world.receiver.repeated) <= cut_off
        else:
            assert not losing.reached
            return


def processes_that_die(engine, new_world) -> Iterator[World]:
    """Yield worlds in which a worker died, an HTTP request later each time."""
    for requests in count():
        world = a_world(new_world())
        with engine.crash_after(requests):
            try:
                world.run(retry_delay=0, attempts=2)
            except Crash:
                crashed = True
            else:
                crashed = False
        yield world
        if not crashed:
            return


@needs(Capability.CRASHES)
def test_a_process_that_dies_in_the_place_of_any_of_its_requests(engine, new_world):
    worlds = 0
    for world in processes_that_die(engine, new_world):
        worlds += 1
        taken = list(world.receiver.taken)
        check(world)
        assert world.receiver.repeated in ([], taken[-1:])
    # look, take, look; 1 dies, 2 is taken, 4 dies; 5, 6, 7; release; and one to its end.
    assert worlds == 10 + 1
