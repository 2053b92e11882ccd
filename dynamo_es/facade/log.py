"""The log as the backends of all tenants share it: subscriptions, projections, outbox."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dynamo_es.contracts import EVERYTHING, AppendHooks, Selection
from dynamo_es.contracts.leases import LeaseWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dynamo_es.contracts import CheckpointStrategy, CursorStrategy, LogStrategy
    from dynamo_es.contracts.outbox import OutboxStrategy
    from dynamo_es.event_store.event import Event
    from dynamo_es.event_store.registry import EventRegistry
    from dynamo_es.values import TenantId


@dataclass(frozen=True, slots=True)
class LogAccess:
    """What the consumers of a backend's log are made of.

    Attributes:
        log: the log.
        checkpoints: how far its consumers are.
        cursors: how far read models are in single streams.
        outbox: how far the outbox is.
        hooks: what is done along with every append.
        clock: seconds since the epoch.
        monotonic: seconds of a clock that only goes forward.
        sleep: waits so many seconds.
        watch: what this process has seen of others' leases of outboxes.
    """

    log: LogStrategy
    checkpoints: CheckpointStrategy
    cursors: CursorStrategy
    outbox: OutboxStrategy
    hooks: AppendHooks = field(default_factory=AppendHooks)
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    watch: LeaseWatch = field(default_factory=LeaseWatch)


def selection_of(
    registry: Callable[[], EventRegistry],
    category: str | None,
    events: Iterable[type[Event]] | None,
    tenant_id: TenantId | None,
) -> Selection:
    """Return what a consumer selects by category, classes of events, and tenant.

    A class is selected by its present name and its aliases, with its subclasses.

    Raises:
        InvalidSubscriptionError: no list of classes, or an empty one.
        EventDefinitionError: one of them is not an event class that can be stored.
    """
    if category is None and events is None and tenant_id is None:
        return EVERYTHING
    names = None
    if events is not None:
        names = registry().names_of_all(events)
    return Selection(category=category, event_names=names, tenant_id=tenant_id)
