"""What every backend offers of one tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from types import TracebackType

    from dynamo_es.contracts import StorageStrategy
    from dynamo_es.event_store.access import EventStoreAccess
    from dynamo_es.event_store.encryption.service import Encryption
    from dynamo_es.event_store.store import EventStore
    from dynamo_es.values import TenantId


class Backend:
    """The streams of one tenant, raw and typed; the way to those of the others.

    Args:
        storage: its streams.
        typed: what its event stores share with those of other tenants.
        tenant_id: whose they are.
    """

    def __init__(
        self,
        storage: StorageStrategy,
        typed: EventStoreAccess,
        tenant_id: TenantId = DEFAULT_TENANT,
    ) -> None:
        self._storage = storage
        self._typed = typed
        self._tenant_id = tenant_id

    @property
    def storage(self) -> StorageStrategy:
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
        """Make what is not there yet and has to be."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what the backend holds; the data stays."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
