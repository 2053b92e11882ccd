"""The synchronous backends that the asynchronous ones call. They wait by a bridge.

The bridge is one of greenlets or one of threads.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dynamo_es.aio.bridges.thread_bridge import ThreadBridge
from dynamo_es.aio.transport.client_choice import ClientChoice
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.memory.backend import MemoryBackend

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.aio.bridges.bridge import Bridge
    from dynamo_es.dynamodb.wire.client import LazyClient


def new_bridge(most: int) -> Bridge:
    """Return a bridge of greenlets if the extra is installed, else one of threads."""
    try:
        from dynamo_es.aio.bridges.greenlet_bridge import GreenletBridge
    except ImportError:
        return ThreadBridge(most)
    return GreenletBridge(most)


def dynamo_backend(bridge: Bridge) -> type[DynamoBackend]:
    """Return the class of backends on DynamoDB for calls of a bridge."""

    class Waiting(DynamoBackend):
        """A backend on DynamoDB that waits by the bridge."""

        def __init__(self, *arguments: Any, **named: Any) -> None:
            named.setdefault("sleep", bridge.sleep)
            super().__init__(*arguments, **named)

    if isinstance(bridge, ThreadBridge):
        return Waiting
    from dynamo_es.aio.on_loop.event_stores import typed_over
    from dynamo_es.aio.on_loop.gateway import AsyncGateway
    from dynamo_es.aio.on_loop.storage import AsyncDynamoStorage

    class Bridged(Waiting):
        """A backend that does large work in threads, and whose requests do not block the loop."""

        _gateway_type = AsyncGateway
        _storage_type = AsyncDynamoStorage
        _typed_type = typed_over(bridge)

        def _new_sender(self, client: LazyClient) -> Callable[[], Any]:
            return ClientChoice(self.config, client, bridge)

    return Bridged


def memory_backend(bridge: Bridge) -> type[MemoryBackend]:
    """Return the class of backends in memory for calls of a bridge."""

    class Waiting(MemoryBackend):
        """A backend in memory that waits by the bridge."""

        @property
        def _access(self) -> Any:
            return replace(super()._access, sleep=bridge.sleep)

    if isinstance(bridge, ThreadBridge):
        return Waiting
    from dynamo_es.aio.on_loop.event_stores import typed_over

    class Bridged(Waiting):
        """A backend in memory that does large work in threads."""

        _typed_type = typed_over(bridge)

    return Bridged
