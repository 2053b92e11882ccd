"""`TenantLog`: one tenant's part of the log, for a backend that is limited to the tenant."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dynamo_es.contracts import EVERYTHING, LogReader, LogStrategy
from dynamo_es.contracts.checks.arguments import check_scope

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from dynamo_es.contracts import Selection, StreamInLog
    from dynamo_es.contracts.log import Start
    from dynamo_es.values import Position, TenantId


@dataclass(frozen=True, slots=True)
class TenantLog(LogStrategy):
    """Reads one tenant's events. Positions are those of the whole log.

    Attributes:
        log: the log with the tenant's events, and perhaps with those of other tenants.
        tenant_id: the tenant whose events it reads.
    """

    log: LogStrategy
    tenant_id: TenantId

    @property
    def last_position(self) -> Position | None:
        """The last position that an event has; see `LogStrategy.last_position`."""
        return self.log.last_position

    def position_at(self, moment: datetime) -> Position:
        """Return the last position that was assigned before a moment; see the contract."""
        return self.log.position_at(moment)

    def reader(self, after: Start, selection: Selection = EVERYTHING) -> LogReader:
        """Return a reader of the tenant's events; see `LogStrategy.reader`.

        Raises:
            InvalidSubscriptionError: the selection has another tenant.
        """
        if selection.tenant_id is not None:
            check_scope(selection.tenant_id, self.tenant_id)
        return self.log.reader(after, replace(selection, tenant_id=self.tenant_id))

    def scoped_for_tenant(self, tenant_id: TenantId) -> TenantLog:
        """Return this log, which is that of the tenant.

        Raises:
            InvalidSubscriptionError: the tenant is another one.
        """
        check_scope(tenant_id, self.tenant_id)
        return self

    def unsequenced(self) -> bool:
        """Check for events of any tenant without a position; see `LogStrategy.unsequenced`."""
        return self.log.unsequenced()

    def tenants(self) -> Iterator[TenantId]:
        """Yield the only tenant that this log reads. Cost: no request."""
        return iter((self.tenant_id,))

    def categories(self, tenant_id: TenantId) -> Iterator[str | None]:
        """Yield the tenant's categories in the log; see `LogStrategy.categories`.

        Raises:
            InvalidSubscriptionError: another tenant is given.
        """
        check_scope(tenant_id, self.tenant_id)
        return self.log.categories(tenant_id)

    def streams(self, category: str | None, tenant_id: TenantId) -> Iterator[StreamInLog]:
        """Yield the tenant's streams of a category; see `LogStrategy.streams`.

        Raises:
            InvalidSubscriptionError: another tenant is given.
        """
        check_scope(tenant_id, self.tenant_id)
        return self.log.streams(category, tenant_id)
