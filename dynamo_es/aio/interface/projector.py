"""`AsyncProjector`: scripts/async-interface writes it, from `Projector`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.aio.base import Over

if TYPE_CHECKING:
    from typing import Any

    from dynamo_es.event_store.wrapped import WrappedEvent
    from dynamo_es.projections.parking import RetryReport
    from dynamo_es.projections.projector import Projector
    from dynamo_es.values import Position, StreamId, TenantId


class AsyncProjector(Over):
    """Applies the events of streams to a read model; see `Projector`.

    A thread runs a read model that is a plain function.
    """

    _sync: Projector

    async def project(
        self,
        wrapped_event: WrappedEvent[Any],
        stream_id: StreamId,
        tenant_id: TenantId | None = None,
        position: Position | None = None,
        *,
        generation: int = 0,
    ) -> int:
        """Apply an event, after any earlier events of its stream that are missing.

        You can register it as a listener:
        ``backend.listeners.register(projector.project, to="account")``. If you register it for
        event classes, it applies only missing events of these classes.

        Args:
            wrapped_event: the event, with its version.
            stream_id: id of its stream.
            tenant_id: tenant of its stream; None: that of the backend that made the projector.
            position: ignored; it is there because listeners get it.
            generation: generation of the stream, from the log or a listener. A higher one begins
                again at version 1. 0: that of the event or, if it has none, of the cursor.

        Returns:
            The number of events that were applied; 0 if this event was applied before, or belongs
            to an earlier generation.

        Raises:
            InvalidSubscriptionError: the event has no version, or belongs to a tenant that the
                backend cannot read.
            CursorBusyError: another process applies events of that stream now, or has taken it
                over: try again.
            Exception: the read model raised it; earlier events stay applied.
        """
        return await self._bridge.run(
            self._sync.project, wrapped_event, stream_id, tenant_id, position, generation=generation
        )

    async def retry_parked(
        self,
        stream_id: StreamId | None = None,
        tenant_id: TenantId | None = None,
    ) -> RetryReport:
        """Apply the events of parked streams again, in order, and unpark the streams.

        If an event fails again, its stream stays parked from that event on.

        Args:
            stream_id: the stream to retry; None: all parked streams.
            tenant_id: tenant of the streams to retry; None: all tenants.

        Raises:
            ServiceError: AWS refused or did not answer; try again.
        """
        return await self._bridge.run(self._sync.retry_parked, stream_id, tenant_id)
