"""Makes forks and snapshots safe: a copy of a process gets connections and locks of its own.

A child begins as a copy of its parent with one thread. If both use one connection, they get each
other's replies. If another thread held a lock during the fork, nothing releases it in the child.

A Lambda function with SnapStart begins as a copy of a process whose memory was saved, perhaps days
before. The other ends of its connections do not exist anymore, and all copies would draw the same
random numbers.
"""

from __future__ import annotations

import os
import random
from threading import Lock, RLock
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

from dynamo_es.environment import INITIALIZATION_TYPE

if TYPE_CHECKING:
    from typing import Any

_SNAP_START = "snap-start"


class ForkAware(Protocol):
    """An object with state that a forked child must not use."""

    def after_fork(self) -> None:
        """Replace that state; called in the child, before anything else runs there."""


class SnapshotAware(Protocol):
    """An object with connections that a copy of the process could not use."""

    def before_snapshot(self) -> None:
        """Close them; called before the memory of the process is saved."""


_aware: WeakSet[ForkAware] = WeakSet()
_with_connections: WeakSet[SnapshotAware] = WeakSet()
_locks: WeakSet[Any] = WeakSet()


def tell_of_forks(owner: ForkAware) -> None:
    """Call ``owner.after_fork()`` in each child that this process forks, while ``owner`` exists."""
    _aware.add(owner)


def tell_of_snapshots(owner: SnapshotAware) -> None:
    """Call ``owner.before_snapshot()`` before the process is saved, while ``owner`` exists."""
    _with_connections.add(owner)


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


def _before_snapshot() -> None:
    for owner in list(_with_connections):
        owner.before_snapshot()


def _after_restore() -> None:
    random.seed()  # waits between attempts are drawn from it, so that processes do not meet


def _follow_snapshots() -> None:
    if INITIALIZATION_TYPE.read() != _SNAP_START:
        return
    try:
        # Lambda's runtime brings it.
        from snapshot_restore_py import register_after_restore, register_before_snapshot
    except ImportError:
        return
    register_before_snapshot(_before_snapshot)
    register_after_restore(_after_restore)


_follow_snapshots()
