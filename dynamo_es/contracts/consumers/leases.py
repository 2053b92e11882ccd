"""Decides when another worker's lease is over, by the clock of this process."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

from dynamo_es.forking import new_lock

if TYPE_CHECKING:
    from collections.abc import Hashable

LONGEST_SKEW: Final = 15 * 60 * 1000
"""The most that two clocks can differ, in milliseconds. AWS refuses clocks 5 minutes off."""

_MOST_SEEN: Final = 10_000


class Lease(NamedTuple):
    """A stored lease. Each renewal, called a beat, changes its end.

    Attributes:
        holder: unique token of the worker that has the lease.
        until: end of the lease by the holder's clock, milliseconds since the epoch.
        length: milliseconds from each beat to the end.
    """

    holder: str
    until: int
    length: int


class LeaseWatch:
    """Watches the leases of other workers. Safe to share between threads.

    The clocks of two machines differ, so a process does not rely on the end that a lease names. It
    takes over a lease after it has seen no beat for the lease's whole length, by its own clock. A
    process that looks only once, such as a job, cannot wait that long. It takes over a lease that
    ended 15 minutes ago or earlier, because two clocks never differ by more.
    """

    def __init__(self) -> None:
        self._lock = new_lock()
        self._seen: OrderedDict[Hashable, tuple[Lease, int]] = OrderedDict()

    def is_over(self, key: Hashable, held: Lease, now_ms: int, *, looks_once: bool = True) -> bool:
        """Return whether a lease may be taken over; if not, remember when it was first seen.

        Args:
            key: identifies the lease.
            held: the lease as it is stored now.
            now_ms: milliseconds since the epoch, by the clock of this process.
            looks_once: whether a lease that ended 15 minutes ago may be taken over at the first
                look. False: the process will look again, so the clocks need not be compared.
        """
        with self._lock:
            known, since = self._seen.pop(key, (held, now_ms))
            if known != held or since > now_ms:
                since = now_ms
            self._seen[key] = held, since
            if len(self._seen) > _MOST_SEEN:
                self._seen.popitem(last=False)
        if now_ms - since >= held.length:
            return True
        return looks_once and now_ms - held.until >= LONGEST_SKEW
