"""Makes the event stores of a backend's tenants, which share event classes and cached keys."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from dynamo_es.contracts.checks.arguments import check_kind
from dynamo_es.grouping.groups import Groups
from dynamo_es.values import RecordedRaw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dynamo_es.boundaries.boundary import Boundary
    from dynamo_es.contracts import KeyStorageStrategy, StorageStrategy
    from dynamo_es.event_store.encryption.service import Encryption
    from dynamo_es.event_store.event import Event
    from dynamo_es.event_store.registry import EventRegistry
    from dynamo_es.event_store.serde import Serde
    from dynamo_es.event_store.store import EventStore
    from dynamo_es.event_store.wrapped import Recorded, WrappedEvent
    from dynamo_es.subscriptions.listeners import Listener
    from dynamo_es.values import RawEvent, TenantId


class EventStoreAccess:
    """Makes the event stores of a backend. The first store imports pydantic.

    Args:
        key_storage: returns the storage of data subjects' keys, for the default tenant.
        registry: finds event classes by name; None: a new one.
        clock: returns seconds since the epoch.
        consistent: whether loads are consistent unless a call says otherwise.
        groups: the queues in which grouped calls of this process wait; None: new queues, for
            threads.
    """

    def __init__(
        self,
        key_storage: Callable[[], KeyStorageStrategy],
        registry: EventRegistry | None,
        clock: Callable[[], float],
        *,
        consistent: bool = True,
        groups: Groups | None = None,
    ) -> None:
        self._consistent = consistent
        self._groups = Groups() if groups is None else groups
        self._key_storage = key_storage
        self._given_registry = registry
        self._clock = clock

    @cached_property
    def registry(self) -> EventRegistry:
        """Finds event classes by name."""
        from dynamo_es.event_store.registry import EventRegistry

        return EventRegistry() if self._given_registry is None else self._given_registry

    @staticmethod
    def classes_in(events: Iterable[type[Event]]) -> tuple[type[Event], ...]:
        """Return the event classes that a caller selects, as a tuple."""
        from dynamo_es.event_store.registry import classes_in

        return classes_in(events)

    @cached_property
    def _encryption(self) -> Encryption:
        from dynamo_es.event_store.encryption.service import Encryption

        return Encryption(self._key_storage(), clock=self._clock)

    def encryption(self, tenant_id: TenantId) -> Encryption:
        """Return the encryption of a tenant; all tenants share one cache of keys."""
        return self._encryption.scoped_for_tenant(tenant_id)

    def forget_keys(self) -> None:
        """Drop the cached keys of all tenants."""
        if "_encryption" in self.__dict__:
            self._encryption.forget_keys()

    def serde(self, tenant_id: TenantId) -> Serde:
        """Return the serde of a tenant's events."""
        from dynamo_es.event_store.serde import Serde

        return Serde(self.registry, self.encryption(tenant_id))

    def deserialize(self, record: RecordedRaw, *, keep_unknown: bool = False) -> Recorded:
        """Return an event of the log as an object of its class."""
        check_kind("raw", record, RecordedRaw)
        serde = self.serde(record.tenant_id)
        return serde.deserialize_record(record, keep_unknown=keep_unknown)

    def deserialize_all(
        self, events: Sequence[RawEvent], tenant_id: TenantId
    ) -> list[WrappedEvent[Any]]:
        """Return a tenant's events as objects; one without a class becomes an `UnknownEvent`."""
        return self.serde(tenant_id).deserialize_all(events, keep_unknown=True)

    def narrowed(self, listener: Listener, events: Sequence[type[Event]]) -> Listener:
        """Limit a projector's method to events of some classes; return other functions as given."""
        from dynamo_es.projections.projector import narrowed

        return narrowed(listener, lambda: self.registry.names_of_all(events))

    def event_store(self, storage: StorageStrategy, tenant_id: TenantId) -> EventStore:
        """Return an event store for a tenant's storage."""
        from dynamo_es.event_store.store import EventStore

        return EventStore(
            storage,
            self.serde(tenant_id),
            tenant_id,
            consistent=self._consistent,
            groups=self._groups,
        )

    def boundary(
        self,
        storage: StorageStrategy,
        tenant_id: TenantId,
        name: str,
        *,
        group: bool,
        snapshot_every: int | None,
    ) -> Boundary:
        """Return a boundary in a tenant's storage."""
        from dynamo_es.boundaries.boundary import Boundary

        return Boundary(
            storage,
            self.serde(tenant_id),
            name,
            tenant_id,
            groups=self._groups if group else None,
            snapshot_every=snapshot_every,
        )
