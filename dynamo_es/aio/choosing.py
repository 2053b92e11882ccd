"""Chooses the bridge of a backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.aio.bridge import ThreadBridge

if TYPE_CHECKING:
    from dynamo_es.aio.bridge import Bridge


def new_bridge(most: int) -> Bridge:
    """Return a bridge of greenlets if the extra is installed, else one of threads."""
    try:
        from dynamo_es.aio.greenlets import GreenletBridge
    except ImportError:
        return ThreadBridge(most)
    return GreenletBridge(most)
