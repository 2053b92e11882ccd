"""Two processes keep balances over a bad network, and are killed with SIGKILL again and again."""

from __future__ import annotations

import subprocess
import sys
import time
from random import Random
from uuid import uuid4

import pytest

from dynamo_es import StreamId
from tests.engine import LocalEngine
from tests.projections.balances import balance_of, create_table, deposit
from tests.projections.one_worker import LEASE

pytestmark = [pytest.mark.ci, pytest.mark.inline]

KILLS = 12
ACCOUNTS = 3
PATIENCE = 60.0


class Workers:
    """Two processes; each is started again when it was killed."""

    def __init__(self, engine, name, after, random):
        config = engine.config_with()
        prefix = config.log_table.removesuffix("-log")
        self._command = [sys.executable, "-m", "tests.projections.one_worker"]
        self._command += [config.endpoint_url, prefix, name, str(after)]
        self._random = random
        self._alive = [self._start(), self._start()]

    def _start(self):
        command = [*self._command, str(self._random.random())]
        process = subprocess.Popen(  # noqa: S603 - this interpreter, and names from this file
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        return process

    def kill_one(self):
        at = self._random.randrange(2)
        self._end(self._alive[at])
        self._alive[at] = self._start()

    def end(self):
        for process in self._alive:
            self._end(process)

    def _end(self, process):
        process.kill()
        process.wait(30)
        process.stdout.close()


def test_balances_are_exactly_right_after_kills_and_lost_replies(engine, given, world):
    if not isinstance(engine, LocalEngine):
        pytest.skip("its processes share an engine by its endpoint")
    random = Random("processes")
    create_table(engine.client)
    given.stream(StreamId()).with_commits_of(1)
    backend = world.backend()
    name, after = f"processes {uuid4().hex}", backend.log.last_position
    accounts = [f"{name} {number}" for number in range(ACCOUNTS)]
    expected = dict.fromkeys(accounts, (0, 0))
    workers = Workers(engine, name, after, random)
    try:
        for _ in range(KILLS):
            for _ in range(random.randrange(5, 15)):
                account, amount = random.choice(accounts), random.randrange(1, 100)
                deposit(backend, account, amount)
                balance, deposits = expected[account]
                expected[account] = balance + amount, deposits + 1
            time.sleep(random.uniform(0, LEASE))
            workers.kill_one()
        last = backend.log.last_position
        began = time.monotonic()
        while backend.checkpoints.position(name) != last:
            assert time.monotonic() - began < PATIENCE, "nobody took over"
            time.sleep(0.05)
    finally:
        workers.end()

    assert {account: balance_of(engine.client, account) for account in accounts} == expected
    assert backend.checkpoints.look(name).token > 1, "the lease went from hand to hand"
