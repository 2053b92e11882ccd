"""When another worker's lease is over: as judged by one's own clock, since the beat was seen."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable

LONGEST_SKEW: Final = 15 * 60 * 1000
"""Milliseconds by which no two clocks differ: AWS refuses requests signed 5 minutes off."""

_MOST_SEEN: Final = 10_000


class Held(NamedTuple):
    """A lease as it is stored. Each renewal changes its end, and so is a beat.

    Attributes:
        holder: token of the worker that has it, unlike every other.
        until: its end by the holder's clock, milliseconds since the epoch.
        length: milliseconds for which it lasts from each beat on.
    """

    holder: str
    until: int
    length: int


class LeaseWatch:
    """What a process has seen of others' leases. Safe to share between threads.

    Clocks of two machines differ, so the end that a lease names is the holder's word only. A
    process takes a lease over when it has seen no beat for the whole length of the lease by its
    own clock. A process that looks only once, such as a job, would never do that: for it a lease
    is over when it has ended by more than any two clocks differ.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen: OrderedDict[Hashable, tuple[Held, int]] = OrderedDict()

    def is_over(self, key: Hashable, held: Held, now: int) -> bool:
        """Whether a lease may be taken over; if not, it is remembered when it was seen first.

        Args:
            key: what the lease is of.
            held: the lease as it is stored now.
            now: milliseconds since the epoch, by the clock of this process.
        """
        with self._lock:
            known, since = self._seen.pop(key, (held, now))
            if known != held or since > now:
                since = now
            self._seen[key] = held, since
            if len(self._seen) > _MOST_SEEN:
                self._seen.popitem(last=False)
        return now - since >= held.length or now - held.until >= LONGEST_SKEW
