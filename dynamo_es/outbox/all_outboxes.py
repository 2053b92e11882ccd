"""`OutboxOfAll`: the outboxes of all tenants as one, if each tenant has its own log."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn, Self

from dynamo_es.contracts.checks.arguments import check_consumer
from dynamo_es.exceptions import (
    CredentialsError,
    ServiceError,
    TableNotFoundError,
    TenantRequiredError,
)
from dynamo_es.outbox.driving import go
from dynamo_es.outbox.outbox import DEFAULT_NAME, Outbox
from dynamo_es.outbox.run import OutboxReport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dynamo_es.contracts.consumers.outbox import OutboxEntry
    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.outbox.driving import Outcomes, Rounds
    from dynamo_es.outbox.terms import Terms
    from dynamo_es.values import Position, RecordedRaw, TenantId


class OutboxOfAll(Outbox):
    """Publishes the events of all tenants, from one outbox in each log.

    A log that cannot be read does not stop the others. `position`, `retry`, `skip` and `reset` need
    one log, so they raise `TenantRequiredError`: use the outbox of
    ``backend.in_tenant(tenant_id)``.

    Args:
        one: returns the outbox of a tenant with a name.
        tenants: returns the tenants that have a log.
        deserialize: turns a raw event into a typed one.
        name: name of the outbox in each log.
    """

    def __init__(
        self,
        one: Callable[[TenantId, str], Outbox],
        tenants: Callable[[], list[TenantId]],
        deserialize: Callable[..., Recorded],
        name: str = DEFAULT_NAME,
    ) -> None:
        check_consumer(name)
        self._one = one
        self._tenants = tenants
        self._deserialize = deserialize
        self._name = name
        self._kept: dict[TenantId, Outbox] = {}
        self._turns: deque[TenantId] = deque()

    @property
    def position(self) -> Position:
        """Raises `TenantRequiredError`, because each log has its own position."""
        self._refuse("The position")

    def named(self, name: str) -> Self:
        """Return another outbox for the same events; see `Outbox.named`."""
        return type(self)(self._one, self._tenants, self._deserialize, name)

    def only(self, tenants: list[TenantId]) -> OutboxOfAll:
        """Return the outboxes of some tenants; it shares them with this object."""
        return type(self)(
            lambda tenant, _: self._of(tenant), lambda: tenants, self._deserialize, self._name
        )

    def entries(self) -> list[OutboxEntry]:
        """Return the failed events of all tenants. Positions are those in the tenant's log.

        Cost: 1 request for the registry, and 1 for each tenant.
        """
        return [entry for tenant in self._tenants() for entry in self._of(tenant).entries()]

    def retry(self, position: Position) -> None:  # noqa: ARG002 - refused
        """Raises `TenantRequiredError`, because each log has such a position."""
        self._refuse("An entry")

    def retry_all(self) -> int:
        """Make the next run try all dead entries of all tenants again; return their number."""
        return sum(self._of(tenant_id).retry_all() for tenant_id in self._tenants())

    def skip(self, position: Position) -> None:  # noqa: ARG002 - refused
        """Raises `TenantRequiredError`, because each log has such a position."""
        self._refuse("An entry")

    def reset(self, position: Position) -> None:  # noqa: ARG002 - refused
        """Raises `TenantRequiredError`, because each log has such a position."""
        self._refuse("The position")

    def _refuse(self, what: str) -> NoReturn:
        raise TenantRequiredError(f"{what} of the outbox {self._name}")

    def _of(self, tenant_id: TenantId) -> Outbox:
        """Return a tenant's outbox. It is kept, because it remembers other workers' leases."""
        found = self._kept.get(tenant_id)
        if found is None:
            found = self._kept[tenant_id] = self._one(tenant_id, self._name)
        return found

    def _new_run(self, terms: Terms) -> _RunOfAll:  # type: ignore[override]
        return _RunOfAll(self, terms)

    def _next_tenants(self) -> list[TenantId]:
        """Return all tenants, beginning with the one whose turn it is."""
        known = dict.fromkeys(self._tenants())
        turns = dict.fromkeys([*(one for one in self._turns if one in known), *known])
        self._turns = deque(turns)
        self._turns.rotate(-1)
        return list(turns)


class _RunOfAll:
    """One run in the log of each tenant. Use it once."""

    def __init__(self, outbox: OutboxOfAll, terms: Terms) -> None:
        self._outbox = outbox
        self._terms = terms

    def go(self, publish: Callable[[Sequence[RecordedRaw]], Outcomes]) -> OutboxReport:
        """Publish due and new events; see `Outbox.run_once`."""
        return go(self.rounds(), publish)

    def rounds(self) -> Rounds[OutboxReport]:
        """Yield due and new records, log by log. The first error is raised after all logs."""
        outbox, left = self._outbox, self._terms.limit
        total = OutboxReport(name=outbox.name)
        busy, unsequenced, positions = False, False, 0
        failure: ServiceError | None = None
        for tenant_id in outbox._next_tenants():  # noqa: SLF001 - of this module
            if left < 1:
                break
            one = outbox._of(tenant_id)  # noqa: SLF001 - of this module
            try:
                run = one._new_run(replace(self._terms, limit=left))  # noqa: SLF001 - of its base
                report = yield from run.rounds()
            except (CredentialsError, TableNotFoundError):
                raise
            except ServiceError as error:
                failure = failure or error
                continue
            left -= report.handled + report.failed
            total = total.followed_by(report)
            busy, unsequenced = busy or report.busy, unsequenced or report.unsequenced
            positions += report.position
        if failure is not None:
            raise failure
        idle = not total.active
        return replace(
            total,
            name=outbox.name,
            position=positions,
            busy=busy and idle,
            unsequenced=unsequenced,
        )
