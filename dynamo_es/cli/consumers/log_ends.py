"""`Ends`: the last positions of logs, for commands that show the lag of consumers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynamo_es.contracts import LogStrategy
    from dynamo_es.values import Position, TenantId


class Ends:
    """The last positions of logs, each read once.

    Args:
        log: the log of all tenants; with one log for each tenant, the object that represents all.
    """

    def __init__(self, log: LogStrategy) -> None:
        self._log = log
        self._known: dict[TenantId | None, Position] = {}

    def of(self, tenant_id: TenantId | None) -> Position:
        """Return the last position of the log that holds a tenant's events; 0: it is empty.

        Raises:
            TenantRequiredError: the tenant is None, but each tenant has a log.
        """
        key = tenant_id if self._log.per_tenant else None
        if key not in self._known:
            log = self._log if key is None else self._log.scoped_for_tenant(key)
            self._known[key] = log.last_position or 0
        return self._known[key]

    def total(self) -> Position:
        """Return the number of positions in all logs."""
        if not self._log.per_tenant:
            return self.of(None)
        return sum(self.of(tenant_id) for tenant_id in self._log.tenants())


def positions_left(position: int, end: int) -> int:
    """Return the lag of a consumer in positions: 0 if the log ends before it."""
    return max(end - position, 0)
