"""`MemoryBackend`: the event store in memory, with the methods of `DynamoBackend`."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from dynamo_es.contracts.checks.arguments import check_kind
from dynamo_es.contracts.checks.functions import check_injected
from dynamo_es.contracts.log_scope import is_per_tenant
from dynamo_es.exceptions import ConfigurationError, LogScopeError
from dynamo_es.facade.all_logs import AllCheckpoints, AllLogs
from dynamo_es.facade.all_parked import AllParked
from dynamo_es.facade.backend import Backend
from dynamo_es.facade.event_store import EventStoreAccess
from dynamo_es.facade.log_access import LogAccess
from dynamo_es.memory.checkpoints import MemoryCheckpoints
from dynamo_es.memory.cursors import MemoryCursors
from dynamo_es.memory.data import Data
from dynamo_es.memory.finder import MemoryFinder
from dynamo_es.memory.key_storage import MemoryKeyStorage
from dynamo_es.memory.log import MemoryLog
from dynamo_es.memory.parked import MemoryParked
from dynamo_es.memory.storage import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.contracts import CheckpointStrategy, LogStrategy
    from dynamo_es.contracts.consumers.parked import ParkedStrategy
    from dynamo_es.contracts.log_scope import LogScope
    from dynamo_es.event_store.registry import EventRegistry
    from dynamo_es.values import TenantId


class MemoryBackend(Backend):
    """An event store in memory, for tests and first steps. The data is lost with the object.

    It behaves like `DynamoBackend`, size limits included, but has no network and no tables. So it
    refuses ``transact_with``; use `DynamoBackend.local()` to test that. Safe to share between
    threads.

    Args:
        storage: the storage to use; None (the default): a new, empty one.
        registry: the event classes by name; None: all classes that are defined.
        clock: returns seconds since the epoch. The log uses it too, unless you pass ``storage``.
        log_scope: ``"table"``: one log holds the events of all tenants; ``"tenant"``: each tenant
            has its own.

    Raises:
        ConfigurationError: ``storage`` is not a `MemoryStorage`, or has another ``log_scope``.
        InputError: ``clock`` is not callable, or asynchronous.
    """

    # The asynchronous backend replaces it.
    _typed_type: ClassVar[type[EventStoreAccess]] = EventStoreAccess

    def __init__(
        self,
        storage: MemoryStorage | None = None,
        *,
        registry: EventRegistry | None = None,
        clock: Callable[[], float] = time.time,
        log_scope: LogScope = "table",
    ) -> None:
        per_tenant = is_per_tenant(log_scope)
        check_injected(clock=clock)
        storage = (
            MemoryStorage(shared=Data(per_tenant=per_tenant, clock=clock))
            if storage is None
            else storage
        )
        check_kind("storage", storage, MemoryStorage, ConfigurationError)
        data = storage.data
        if data.per_tenant is not per_tenant:
            raise LogScopeError(None, "tenant" if data.per_tenant else "table", log_scope)
        log: LogStrategy = MemoryLog(data)
        checkpoints: CheckpointStrategy = MemoryCheckpoints(data, clock)
        parked: ParkedStrategy = MemoryParked(data.parked)
        if per_tenant:
            tenants = partial(_tenants, data)
            log = AllLogs(partial(MemoryLog, data), tenants, log)
            checkpoints = AllCheckpoints(checkpoints, tenants)
            parked = AllParked(parked, tenants)
        access = LogAccess(
            log,
            checkpoints,
            MemoryCursors(data),
            data.outbox,
            MemoryFinder(data),
            parked,
            storage.hooks,
            clock,
        )
        typed = self._typed_type(MemoryKeyStorage, registry, clock)
        super().__init__(storage, typed, lambda: access, storage.tenant_id)

    def create_tables(self) -> None:
        """Do nothing, because memory has no tables. Code for `DynamoBackend` runs unchanged."""


def _tenants(data: Data) -> list[TenantId]:
    with data.lock:
        return [tenant_id for tenant_id, log in data.logs.items() if log and tenant_id is not None]
