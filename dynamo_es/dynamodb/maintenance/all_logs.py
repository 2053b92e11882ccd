"""Finds the logs that an operator's commands work on: all logs in a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.dynamodb.log.registry import list_logs
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from dynamo_es.dynamodb.log.logs import Logs
    from dynamo_es.dynamodb.log.sequencer import Tables
    from dynamo_es.dynamodb.wire.gateway import Gateway


def all_logs(gateway: Gateway, logs: Logs) -> list[Tables]:
    """Return every log in a table. With one log for each tenant, these are those in the registry.

    Raises:
        LogScopeError: the table was written with another ``log_scope``.
        ServiceError: AWS refused or did not answer.
    """
    if not logs.per_tenant:
        return [logs.shared]
    tenants = gateway.run("logs", DEFAULT_TENANT, None, list_logs(logs.table))
    return [logs.of_tenant(tenant_id) for tenant_id in tenants]


def everywhere(gateway: Gateway, logs: Logs) -> list[Tables]:
    """Return every log, and the log in which commits with invalid stream keys are set aside."""
    return list(dict.fromkeys([*all_logs(gateway, logs), logs.shared]))
