"""The front door of the store in memory, with the methods of `DynamoBackend`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from dynamo_es.event_store.access import EventStoreAccess
from dynamo_es.memory.key_storage import MemoryKeyStorage
from dynamo_es.memory.storage import MemoryStorage
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from dynamo_es.event_store.encryption.service import Encryption
    from dynamo_es.event_store.registry import EventRegistry
    from dynamo_es.event_store.store import EventStore
    from dynamo_es.values import TenantId


class MemoryBackend:
    """A store that lives as long as this object; for tests and for trying things out.

    Keeps the same contract as `DynamoBackend`, at no cost and without a network. Safe to
    share between threads.

    Args:
        storage: what to serve; None (the default): a new, empty one.
        registry: names of the event classes; None: all that are defined.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        storage: MemoryStorage | None = None,
        *,
        registry: EventRegistry | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tenant_id = DEFAULT_TENANT
        self._storage = MemoryStorage() if storage is None else storage
        self._typed = EventStoreAccess(MemoryKeyStorage, registry, clock)

    @property
    def storage(self) -> MemoryStorage:
        """The streams of this backend's tenant."""
        return self._storage

    @property
    def event_store(self) -> EventStore:
        """The typed events of this backend's tenant."""
        return self._typed.event_store(self._storage, self._tenant_id)

    @property
    def encryption(self) -> Encryption:
        """The encrypted fields of this backend's tenant, and how to make them unreadable."""
        return self._typed.encryption(self._tenant_id)

    def in_tenant(self, tenant_id: TenantId) -> Self:
        """Return a backend of that tenant over the same data; this one stays as it is.

        Args:
            tenant_id: any text.

        Raises:
            InvalidStreamIdError: not text.
        """
        scoped = object.__new__(type(self))
        scoped.__dict__.update(self.__dict__)
        scoped._storage = self._storage.scoped_for_tenant(tenant_id)
        scoped._tenant_id = tenant_id
        return scoped

    def create_tables(self) -> None:
        """Do nothing, so that code written for `DynamoBackend` runs: there are no tables."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Release nothing; the data stays readable."""
