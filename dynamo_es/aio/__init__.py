"""The event store for asyncio: ``async with AsyncDynamoBackend.from_env() as backend:``.

The classes have the methods, arguments and errors of the synchronous ones. Await the methods that
send requests, and iterate with ``async for`` over those that yield. Functions that you pass may be
coroutine functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynamo_es.aio.backend import AsyncBackend
    from dynamo_es.aio.backends import AsyncDynamoBackend, AsyncMemoryBackend
    from dynamo_es.aio.boundary import AsyncBoundary
    from dynamo_es.aio.boundary_index import AsyncBoundaryIndex
    from dynamo_es.aio.event_store import AsyncEventStore
    from dynamo_es.aio.functions import AsyncListener
    from dynamo_es.aio.listeners import AsyncListeners
    from dynamo_es.aio.outbox import AsyncOutbox
    from dynamo_es.aio.outcomes import unknown_outcome
    from dynamo_es.aio.projection import AsyncProjection
    from dynamo_es.aio.projector import AsyncProjector
    from dynamo_es.aio.repository import AsyncRepository
    from dynamo_es.aio.sequencer import AsyncSequencer
    from dynamo_es.aio.subscriber import AsyncSubscriber
else:
    from dynamo_es.lazy import lazy_names

    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "AsyncBackend": ".backend",
            "AsyncBoundary": ".boundary",
            "AsyncBoundaryIndex": ".boundary_index",
            "AsyncDynamoBackend": ".backends",
            "AsyncEventStore": ".event_store",
            "AsyncListener": ".functions",
            "AsyncListeners": ".listeners",
            "AsyncMemoryBackend": ".backends",
            "AsyncOutbox": ".outbox",
            "AsyncProjection": ".projection",
            "AsyncProjector": ".projector",
            "AsyncRepository": ".repository",
            "AsyncSequencer": ".sequencer",
            "AsyncSubscriber": ".subscriber",
            "unknown_outcome": ".outcomes",
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
