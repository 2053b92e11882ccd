"""`MemoryBackend`: the event store in memory, with the methods of `DynamoBackend`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dynamo_es.contracts.checks import check_kind
from dynamo_es.contracts.functions import check_injected
from dynamo_es.exceptions import ConfigurationError
from dynamo_es.facade.backend import Backend
from dynamo_es.facade.event_store import EventStoreAccess
from dynamo_es.facade.log import LogAccess
from dynamo_es.memory.checkpoints import MemoryCheckpoints
from dynamo_es.memory.cursors import MemoryCursors
from dynamo_es.memory.finder import MemoryFinder
from dynamo_es.memory.key_storage import MemoryKeyStorage
from dynamo_es.memory.log import MemoryLog
from dynamo_es.memory.storage import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.event_store.registry import EventRegistry


class MemoryBackend(Backend):
    """An event store in memory, for tests and first steps. The data is lost with the object.

    It behaves as `DynamoBackend` does, but without a network and without tables: it refuses
    ``transact_with``, and stores items of any size. Use `DynamoBackend.local()` to test those. Safe
    to share between threads.

    Args:
        storage: the storage to use; None (the default): a new, empty one.
        registry: the event classes by name; None: all that are defined.
        clock: returns seconds since the epoch.

    Raises:
        ConfigurationError: ``storage`` is not a `MemoryStorage`.
        InputError: ``clock`` is not callable, or asynchronous.
    """

    def __init__(
        self,
        storage: MemoryStorage | None = None,
        *,
        registry: EventRegistry | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        storage = MemoryStorage() if storage is None else storage
        check_kind("storage", storage, MemoryStorage, ConfigurationError)
        check_injected(clock=clock)
        data = storage.data
        log = LogAccess(
            MemoryLog(data),
            MemoryCheckpoints(data, clock),
            MemoryCursors(data),
            data.outbox,
            MemoryFinder(data),
            storage.hooks,
            clock,
        )
        typed = EventStoreAccess(MemoryKeyStorage, registry, clock)
        super().__init__(storage, typed, lambda: log, storage.tenant_id)

    def create_tables(self) -> None:
        """Do nothing: memory has no tables. It lets code for `DynamoBackend` run unchanged."""
