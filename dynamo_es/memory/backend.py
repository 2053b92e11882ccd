"""The front door of the store in memory, with the methods of `DynamoBackend`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from dynamo_es.memory.storage import MemoryStorage

if TYPE_CHECKING:
    from types import TracebackType

    from dynamo_es.values import TenantId


class MemoryBackend:
    """A store that lives as long as this object; for tests and for trying things out.

    Keeps the same contract as `DynamoBackend`, at no cost and without a network. Safe to
    share between threads.

    Args:
        storage: what to serve; None (the default): a new, empty one.
    """

    def __init__(self, storage: MemoryStorage | None = None) -> None:
        self._storage = MemoryStorage() if storage is None else storage

    @property
    def storage(self) -> MemoryStorage:
        """The streams of this backend's tenant."""
        return self._storage

    def in_tenant(self, tenant_id: TenantId) -> Self:
        """Return a backend of that tenant over the same data; this one stays as it is.

        Args:
            tenant_id: any text.

        Raises:
            InvalidStreamIdError: not text.
        """
        return type(self)(self._storage.scoped_for_tenant(tenant_id))

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
