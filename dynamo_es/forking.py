"""Makes the library safe to fork: a child gets connections and locks of its own.

A child begins as a copy of its parent with only one thread. If both processes use one connection,
each may read the replies of the other. If another thread held a lock during the fork, nothing would
release the lock in the child.
"""

from __future__ import annotations

import os
from threading import Lock, RLock
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

if TYPE_CHECKING:
    from typing import Any


class ForkAware(Protocol):
    """An object with state that a forked child must not use."""

    def after_fork(self) -> None:
        """Replace that state. Called in the child, before anything else runs there."""


_aware: WeakSet[ForkAware] = WeakSet()
_locks: WeakSet[Any] = WeakSet()


def tell_of_forks(owner: ForkAware) -> None:
    """Call ``owner.after_fork()`` in each child that this process forks, while ``owner`` exists."""
    _aware.add(owner)


def new_lock() -> Lock:
    """Return a lock that is free in a forked child, even if a thread of the parent holds it."""
    lock = Lock()
    _locks.add(lock)
    return lock


def new_reentrant_lock() -> RLock:
    """Return a reentrant lock that is free in a forked child, as `new_lock` does."""
    lock = RLock()
    _locks.add(lock)
    return lock


def _begin_in_child() -> None:
    for lock in list(_locks):
        # The standard library resets its own locks in the same way (logging, queue, threading).
        lock._at_fork_reinit()  # noqa: SLF001
    failure: Exception | None = None
    for owner in list(_aware):
        try:
            owner.after_fork()
        except Exception as error:  # noqa: BLE001 - the other owners must not keep their state
            failure = failure or error
    if failure is not None:
        raise failure  # Python reports it on stderr


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_begin_in_child)
