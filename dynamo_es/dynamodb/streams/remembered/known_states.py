"""Remembers the saved states that this process has read or saved, and those that do not exist."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

from dynamo_es.dynamodb.wire.sizes import item_size
from dynamo_es.forking import new_lock

if TYPE_CHECKING:
    from dynamo_es.dynamodb.wire.steps import Item

MOST_BYTES: Final = 8 * 1024 * 1024
"""The most bytes of remembered states, in all boundaries."""

_ENTRY_BYTES: Final = 300
"""The approximate number of bytes that an entry takes beside its item."""


class KnownState(NamedTuple):
    """A remembered state, or the fact that there was none.

    Attributes:
        item: the stored item; None: there was none.
        epoch: `RememberedHeads.epoch` when it was seen. In a later epoch the table may be another.
    """

    item: Item | None
    epoch: int

    @property
    def size(self) -> int:
        """The number of bytes that it takes."""
        return _ENTRY_BYTES + (0 if self.item is None else item_size(self.item))


class KnownStates:
    """A bounded cache of the states that a process has seen. Safe to share between threads.

    Args:
        most_bytes: the most bytes of all states; it drops the least recently used ones first.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._lock = new_lock()
        self._all: OrderedDict[tuple[str, str], KnownState] = OrderedDict()
        self._bytes = 0

    def get(self, stream_key: str, key: str, epoch: int) -> KnownState | None:
        """Return a remembered state; None: nothing is remembered, or it is of another epoch."""
        with self._lock:
            known = self._all.get((stream_key, key))
            if known is None or known.epoch != epoch:
                return None
            self._all.move_to_end((stream_key, key))
            return known

    def remember(self, stream_key: str, key: str, item: Item | None, epoch: int) -> None:
        """Remember the stored item of a state; None: there is none."""
        known = KnownState(item, epoch)
        with self._lock:
            self._remove((stream_key, key))
            self._all[stream_key, key] = known
            self._bytes += known.size
            while self._bytes > self._most:
                self._remove(next(iter(self._all)))

    def forget(self, stream_key: str) -> None:
        """Forget the states of a boundary that was deleted."""
        with self._lock:
            for place in [place for place in self._all if place[0] == stream_key]:
                self._remove(place)

    def clear(self) -> None:
        """Forget every state."""
        with self._lock:
            self._all.clear()
            self._bytes = 0

    def _remove(self, place: tuple[str, str]) -> None:
        known = self._all.pop(place, None)
        if known is not None:
            self._bytes -= known.size
