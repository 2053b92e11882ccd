"""Makes the log of a backend on DynamoDB, or the log of each tenant, and the state of consumers."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from dynamo_es.dynamodb.consumers.checkpoints import DynamoCheckpoints
from dynamo_es.dynamodb.consumers.cursors import DynamoCursors
from dynamo_es.dynamodb.consumers.finder import DynamoFinder
from dynamo_es.dynamodb.consumers.outbox import DynamoOutbox
from dynamo_es.dynamodb.consumers.parked import DynamoParked
from dynamo_es.dynamodb.log.log import DynamoLog
from dynamo_es.dynamodb.log.logs import Logs
from dynamo_es.dynamodb.log.registry import list_logs
from dynamo_es.dynamodb.streams.keys import parse_stream_key
from dynamo_es.exceptions import EventStoreError
from dynamo_es.facade.all_logs import AllCheckpoints, AllLogs
from dynamo_es.facade.all_parked import AllParked
from dynamo_es.facade.log_access import LogAccess
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.contracts import AppendHooks, CheckpointStrategy, LogStrategy
    from dynamo_es.contracts.consumers.parked import ParkedStrategy
    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.wire.gateway import Gateway
    from dynamo_es.values import TenantId

_log = logging.getLogger("dynamo_es")


def log_access(
    config: DynamoConfig,
    gateway: Gateway,
    hooks: AppendHooks,
    clock: Callable[[], float],
    monotonic: Callable[[], float],
    sleep: Callable[[float], None],
) -> LogAccess:
    """Return the parts that the consumers of all tenants share."""
    parts = _Parts(config, gateway, hooks, clock)
    return LogAccess(
        parts.log,
        parts.checkpoints,
        DynamoCursors(config.log_table, gateway, config.tables),
        DynamoOutbox(config, gateway),
        DynamoFinder(config.log_table, gateway),
        parts.parked,
        hooks,
        clock,
        monotonic,
        sleep,
    )


class _Parts:
    def __init__(
        self,
        config: DynamoConfig,
        gateway: Gateway,
        hooks: AppendHooks,
        clock: Callable[[], float],
    ) -> None:
        self._logs = Logs.of(config)
        self._gateway = gateway
        self._hooks = hooks
        self._new = partial(
            DynamoLog,
            gateway=gateway,
            hooks=hooks,
            clock=clock,
            most_bytes=config.max_uncompressed_bytes,
            replica=config.replication == "replica",
        )
        self.log: LogStrategy = self._new(self._logs.shared)
        self.checkpoints: CheckpointStrategy = DynamoCheckpoints(
            config.log_table,
            gateway,
            clock,
            per_tenant=self._logs.per_tenant,
            own_tables=config.tables,
        )
        self.parked: ParkedStrategy = DynamoParked(
            config.log_table, gateway, per_tenant=self._logs.per_tenant
        )
        if self._logs.per_tenant:
            self.log = AllLogs(self._log_of, self._tenants, self.log, self._unsequenced)
            self.checkpoints = AllCheckpoints(self.checkpoints, self._tenants)
            self.parked = AllParked(self.parked, self._tenants)

    def _log_of(self, tenant_id: TenantId) -> DynamoLog:
        return self._new(self._logs.of_tenant(tenant_id))

    def _tenants(self) -> list[TenantId]:
        return self._gateway.run("logs", DEFAULT_TENANT, None, list_logs(self._logs.table))

    def _unsequenced(self) -> bool:
        """Check the log that this process wrote last; without one, check only if no log exists."""
        own = self._hooks.last_commit
        if own is not None:
            return self._log_of(parse_stream_key(own.stream_key)[0]).unsequenced()
        try:
            return not self._tenants() and self._new(self._logs.shared).unsequenced()
        except EventStoreError:
            _log.debug("Could not look for events without a position", exc_info=True)
            return False
