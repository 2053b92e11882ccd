"""`LogAccess`: the parts of a backend that its consumers share."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dynamo_es.contracts import EVERYTHING, AppendHooks, Selection
from dynamo_es.contracts.consumers.leases import LeaseWatch
from dynamo_es.facade.scope import TenantLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dynamo_es.contracts import (
        CheckpointStrategy,
        ConsumerFinder,
        CursorStrategy,
        LogStrategy,
    )
    from dynamo_es.contracts.consumers.outbox import OutboxStrategy
    from dynamo_es.contracts.consumers.parked import ParkedStrategy
    from dynamo_es.event_store.event import Event
    from dynamo_es.event_store.registry import EventRegistry
    from dynamo_es.values import TenantId


@dataclass(frozen=True, slots=True)
class LogAccess:
    """The parts that a backend's consumers share.

    Attributes:
        log: reads the events of the log.
        checkpoints: keeps the consumers' positions.
        cursors: keeps the read models' versions in single streams.
        outbox: keeps the outboxes' positions and failed entries.
        finder: finds the cursors and the outboxes.
        parked: keeps the streams that consumers have parked.
        hooks: functions to call with every append.
        clock: returns seconds since the epoch.
        monotonic: returns seconds of a clock that never goes back.
        sleep: waits a number of seconds.
        watch: the outbox leases of other workers that this process has seen.
    """

    log: LogStrategy
    checkpoints: CheckpointStrategy
    cursors: CursorStrategy
    outbox: OutboxStrategy
    finder: ConsumerFinder
    parked: ParkedStrategy
    hooks: AppendHooks = field(default_factory=AppendHooks)
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    watch: LeaseWatch = field(default_factory=LeaseWatch)

    def limited(self, tenant_id: TenantId | None) -> LogAccess:
        """Return the parts limited to one tenant; with None, return these parts."""
        if tenant_id is None:
            return self
        return replace(
            self,
            log=TenantLog(self.log.scoped_for_tenant(tenant_id), tenant_id),
            checkpoints=self.checkpoints.scoped_for_tenant(tenant_id),
            outbox=self.outbox.scoped_for_tenant(tenant_id),
            finder=self.finder.scoped_for_tenant(tenant_id),
            parked=self.parked.scoped_for_tenant(tenant_id),
        )


def selection_of(
    registry: Callable[[], EventRegistry],
    category: str | None,
    events: Iterable[type[Event]] | None,
    tenant_id: TenantId | None,
) -> Selection:
    """Return a selection by category, event classes and tenant.

    A class stands for itself and its subclasses, with their names and aliases.

    Raises:
        InvalidSubscriptionError: ``events`` is not a list of classes, or is empty.
        EventDefinitionError: a class is not an event class, or its events cannot be stored.
    """
    if category is None and events is None and tenant_id is None:
        return EVERYTHING
    names = None
    if events is not None:
        names = registry().names_of_all(events)
    return Selection(category=category, event_names=names, tenant_id=tenant_id)
