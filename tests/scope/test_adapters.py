"""Applications of other libraries read the log of their tenant, where each has one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from event_sourcery import StreamId

from dynamo_es import DynamoBackend
from dynamo_es.adapters.event_sourcery import DynamoDBBackend, DynamoDBConfig
from tests.adapters.event_sourcery.orders import OrderPlaced
from tests.adapters.eventsourcing.engine import Tables, events
from tests.infra.policies import calls_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_notification_ids_are_positions_in_the_tenants_log():
    tables = Tables("moto:scope", DYNAMO_ES_LOG_SCOPE="tenant")
    ours = tables.factory(DYNAMO_ES_TENANT="acme").application_recorder()
    theirs = tables.factory(DYNAMO_ES_TENANT="umbrella").application_recorder()

    assert ours.insert_events(events(uuid4(), 1, 2)) == [1, 2]
    assert theirs.insert_events(events(uuid4(), 1)) == [1]
    assert ours.insert_events(events(uuid4(), 1)) == [3]

    assert [one.id for one in ours.select_notifications(1, 10)] == [1, 2, 3]
    assert [one.id for one in theirs.select_notifications(1, 10)] == [1]
    assert (ours.max_notification_id(), theirs.max_notification_id()) == (3, 1)
    other = tables.factory(DYNAMO_ES_LOG_SCOPE="table").application_recorder()
    with pytest.raises(Exception, match="was written with log_scope"):
        other.max_notification_id()
    tables.close()


def test_a_tenants_application_does_not_read_the_log_of_all():
    tables = Tables("moto:scope")
    assert tables.factory().application_recorder().insert_events(events(uuid4(), 1)) == [1]
    ours = tables.factory(DYNAMO_ES_LOG_SCOPE="tenant").application_recorder()

    with pytest.raises(Exception, match="was written with log_scope"):
        ours.max_notification_id()
    tables.close()


@pytest.fixture
def local() -> Iterator[DynamoBackend]:
    with DynamoBackend.local() as local:
        yield local


@pytest.fixture
def theirs(local: DynamoBackend) -> DynamoDBBackend:
    config = DynamoDBConfig(
        events_table="events", log_table="log", keys_table="keys", log_scope="tenant"
    )
    return DynamoDBBackend().configure(local.client, config)


def append(backend: Any, *tenants: str) -> None:
    for tenant in tenants:
        store = backend.in_tenant_mode(tenant).event_store
        store.append(OrderPlaced(), stream_id=StreamId())


def test_a_subscriber_starts_from_a_position_of_its_tenants_log(theirs):
    append(theirs, "acme", "acme", "umbrella", "acme")

    def seen(tenant: str, position: int) -> list[tuple[str, int]]:
        scoped = theirs.in_tenant_mode(tenant)
        batches = scoped.subscriber.start_from(position).to_events([OrderPlaced])
        batch = next(batches.build_batch(3 - position if tenant == "acme" else 1, 9))
        return [(one.tenant_id, one.position) for one in batch]

    assert seen("acme", 0) == [("acme", 1), ("acme", 2), ("acme", 3)]
    assert seen("acme", 2) == [("acme", 3)]
    assert seen("umbrella", 0) == [("umbrella", 1)]


def test_the_outbox_publishes_the_events_of_all_tenants(theirs):
    theirs.with_outbox()
    append(theirs, "acme", "umbrella")
    published: list[Any] = []

    theirs.outbox.run(published.append)

    assert {(one.tenant_id, one.position) for one in published} == {("acme", 1), ("umbrella", 1)}


def test_a_tenants_backend_touches_no_other_log(theirs, local):
    append(theirs, "acme", "umbrella")
    with calls_of(local) as calls:
        append(theirs, "acme")
    assert all(str(call.key).startswith("acme#") for call in calls)
