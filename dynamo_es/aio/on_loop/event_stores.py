"""Makes the event stores and boundaries of an asynchronous backend."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from dynamo_es.aio.on_loop.group_waiter import new_waiter
from dynamo_es.facade.event_store import EventStoreAccess
from dynamo_es.grouping.groups import Groups

if TYPE_CHECKING:
    from dynamo_es.aio.bridges.bridge import Bridge
    from dynamo_es.boundaries.boundary import Boundary
    from dynamo_es.event_store.serde import Serde
    from dynamo_es.values import TenantId


def typed_over(bridge: Bridge) -> type[EventStoreAccess]:
    """Return the class that makes event stores and boundaries for calls of a bridge."""

    class AsyncEventStoreAccess(EventStoreAccess):
        """Makes event stores that check, encode and decode large events in threads."""

        def __init__(self, *arguments: Any, **named: Any) -> None:
            named.setdefault("groups", Groups(new_waiter=partial(new_waiter, bridge)))
            super().__init__(*arguments, **named)

        def serde(self, tenant_id: TenantId) -> Serde:
            """Return the serde of a tenant's events."""
            from dynamo_es.aio.on_loop.serde import AsyncSerde

            return AsyncSerde(self.registry, self.encryption(tenant_id))

        def boundary(self, *arguments: Any, **named: Any) -> Boundary:
            """Return a boundary in a tenant's storage."""
            made = super().boundary(*arguments, **named)
            made._sleep = bridge.sleep  # noqa: SLF001 - as its constructor takes it
            return made

    return AsyncEventStoreAccess
