"""Remembers the heads of streams, which saves an append its read.

A stale head is safe to use as long as the table is the same. Within a generation versions only
grow, so an append after a stale head collides. After a deletion, a fence stands at every version
that the closed generation could write to, and heads are forgotten well before fences expire.

A table that was deleted and restored under the same name gives no such protection: its streams
may end below a remembered head, and a put sees only its own place. But replacing a table takes
time, in which it does not reply. So an append uses a head unread only if the table has kept
replying since the head was seen, and reads it again after a longer silence (ADR 12).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

from dynamo_es.forking import new_lock

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.dynamodb.streams.items import Head

FENCE_SECONDS: Final = 7 * 24 * 3600
"""Seconds that a fence stays after its deletion is complete."""

HEAD_SECONDS: Final = 24 * 3600
"""Seconds that a head is remembered, by the wall clock: a frozen Lambda stops its monotonic one."""

TRUSTED_SECONDS: Final = 10
"""Seconds of silence after which the table may be another: replacing one takes longer."""


class Seen(NamedTuple):
    """A remembered head.

    Attributes:
        head: the head.
        trusted: whether the table is surely the same, so that the head can be used unread.
    """

    head: Head
    trusted: bool


class RememberedHeads:
    """A bounded, thread-safe memory of heads; the least recently used one goes first.

    Args:
        capacity: most streams to remember; 0: none.
        clock: returns seconds since the epoch.
    """

    def __init__(self, capacity: int, clock: Callable[[], float]) -> None:
        self._capacity = capacity
        self._clock = clock
        self._lock = new_lock()
        self._heads: OrderedDict[str, tuple[Head, float, int]] = OrderedDict()
        self._replied_at = clock()
        self._silences = 0  # since the process began; a head of an earlier one is not trusted

    def get(self, key: str) -> Head | None:
        """Return the head of a stream if it can be used unread; None: read it."""
        seen = self.recall(key)
        return seen.head if seen is not None and seen.trusted else None

    def recall(self, key: str) -> Seen | None:
        """Return the last head seen of a stream; None if it is unknown or too old."""
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
        """Remember a head, unless a later one is remembered: threads finish in any order.

        A head that is no longer trusted gives way to any: the table may be another.

        Returns:
            The later of the two heads.
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
        """Forget the head of a stream that proved stale, or of a stream that is gone."""
        with self._lock:
            self._heads.pop(key, None)

    def clear(self) -> None:
        """Forget every head: the table is gone, and the next one with its name is another."""
        with self._lock:
            self._heads.clear()

    def _take_reply(self, now: float) -> None:
        """Record that the table has just replied: every head comes from a reply."""
        if not self._is_recent(now):
            self._silences += 1
        self._replied_at = now

    def _is_recent(self, now: float) -> bool:
        return 0 <= now - self._replied_at < TRUSTED_SECONDS
