"""Where streams stood when this process last saw them: what saves an append its read.

However stale a remembered head is, using it is safe: within a generation versions only
grow, so its append collides; after a deletion a fence stands at every version the closed
generation could write to. Heads are forgotten well before those fences expire.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from dynamo_es.forking import new_lock

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.dynamodb.items import Head

FENCE_SECONDS: Final = 7 * 24 * 3600
"""How long a fence stays after its deletion is complete."""

HEAD_SECONDS: Final = 24 * 3600
"""How long a head is remembered, by the wall clock: a frozen Lambda's other one stands still."""


class RememberedHeads:
    """A bounded, thread-safe memory of heads, least recently used out first.

    Args:
        capacity: most streams to remember; 0: none.
        clock: seconds since the epoch.
    """

    def __init__(self, capacity: int, clock: Callable[[], float]) -> None:
        self._capacity = capacity
        self._clock = clock
        self._lock = new_lock()
        self._heads: OrderedDict[str, tuple[Head, float]] = OrderedDict()

    def get(self, key: str) -> Head | None:
        """Return the remembered head of a stream; None when there is none, or it is too old."""
        with self._lock:
            entry = self._heads.get(key)
            if entry is None:
                return None
            head, seen_at = entry
            if not 0 <= self._clock() - seen_at < HEAD_SECONDS:
                del self._heads[key]
                return None
            self._heads.move_to_end(key)
            return head

    def remember(self, key: str, head: Head) -> Head:
        """Remember a head, unless a later one is: two threads may finish in any order.

        Returns:
            The later of the two.
        """
        if not self._capacity:
            return head
        with self._lock:
            entry = self._heads.get(key)
            if entry is not None and entry[0] > head:
                return entry[0]
            self._heads[key] = (head, self._clock())
            self._heads.move_to_end(key)
            if len(self._heads) > self._capacity:
                self._heads.popitem(last=False)
            return head

    def forget(self, key: str) -> None:
        """Forget a stream's head: it proved stale, or the stream is gone."""
        with self._lock:
            self._heads.pop(key, None)
