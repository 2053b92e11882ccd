"""A cache of subjects' keys. It forgets a key at once when this process deletes the key."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Self
from weakref import WeakSet

from dynamo_es.contracts import KeyStorageStrategy
from dynamo_es.contracts.checks.arguments import check_subject
from dynamo_es.forking import new_lock

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.event_store.encryption.cipher import Cipher
    from dynamo_es.values import SubjectKey, TenantId

KEY_SECONDS: Final = 300.0
"""Seconds that a key stays in the cache, even if another process has deleted it."""

KEYS: Final = 10_000
"""Most keys in a cache."""


class _Process:
    """All caches of this process; the lock guards their keys too."""

    def __init__(self) -> None:
        self.lock = new_lock()
        self.caches: WeakSet[KeyCache] = WeakSet()
        self.deletions = 0


_process: Final = _Process()


class KeyCache:
    """Keeps the most recently used keys. Safe to share between threads.

    It does not remember that a subject has no key, because another process may make one at any
    time.

    Args:
        clock: returns seconds since the epoch. It is the wall clock, because the monotonic clock
            stops while a Lambda function is frozen.
        seconds: how long a key is kept, in seconds; 0: not at all.
        capacity: most keys that the cache keeps.
    """

    def __init__(
        self, clock: Callable[[], float], seconds: float = KEY_SECONDS, capacity: int = KEYS
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._capacity = capacity
        self._keys: OrderedDict[tuple[TenantId, str], tuple[Cipher, float]] = OrderedDict()
        with _process.lock:
            _process.caches.add(self)

    def get(
        self, tenant_id: TenantId, subject: str, read: Callable[[], Cipher | None]
    ) -> Cipher | None:
        """Return a subject's key from the cache, or from ``read`` if it is not there.

        A key is not kept if this process deleted any key while it was read: it may be the deleted
        one.
        """
        place = (tenant_id, subject)
        with _process.lock:
            if (remembered := self._fresh(place)) is not None:
                return remembered
            deletions = _process.deletions
        cipher = read()
        if cipher is not None and self._capacity and self._seconds > 0:
            now = self._clock()
            with _process.lock:
                if _process.deletions == deletions:
                    self._keys[place] = (cipher, now)
                    self._keys.move_to_end(place)
                    if len(self._keys) > self._capacity:
                        self._keys.popitem(last=False)
        return cipher

    def _fresh(self, place: tuple[TenantId, str]) -> Cipher | None:
        entry = self._keys.get(place)
        if entry is None:
            return None
        cipher, since = entry
        if not 0 <= self._clock() - since < self._seconds:
            del self._keys[place]
            return None
        self._keys.move_to_end(place)
        return cipher

    def __len__(self) -> int:
        return len(self._keys)

    def clear(self) -> None:
        """Drop all keys."""
        with _process.lock:
            _process.deletions += 1
            self._keys.clear()

    def _forget(self, place: tuple[TenantId, str]) -> None:
        self._keys.pop(place, None)


class ThrowawayKeys(KeyStorageStrategy):
    """Stores no keys: every call gets the new key that it brings."""

    def get(self, subject: str) -> SubjectKey | None:  # noqa: ARG002 - of the contract
        """Return None."""
        return None

    def get_or_create(self, subject: str, new: SubjectKey) -> SubjectKey:
        """Return the new key."""
        check_subject(subject)
        return new

    def delete(self, subject: str) -> bool:  # noqa: ARG002 - of the contract
        """Return False."""
        return False

    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:  # noqa: ARG002 - of the contract
        """Return this storage."""
        return self


def forget_everywhere(tenant_id: TenantId, subject: str) -> None:
    """Drop a subject's key from every cache of this process. Call it after deleting the key."""
    with _process.lock:
        _process.deletions += 1
        for cache in _process.caches:
            cache._forget((tenant_id, subject))  # noqa: SLF001 - of this module
