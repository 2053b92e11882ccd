"""`MemoryKeyStorage`: the keys of data subjects in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from dynamo_es.contracts import KeyStorageStrategy
from dynamo_es.contracts.checks.arguments import check_subject, check_tenant
from dynamo_es.contracts.stream_keys import subjects_key
from dynamo_es.forking import new_lock
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from threading import Lock

    from dynamo_es.values import SubjectKey, TenantId


@dataclass(slots=True)
class _Keys:
    """The keys that the storages of all tenants share; used only under the lock."""

    lock: Lock = field(default_factory=new_lock)
    by_subject: dict[tuple[str, str], SubjectKey] = field(default_factory=dict)
    deleted: set[tuple[str, str]] = field(default_factory=set)


class MemoryKeyStorage(KeyStorageStrategy):
    """The keys of one tenant's data subjects, in memory. Safe to share between threads.

    Args:
        tenant_id: the tenant, any text.
        shared: keys to share with another storage; None: start empty.

    Raises:
        InvalidStreamIdError: the tenant id is not text.
    """

    def __init__(
        self, tenant_id: TenantId = DEFAULT_TENANT, *, shared: _Keys | None = None
    ) -> None:
        check_tenant(tenant_id)
        self._tenant_id = tenant_id
        self._keys = _Keys() if shared is None else shared

    def get(self, subject: str) -> SubjectKey | None:
        """Return a subject's key; see `KeyStorageStrategy.get`."""
        place = self._place(subject)
        with self._keys.lock:
            return self._keys.by_subject.get(place)

    def get_or_create(self, subject: str, new: SubjectKey) -> SubjectKey:
        """Return or create a subject's key; see `KeyStorageStrategy.get_or_create`."""
        place = self._place(subject)
        with self._keys.lock:
            return self._keys.by_subject.setdefault(place, new)

    def delete(self, subject: str) -> bool:
        """Delete a subject's key; see `KeyStorageStrategy.delete`."""
        place = self._place(subject)
        with self._keys.lock:
            if self._keys.by_subject.pop(place, None) is not None:
                self._keys.deleted.add(place)
            return place in self._keys.deleted

    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return a key storage for that tenant over the same data."""
        return type(self)(tenant_id, shared=self._keys)

    def _place(self, subject: str) -> tuple[str, str]:
        check_subject(subject)
        return subjects_key(self._tenant_id), subject
