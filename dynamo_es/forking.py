"""What a forked child must not share with its parent: connections, and locks that are held.

A child begins as a copy of its parent with one thread. A connection that both use mixes up their
replies, and a lock that another thread held at that moment is never released in the child.
"""

from __future__ import annotations

import os
from threading import Lock, RLock
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

if TYPE_CHECKING:
    from typing import Any


class ForkAware(Protocol):
    """Has something that a forked child must not go on with."""

    def after_fork(self) -> None:
        """Begin anew; called in the child, before anything else runs there."""


_aware: WeakSet[ForkAware] = WeakSet()
_locks: WeakSet[Any] = WeakSet()


def tell_of_forks(owner: ForkAware) -> None:
    """Call ``owner.after_fork()`` in every child that this process forks, as long as it lives."""
    _aware.add(owner)


def new_lock() -> Lock:
    """Return a lock that is free in a forked child, whoever held it."""
    lock = Lock()
    _locks.add(lock)
    return lock


def new_reentrant_lock() -> RLock:
    """Return a reentrant lock that is free in a forked child, whoever held it."""
    lock = RLock()
    _locks.add(lock)
    return lock


def _begin_in_child() -> None:
    for lock in list(_locks):
        # What the standard library does with its own locks (logging, queue, threading).
        lock._at_fork_reinit()  # noqa: SLF001
    for owner in list(_aware):
        owner.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_begin_in_child)
