"""Remembers the heads of streams, which saves an append its read, and where their snapshots are.

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

from dynamo_es.dynamodb.streams.remembered.known_states import KnownStates
from dynamo_es.dynamodb.streams.remembered.replicas import MOST_BYTES, Replicas
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
        begins: version of the first event of the commit that ends there; None: not known.
    """

    head: Head
    trusted: bool
    begins: int | None = None


class RememberedHeads:
    """A bounded, thread-safe memory of heads; the least recently used one goes first.

    Args:
        capacity: most streams to remember; 0: none.
        clock: returns seconds since the epoch.

    Attributes:
        replicas: the latest events of boundaries.
        states: saved states of boundaries.
    """

    def __init__(self, capacity: int, clock: Callable[[], float]) -> None:
        self._capacity = capacity
        self._clock = clock
        self._lock = new_lock()
        self._heads: OrderedDict[str, tuple[Head, float, int, int | None]] = OrderedDict()
        self._snapshots: OrderedDict[str, int] = OrderedDict()
        self._doubtful: OrderedDict[str, None] = OrderedDict()
        self.replicas = Replicas(MOST_BYTES if capacity else 0)
        self.states = KnownStates(MOST_BYTES if capacity else 0)
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
            head, seen_at, silences, begins = entry
            now = self._clock()
            if not 0 <= now - seen_at < HEAD_SECONDS:
                del self._heads[key]
                return None
            self._heads.move_to_end(key)
            trusted = silences == self._silences and self._is_recent(now)
            return Seen(head, trusted, begins)

    def known_at(
        self, key: str, expected: int, generation: int | None
    ) -> tuple[Head | None, int | None]:
        """Return the head if it can be used unread, and the generation that it must have.

        Args:
            key: partition key of the stream.
            expected: version that the stream must have.
            generation: generation in which it must have it; None: that in which this process last
                saw the expected version, if it did.
        """
        seen = self.recall(key)
        if seen is None or seen.head.versionless or seen.head.version != expected:
            return None, generation
        if generation is None:
            generation = seen.head.generation
        known = seen.trusted and seen.head.generation == generation
        return (seen.head if known else None), generation

    def remember(self, key: str, head: Head, begins: int | None = None) -> Head:
        """Remember a head, unless a later one is remembered: threads finish in any order.

        A head that is no longer trusted gives way to any: the table may be another.

        Args:
            key: partition key of the stream.
            head: its head.
            begins: version of the first event of the newest commit; None: not known.

        Returns:
            The later of the two heads.
        """
        if not self._capacity:
            return head
        with self._lock:
            now = self._clock()
            self._take_reply(now)
            self._doubtful.pop(key, None)
            entry = self._heads.get(key)
            if entry is not None and entry[0] > head and entry[2] == self._silences:
                return entry[0]
            self._heads[key] = (head, now, self._silences, begins)
            self._heads.move_to_end(key)
            if len(self._heads) > self._capacity:
                self._heads.popitem(last=False)
            return head

    def snapshot_from(self, key: str) -> int | None:
        """Return the sort key from which to load a stream with its snapshot; None: not known.

        It may be out of date, which costs a load a request or some items, and never correctness.
        """
        with self._lock:
            lowest = self._snapshots.get(key)
            if lowest is not None:
                self._snapshots.move_to_end(key)
            return lowest

    def remember_snapshot(self, key: str, lowest: int) -> None:
        """Remember from which sort key to load a stream with its snapshot."""
        if not self._capacity:
            return
        with self._lock:
            self._snapshots[key] = lowest
            self._snapshots.move_to_end(key)
            if len(self._snapshots) > self._capacity:
                self._snapshots.popitem(last=False)

    def remember_saved(self, key: str, version: int) -> None:
        """Remember that a snapshot of a version was saved, if the newest commit is known.

        A load needs the events after the version, and the newest commit: it proves that the stream
        exists.
        """
        with self._lock:
            entry = self._heads.get(key)
        begins = None if entry is None else entry[3]
        if begins is not None:
            self.remember_snapshot(key, min(begins, version + 1))

    def forget_snapshot(self, key: str) -> None:
        """Forget the snapshot of a stream that has none, or of a stream that is gone."""
        with self._lock:
            self._snapshots.pop(key, None)

    def forget(self, key: str) -> None:
        """Forget the head of a stream that proved stale, or of a stream that is gone."""
        with self._lock:
            self._heads.pop(key, None)

    def doubt(self, key: str) -> None:
        """Ask for consistent reads of a stream that this process deleted, until it is seen again.

        Otherwise an eventually consistent read could show what was deleted.
        """
        if not self._capacity:
            return
        with self._lock:
            self._doubtful[key] = None
            if len(self._doubtful) > self._capacity:
                self._doubtful.popitem(last=False)

    def is_doubtful(self, key: str) -> bool:
        """Whether the stream must be read consistently."""
        with self._lock:
            return key in self._doubtful

    def clear(self) -> None:
        """Forget every head: the table is gone, and the next one with its name is another."""
        with self._lock:
            self._heads.clear()
            self._snapshots.clear()
            self._doubtful.clear()
        self.replicas.clear()
        self.states.clear()

    @property
    def epoch(self) -> int:
        """Number of silences so far: what was seen in an earlier epoch may be of another table."""
        return self._silences

    def _take_reply(self, now: float) -> None:
        """Record that the table has just replied: every head comes from a reply."""
        if not self._is_recent(now):
            self._silences += 1
        self._replied_at = now

    def _is_recent(self, now: float) -> bool:
        return 0 <= now - self._replied_at < TRUSTED_SECONDS
