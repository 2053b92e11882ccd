"""Where streams stood when this process last saw them: what saves an append its read.

However stale a remembered head is, using it is safe as long as the table is the same: within a
generation versions only grow, so its append collides; after a deletion a fence stands at every
version the closed generation could write to. Heads are forgotten well before those fences expire.

A table that was deleted and restored under its name keeps none of that: its streams may end
below a remembered head, and a put sees no more than its own place. But no table is replaced
without a time in which it is not there. So heads are used unread only as long as the table has
replied again and again since they were seen, and read again after a longer silence (ADR 12).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

from dynamo_es.forking import new_lock

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.dynamodb.streams.items import Head

FENCE_SECONDS: Final = 7 * 24 * 3600
"""How long a fence stays after its deletion is complete."""

HEAD_SECONDS: Final = 24 * 3600
"""How long a head is remembered, by the wall clock: a frozen Lambda's other one stands still."""

TRUSTED_SECONDS: Final = 10
"""The silence after which a table may be another: deleting and making one again takes longer."""


class Seen(NamedTuple):
    """A head, and whether the table is sure to be the same, so that it can be used unread."""

    head: Head
    trusted: bool


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
        self._heads: OrderedDict[str, tuple[Head, float, int]] = OrderedDict()
        self._replied_at = clock()
        self._silences = 0  # since the process began; a head of an earlier one is not trusted

    def get(self, key: str) -> Head | None:
        """Return the head of a stream that can be used unread; None: read it."""
        seen = self.recall(key)
        return seen.head if seen is not None and seen.trusted else None

    def recall(self, key: str) -> Seen | None:
        """Return the last head seen of a stream; None when there is none, or it is too old."""
        with self._lock:
            entry = self._heads.get(key)
            if entry is None:
                return None
            head, seen_at, silences = entry
            now = self._clock()
            if not 0 <= now - seen_at < HEAD_SECONDS:
                del self._heads[key]
                return None
            self._heads.move_to_end(key)
            return Seen(head, silences == self._silences and self._is_recent(now))

    def remember(self, key: str, head: Head) -> Head:
        """Remember a head, unless a later one is: two threads may finish in any order.

        One that is not trusted any more gives way to any: the table may be another.

        Returns:
            The later of the two.
        """
        if not self._capacity:
            return head
        with self._lock:
            now = self._clock()
            self._take_reply(now)
            entry = self._heads.get(key)
            if entry is not None and entry[0] > head and entry[2] == self._silences:
                return entry[0]
            self._heads[key] = (head, now, self._silences)
            self._heads.move_to_end(key)
            if len(self._heads) > self._capacity:
                self._heads.popitem(last=False)
            return head

    def forget(self, key: str) -> None:
        """Forget a stream's head: it proved stale, or the stream is gone."""
        with self._lock:
            self._heads.pop(key, None)

    def clear(self) -> None:
        """Forget every head: the table is gone, and what has its name next is another."""
        with self._lock:
            self._heads.clear()

    def _take_reply(self, now: float) -> None:
        """Take note that the table replied just now: whatever was seen in it comes of a reply."""
        if not self._is_recent(now):
            self._silences += 1
        self._replied_at = now

    def _is_recent(self, now: float) -> bool:
        return 0 <= now - self._replied_at < TRUSTED_SECONDS
