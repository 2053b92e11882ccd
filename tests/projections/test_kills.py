"""Workers of a projection are killed anywhere, and nothing is lost or handled out of order."""

from __future__ import annotations

from itertools import count
from random import Random
from uuid import uuid4

import pytest

from dynamo_es import MemoryBackend, StreamId
from dynamo_es.testing.conformance.engine import Crash
from tests.engine import Capability, needs
from tests.projections.workers import LEASE, Team, advance

KILLS = 500


class Fatal:
    """Checkpoints of a process that dies at one of its calls, before or after the call."""

    def __init__(self, checkpoints):
        self._checkpoints = checkpoints
        self.left = None
        self.after = False

    def arm(self, left, *, after):
        self.left, self.after = left, after

    def __getattr__(self, name):
        method = getattr(self._checkpoints, name)

        def call(*arguments):
            if self.left is None:
                return method(*arguments)
            self.left -= 1
            if self.left < 0 and not self.after:
                raise Crash
            result = method(*arguments)
            if self.left < 0:
                raise Crash
            return result

        return call


class Model(list[int]):
    """The positions that a read model was given, by any worker; it never skips one."""

    def __init__(self):
        super().__init__()
        self.dies_at = None

    @property
    def reached(self):
        return max(self, default=0)

    def __call__(self, recorded):
        assert recorded.position <= self.reached + 1, "an event came before the one before it"
        if self.dies_at is not None:
            self.dies_at -= 1
            if self.dies_at < 0:
                raise Crash
        self.append(recorded.position)


class Processes:
    """Three processes of one projection, which are killed and started again."""

    def __init__(self, team, random):
        self.team = team
        self.random = random
        self.model = Model()
        self.kills = 0
        self._alive = [self._start() for _ in range(3)]

    def _start(self):
        fatal = Fatal(self.team.backend.checkpoints)
        # Clocks of three machines, up to a day apart.
        clock = self.team.clock.off_by(self.random.uniform(-43_200, 43_200))
        return self.team.worker(self.model, clock, fatal), fatal

    def step(self, *, may_kill=True):
        """Let one of them go a step, perhaps its last one."""
        at = self.random.randrange(3)
        worker, fatal = self._alive[at]
        saved = self.team.backend.checkpoints.position(self.team.name) or 0
        if may_kill and self.random.random() < 0.3:
            if self.random.random() < 0.5:
                fatal.arm(self.random.randrange(2), after=self.random.random() < 0.5)
            else:
                self.model.dies_at = self.random.randrange(2)
        try:
            worker.advance()
        except Crash:
            self.kills += 1
            self._alive[at] = self._start()
        self.model.dies_at = fatal.left = None
        now = self.team.backend.checkpoints.position(self.team.name) or 0
        assert saved <= now <= self.model.reached, "a checkpoint only follows the read model"
        self.team.clock.now += self.random.uniform(0, LEASE / 4 if may_kill else LEASE / 20)

    @property
    def in_charge(self):
        """Whether a living process has the lease."""
        lease = self.team.backend.checkpoints.look(self.team.name).lease
        return lease is not None and lease.holder in {
            worker.holding._worker for worker, _ in self._alive
        }


@pytest.mark.ci
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.ci)])
def test_killed_workers_lose_nothing_and_handle_nothing_out_of_order(seed):
    random = Random(f"kills {seed}")
    team = Team(MemoryBackend(), "kills", batch_size=3)
    processes = Processes(team, random)

    while processes.kills < KILLS:
        if random.random() < 0.3:
            team.add(random.randrange(5))
        processes.step()
    died_at = team.clock.now
    while not processes.in_charge:
        processes.step(may_kill=False)
    assert team.clock.now - died_at < 2 * LEASE, "nobody took over in time"
    last = team.backend.log.last_position or 0
    while (team.backend.checkpoints.position("kills") or 0) < last:
        processes.step(may_kill=False)

    assert sorted(set(processes.model)) == list(range(1, last + 1))
    repeated = len(processes.model) - last
    assert repeated <= 3 * processes.kills, "at most a batch comes again after each kill"


@pytest.mark.inline
@needs(Capability.CRASHES)
def test_a_process_that_dies_in_the_place_of_any_of_its_requests(engine, given, world):
    given.stream(StreamId()).with_commits_of(1)
    backend = world.backend()
    requests_of_a_run = 0
    for requests in count():
        start = backend.log.last_position
        seen = []
        team = Team(backend, f"dies {uuid4().hex}", after=start)
        team.add(3)

        def handle(recorded, seen=seen):
            seen.append(recorded.position)

        crashed = False
        with engine.crash_after(requests) as dying:
            mine = Team(dying, team.name, after=start)
            mine.clock = team.clock
            try:
                mine.projection(handle).run_once()
            except Crash:
                crashed = True
        next_one = team.worker(handle)
        for _ in range(2):
            advance(next_one)
            team.clock.now += LEASE
        advance(next_one)

        assert sorted(set(seen)) == [start + 1, start + 2, start + 3]
        assert backend.checkpoints.position(team.name) == start + 3
        assert len(seen) <= 3 + 2, "at most a batch came again"
        if not crashed:
            break
        requests_of_a_run += 1
    # Look, the end; list, take, the page and the commits, save, save, release, the end.
    assert requests_of_a_run <= 12
