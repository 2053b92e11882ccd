"""An outbox of all tenants publishes from each tenant's log, where it has a state of its own."""

import pytest

from dynamo_es.exceptions import TenantRequiredError
from tests.scope.logs import TENANTS, backend, fill, seen, shared

__all__ = ["backend", "shared"]


def test_each_log_has_an_outbox(backend):
    backend.with_outbox()
    fill(backend, 1, 2)
    published = []

    report = backend.outbox.run_once(published.append)

    assert (report.handled, report.position) == (6, 6)
    assert seen(published) == {tenant: [(1, 1), (2, 2)] for tenant in TENANTS}
    assert [backend.in_tenant(tenant).outbox.position for tenant in TENANTS] == [2, 2, 2]
    assert backend.outbox.run_once(published.append).handled == 0
    assert backend.in_tenant("acme").outbox.run_once(published.append).handled == 0
    with pytest.raises(TenantRequiredError, match="The position of the outbox outbox"):
        _ = backend.outbox.position


def test_a_run_of_all_outboxes_keeps_its_limit_and_takes_turns(backend):
    backend.with_outbox()
    fill(backend, 1, 2, 3)
    published = []
    outbox = backend.outbox.named("limited")

    for _ in range(3):
        assert outbox.run_once(published.append, limit=1).handled == 1

    assert {one.tenant_id for one in published} == set(TENANTS)


def test_entries_of_all_outboxes_are_listed_and_tried_again(backend):
    backend.with_outbox()
    fill(backend, 1)
    outbox = backend.outbox.named("failing")

    def fail(recorded):
        raise RuntimeError("down")

    outbox.run_once(fail, attempts=1)

    assert {(one.tenant_id, one.position, one.dead) for one in outbox.entries()} == {
        (tenant, 1, True) for tenant in TENANTS
    }
    assert outbox.retry_all() == 3
    published = []
    assert outbox.run_once(published.append).handled == 3
    for refused in (outbox.retry, outbox.skip, outbox.reset):
        with pytest.raises(TenantRequiredError, match="failing"):
            refused(1)
