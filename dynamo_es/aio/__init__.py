"""The event store for asyncio: ``async with AsyncDynamoBackend.from_env() as backend:``.

The classes have the methods, arguments and errors of the synchronous ones. Await the methods that
send requests, and iterate with ``async for`` over those that yield. Functions that you pass may be
coroutine functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynamo_es.aio.backends import AsyncDynamoBackend, AsyncMemoryBackend
    from dynamo_es.aio.bridges.unknown_outcome import unknown_outcome
    from dynamo_es.aio.bridges.your_functions import AsyncListener
    from dynamo_es.aio.interface.backend import AsyncBackend
    from dynamo_es.aio.interface.boundary import AsyncBoundary
    from dynamo_es.aio.interface.boundary_index import AsyncBoundaryIndex
    from dynamo_es.aio.interface.event_store import AsyncEventStore
    from dynamo_es.aio.interface.listeners import AsyncListeners
    from dynamo_es.aio.interface.outbox import AsyncOutbox
    from dynamo_es.aio.interface.projection import AsyncProjection
    from dynamo_es.aio.interface.projector import AsyncProjector
    from dynamo_es.aio.interface.repository import AsyncRepository
    from dynamo_es.aio.interface.subscriber import AsyncSubscriber
    from dynamo_es.aio.sequencer import AsyncSequencer
else:
    from dynamo_es.lazy import lazy_names

    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "AsyncBackend": ".interface.backend",
            "AsyncBoundary": ".interface.boundary",
            "AsyncBoundaryIndex": ".interface.boundary_index",
            "AsyncDynamoBackend": ".backends",
            "AsyncEventStore": ".interface.event_store",
            "AsyncListener": ".bridges.your_functions",
            "AsyncListeners": ".interface.listeners",
            "AsyncMemoryBackend": ".backends",
            "AsyncOutbox": ".interface.outbox",
            "AsyncProjection": ".interface.projection",
            "AsyncProjector": ".interface.projector",
            "AsyncRepository": ".interface.repository",
            "AsyncSequencer": ".sequencer",
            "AsyncSubscriber": ".interface.subscriber",
            "unknown_outcome": ".bridges.unknown_outcome",
        },
    )

__all__ = [
    "AsyncBackend",
    "AsyncBoundary",
    "AsyncBoundaryIndex",
    "AsyncDynamoBackend",
    "AsyncEventStore",
    "AsyncListener",
    "AsyncListeners",
    "AsyncMemoryBackend",
    "AsyncOutbox",
    "AsyncProjection",
    "AsyncProjector",
    "AsyncRepository",
    "AsyncSequencer",
    "AsyncSubscriber",
    "unknown_outcome",
]
