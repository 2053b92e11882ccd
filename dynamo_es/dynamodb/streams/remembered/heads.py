"""Remembers the heads of streams, which saves appends a read, and the places of their snapshots.

A stale head is safe to use as long as the table is the same. Within a generation versions only
grow, so an append after a stale head collides. After a deletion, there is a fence at every version
that the closed generation could write to, and heads are forgotten well before fences expire.

A table that was deleted and restored under the same name does not protect like this: its streams
may end below a remembered head, and a put checks only its own key. But while a table is replaced,
it does not reply. So an append uses a head without reading it only if the table has replied
regularly since the head was seen. After a longer silence it reads the head again (ADR 12).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

from dynamo_es.dynamodb.streams.remembered.known_states import KnownStates
from dynamo_es.dynamodb.streams.remembered.runs import MOST_BYTES, RememberedRuns
from dynamo_es.forking import new_lock

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.dynamodb.streams.items import Head

FENCE_SECONDS: Final = 7 * 24 * 3600
"""How many seconds a fence stays after its deletion is complete."""

HEAD_SECONDS: Final = 24 * 3600
"""How many seconds a head is remembered. By the wall clock, as Lambda freezes the monotonic one."""

TRUSTED_SECONDS: Final = 10
"""After this many seconds of silence the table may be another one. Replacing one takes longer."""


class Seen(NamedTuple):
    """A remembered head.

    Attributes:
        head: the head.
        trusted: whether the table is certainly the same, so that the head can be used without a
            read.
        begins: version of the first event of the newest commit; None: unknown.
    """

    head: Head
    trusted: bool
    begins: int | None = None


class RememberedHeads:
    """A bounded, thread-safe cache of heads. It drops the least recently used one first.

    Args:
        capacity: the most streams to remember; 0: none.
        clock: returns seconds since the epoch.

    Attributes:
        runs: the latest events of boundaries.
        states: saved states of boundaries.
    """

    def __init__(self, capacity: int, clock: Callable[[], float]) -> None:
        self._capacity = capacity
        self._clock = clock
        self._lock = new_lock()
        self._heads: OrderedDict[str, tuple[Head, float, int, int | None]] = OrderedDict()
        self._snapshots: OrderedDict[str, int] = OrderedDict()
        self._doubtful: OrderedDict[str, None] = OrderedDict()
        self.runs = RememberedRuns(MOST_BYTES if capacity else 0)
        self.states = KnownStates(MOST_BYTES if capacity else 0)
        self._replied_at = clock()
        self._silences = 0  # since the process began; heads from before the last are not trusted

    def get(self, key: str) -> Head | None:
        """Return the head of a stream if it can be used without a read; None: read it."""
        seen = self.recall(key)
        return seen.head if seen is not None and seen.trusted else None

    def recall(self, key: str) -> Seen | None:
        """Return the last seen head of a stream; None if it is unknown or too old."""
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
        """Return the head if it can be used without a read, and the generation that it must have.

        Args:
            key: partition key of the stream.
            expected: version that the stream must have.
            generation: generation in which the stream must have the version; None: the generation
                in which this process last saw the version, if it did.
        """
        seen = self.recall(key)
        if seen is None or seen.head.versionless or seen.head.version != expected:
            return None, generation
        if generation is None:
            generation = seen.head.generation
        known = seen.trusted and seen.head.generation == generation
        return (seen.head if known else None), generation

    def remember(self, key: str, head: Head, begins: int | None = None) -> Head:
        """Remember a head unless a later one is remembered, because threads finish in any order.

        Any head replaces one that is no longer trusted, because the table may be another one.

        Args:
            key: partition key of the stream.
            head: the head of the stream.
            begins: version of the first event of the newest commit; None: unknown.

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
        """Return the sort key from which to load a stream with its snapshot; None: unknown.

        If it is out of date, a load needs one more request or reads some more items, but is still
        correct.
        """
        with self._lock:
            lowest = self._snapshots.get(key)
            if lowest is not None:
                self._snapshots.move_to_end(key)
            return lowest

    def remember_snapshot(self, key: str, lowest: int) -> None:
        """Remember the sort key from which to load a stream with its snapshot."""
        if not self._capacity:
            return
        with self._lock:
            self._snapshots[key] = lowest
            self._snapshots.move_to_end(key)
            if len(self._snapshots) > self._capacity:
                self._snapshots.popitem(last=False)

    def remember_saved(self, key: str, version: int) -> None:
        """Remember that a snapshot of a version was saved, if the newest commit is known.

        A load needs the events after the version, and the newest commit, which proves that the
        stream exists.
        """
        with self._lock:
            entry = self._heads.get(key)
        begins = None if entry is None else entry[3]
        if begins is not None:
            self.remember_snapshot(key, min(begins, version + 1))

    def forget_snapshot(self, key: str) -> None:
        """Forget the snapshot of a stream that has none or was deleted."""
        with self._lock:
            self._snapshots.pop(key, None)

    def forget(self, key: str) -> None:
        """Forget the head of a stream because it is stale or the stream was deleted."""
        with self._lock:
            self._heads.pop(key, None)

    def doubt(self, key: str) -> None:
        """Require consistent reads of a stream that this process deleted, until it is seen again.

        Otherwise an eventually consistent read could still show the deleted events.
        """
        if not self._capacity:
            return
        with self._lock:
            self._doubtful[key] = None
            if len(self._doubtful) > self._capacity:
                self._doubtful.popitem(last=False)

    def is_doubtful(self, key: str) -> bool:
        """Return whether the stream must be read consistently."""
        with self._lock:
            return key in self._doubtful

    def clear(self) -> None:
        """Forget every head, because the table is gone and the next one of its name is new."""
        with self._lock:
            self._heads.clear()
            self._snapshots.clear()
            self._doubtful.clear()
        self.runs.clear()
        self.states.clear()

    @property
    def epoch(self) -> int:
        """The number of silences so far. Data from an earlier epoch may be of another table."""
        return self._silences

    def _take_reply(self, now: float) -> None:
        """Record that the table has just replied, because every head comes from a reply."""
        if not self._is_recent(now):
            self._silences += 1
        self._replied_at = now

    def _is_recent(self, now: float) -> bool:
        return 0 <= now - self._replied_at < TRUSTED_SECONDS
