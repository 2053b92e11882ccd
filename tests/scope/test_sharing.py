"""Workers of a projection of all tenants share the logs evenly, one log at a time."""

from __future__ import annotations

import pytest

from dynamo_es import DynamoBackend, MemoryBackend
from tests.projections.workers import LEASE, Team

TENANTS = [f"tenant {number}" for number in range(6)]


@pytest.fixture(scope="module")
def dynamo():
    with DynamoBackend.local(log_scope="tenant") as backend:
        yield backend


@pytest.fixture(params=["memory", "moto"])
def team(request):
    if request.param == "memory":
        backend = MemoryBackend(log_scope="tenant")
    else:
        backend = request.getfixturevalue("dynamo")
        backend.clear()
    made = Team(backend, "sharing")
    for tenant in TENANTS:
        made.add(1, tenant)
    return made


class Seen(list[tuple[str, int]]):
    def __call__(self, recorded):
        self.append((recorded.tenant_id, recorded.position))


def logs_of(worker):
    return [each for each, run in worker._runs.items() if run.holding.held]


def go_round(team, *workers, rounds=20):
    for _ in range(rounds):
        for worker in workers:
            worker.advance()
        team.clock.now += LEASE / 4


def test_logs_even_out_when_workers_come(team):
    seen = Seen()
    workers = [team.worker_of_all(seen) for _ in range(3)]

    go_round(team, workers[0])
    assert len(logs_of(workers[0])) == 6
    go_round(team, *workers[:2])
    assert [len(logs_of(worker)) for worker in workers[:2]] == [3, 3]
    go_round(team, *workers)
    assert [len(logs_of(worker)) for worker in workers] == [2, 2, 2]

    assert sorted(log for worker in workers for log in logs_of(worker)) == sorted(TENANTS)
    assert sorted(seen) == [(tenant, 1) for tenant in sorted(TENANTS)], "none came twice"


def test_each_worker_handles_its_own_logs(team):
    one, two = Seen(), Seen()
    first, second = team.worker_of_all(one), team.worker_of_all(two)
    go_round(team, first, second)
    one.clear()
    for tenant in TENANTS:
        team.add(2, tenant)

    go_round(team, first, second, rounds=1)

    assert {tenant for tenant, _ in one} == set(logs_of(first))
    assert {tenant for tenant, _ in two} == set(logs_of(second))
    for tenant in TENANTS:
        assert [at for each, at in one + two if each == tenant] == [2, 3]


def test_the_logs_of_a_worker_that_stops_are_taken_at_once(team):
    first, second = team.worker_of_all(Seen()), team.worker_of_all(Seen())
    go_round(team, first, second)
    first.close()

    second.advance()

    assert len(logs_of(second)) == 6


def test_the_logs_of_a_dead_worker_are_taken_within_two_leases(team):
    first, second = team.worker_of_all(Seen()), team.worker_of_all(Seen())
    go_round(team, first, second)

    for _ in range(8):
        second.advance()
        team.clock.now += LEASE / 4

    assert len(logs_of(second)) == 6


def test_a_dead_worker_that_was_asked_for_a_log_holds_up_nobody(team):
    first = team.worker_of_all(Seen())
    go_round(team, first)
    second = team.worker_of_all(Seen())
    go_round(team, second, rounds=2)

    for _ in range(8):
        second.advance()
        team.clock.now += LEASE / 4

    assert len(logs_of(second)) == 6
