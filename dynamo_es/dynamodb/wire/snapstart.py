"""Makes SnapStart's snapshots safe: a restored process opens its own connections.

A Lambda function with SnapStart begins as a copy of a process whose memory was saved, perhaps days
earlier. The other ends of its connections no longer exist, and all copies would draw the same
random numbers. Credentials need no care, because botocore renews them when they expire.
"""

from __future__ import annotations

import random
from typing import Final, Protocol
from weakref import WeakSet

from dynamo_es.environment import INITIALIZATION_TYPE

_SNAP_START: Final = "snap-start"


class SnapshotAware(Protocol):
    """An object with connections that a copy of the process could not use."""

    def before_snapshot(self) -> None:
        """Close the connections. Called before the memory of the process is saved."""


_with_connections: WeakSet[SnapshotAware] = WeakSet()


def tell_of_snapshots(owner: SnapshotAware) -> None:
    """Call ``owner.before_snapshot()`` before the process is saved, while ``owner`` exists."""
    _with_connections.add(owner)


def close_connections() -> None:
    """Close the connections of all owners; later requests open new ones."""
    for owner in list(_with_connections):
        owner.before_snapshot()


def _follow_snapshots() -> None:
    if INITIALIZATION_TYPE.read() != _SNAP_START:
        return
    try:
        # Lambda's runtime includes this module.
        import snapshot_restore_py as hooks  # type: ignore[import-not-found]
    except ImportError:
        return
    hooks.register_before_snapshot(close_connections)
    # Waits between attempts are random, so that processes do not collide again.
    hooks.register_after_restore(random.seed)


_follow_snapshots()
