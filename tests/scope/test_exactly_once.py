"""Read models of the logs of all tenants are exactly once in each."""

from __future__ import annotations

import pytest

from dynamo_es import DynamoBackend, Writes
from tests.projections.balances import TABLE, balance_of, create_table, deposit
from tests.projections.workers import LEASE, Team

TENANTS = ("", "acme", "b")


@pytest.fixture(scope="module")
def backend():
    with DynamoBackend.local(log_scope="tenant") as made:
        create_table(made.client)
        yield made


def add_of_tenant(recorded):
    amount = recorded.wrapped_event.event.amount
    key = {"account": f"of {recorded.tenant_id}"}
    return Writes().add(TABLE, key, {"balance": amount, "deposits": 1})


def test_two_workers_add_up_the_deposits_of_each_tenant(backend):
    team = Team(backend, "balances", writes=True)
    dead, alive = team.worker_of_all(add_of_tenant), team.worker_of_all(add_of_tenant)
    for tenant in TENANTS:
        deposit(backend, "any", 1, 2, 4, tenant=tenant)
    dead.advance()
    for tenant in TENANTS:
        deposit(backend, "any", 8, tenant=tenant)

    for _ in range(8):
        alive.advance()
        team.clock.now += LEASE / 4
    dead.advance()  # it was only paused

    assert {balance_of(backend.client, f"of {tenant}") for tenant in TENANTS} == {(15, 4)}
    assert set(team.projection(print).positions.values()) == {4}
