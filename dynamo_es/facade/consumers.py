"""Makes the projections, the outbox, the listeners and the subscriptions of a backend.

The modules of each are imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynamo_es.contracts.hooks import checked_filter
from dynamo_es.exceptions import InvalidSubscriptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.contracts import AppendHooks, OutboxFilter, Selection
    from dynamo_es.event_store.store import EventStore
    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.facade.event_store import EventStoreAccess
    from dynamo_es.facade.log_access import LogAccess
    from dynamo_es.outbox import Outbox
    from dynamo_es.projections.parts import Handler
    from dynamo_es.projections.projection import Projection
    from dynamo_es.projections.projector import Projector, ReadModel
    from dynamo_es.subscriptions.listeners import Listeners
    from dynamo_es.subscriptions.log_subscriptions import LogSubscriptions
    from dynamo_es.values import TenantId


def choose_for_outbox(
    hooks: AppendHooks, wanted: OutboxFilter | None, limited_to: TenantId | None
) -> None:
    """Choose the events that the outbox publishes; see `Backend.with_outbox`."""
    if limited_to is not None:
        raise InvalidSubscriptionError(
            "with_outbox chooses events for all tenants: call with_outbox on the backend of "
            f"all tenants, not on the one limited to {limited_to!r}."
        )
    hooks.outbox_filter = _everything if wanted is None else checked_filter(wanted)


def outbox_of(access: LogAccess, deserialize: Callable[..., Recorded]) -> Outbox:
    """Return the outbox of a backend."""
    from dynamo_es.outbox import Outbox

    if access.log.per_tenant:
        return _outbox_of_all(access, deserialize)
    return Outbox(access.outbox, access.log, deserialize, clock=access.clock, watch=access.watch)


def _outbox_of_all(access: LogAccess, deserialize: Callable[..., Recorded]) -> Outbox:
    from dynamo_es.outbox.all_outboxes import OutboxOfAll

    def one(tenant_id: TenantId, name: str) -> Outbox:
        return outbox_of(access.limited(tenant_id), deserialize).named(name)

    return OutboxOfAll(one, lambda: list(access.log.tenants()), deserialize)


def projection_of(
    access: LogAccess,
    typed: EventStoreAccess,
    name: str,
    handler: Handler,
    selection: Callable[[], Selection],
    *,
    keep_unknown: bool,
    **options: Any,
) -> Projection:
    """Return a projection; see `Backend.projection`."""
    from dynamo_es.projections.projection import Projection
    from dynamo_es.projections.projector import Projector

    if isinstance(handler, Projector):
        handler = handler.choosing(lambda: selection().event_names)
    return Projection(
        name,
        handler,
        log=access.log,
        checkpoints=access.checkpoints,
        parked=access.parked,
        deserialize=lambda raw: typed.deserialize(raw, keep_unknown=keep_unknown),
        selection=selection,
        clock=access.clock,
        **options,
    )


def projector_of(
    access: LogAccess,
    event_store: Callable[[TenantId], EventStore],
    name: str,
    read_model: ReadModel,
    **options: Any,
) -> Projector:
    """Return a projector; see `Backend.projector`."""
    from dynamo_es.projections.projector import Projector

    return Projector(
        name,
        read_model,
        cursors=access.cursors,
        parked=access.parked,
        event_store=event_store,
        clock=access.clock,
        **options,
    )


def listeners_of(
    hooks: AppendHooks, typed: EventStoreAccess, limited_to: TenantId | None
) -> Listeners:
    """Return the listeners to this process's appends, for all tenants or one."""
    from dynamo_es.subscriptions.listeners import Listeners

    if not isinstance(hooks.listener, Listeners):
        hooks.listener = Listeners(typed.deserialize_all, typed.narrowed)
    if limited_to is None:
        return hooks.listener
    return hooks.listener.scoped_for_tenant(limited_to)


def subscriptions_of(access: LogAccess) -> LogSubscriptions:
    """Return the subscriptions to the log."""
    from dynamo_es.subscriptions.log_subscriptions import LogSubscriptions

    return LogSubscriptions(access.log, monotonic=access.monotonic, sleep=access.sleep)


def _everything(_event: object) -> bool:
    return True
