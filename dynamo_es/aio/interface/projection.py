"""`AsyncProjection`: scripts/async-interface writes it, from `Projection`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.aio.interface.by_hand.projection import RunsByStream

if TYPE_CHECKING:
    from asyncio import Event
    from collections.abc import Callable, Collection, Coroutine
    from contextlib import AbstractAsyncContextManager
    from typing import Any, Self

    from dynamo_es.aio.interface.projector import AsyncProjector
    from dynamo_es.contracts.consumers.versions import LiveVersion
    from dynamo_es.projections.parking import RetryReport
    from dynamo_es.projections.parts import Handler, ProjectionReport
    from dynamo_es.projections.projection import Projection
    from dynamo_es.values import Position, StreamId, TenantId


class AsyncProjection(RunsByStream):
    """Calls a handler with every event of the log, and keeps a checkpoint; see `Projection`.

    A thread runs a handler that is a plain function.
    """

    _sync: Projection

    async def catch_up(
        self,
        stop: Event | None = None,
        on_progress: Callable[[ProjectionReport], object] | None = None,
    ) -> ProjectionReport:
        """Handle the events up to the live version's position, and return there.

        Without a live version, and without a checkpoint of the projection without versions, it goes
        to the end of the log. Every event is replayed: see `Recorded.replayed`.

        Args:
            stop: set it to return after the current event.
            on_progress: called with a report after each batch.

        Raises:
            InvalidSubscriptionError: the projection has no version.
            Exception: the errors of `run_once`.
        """
        return await self._bridge.run(
            self._sync.catch_up, self._stop(stop), self._plain(on_progress)
        )

    @property
    def handler(self) -> Handler | AsyncProjector:
        """The handler; for a `Projector`, limited to the projection's events."""
        return self._sync.handler

    def in_background(
        self,
        on_progress: Callable[[ProjectionReport], object] | None = None,
    ) -> AbstractAsyncContextManager[Self]:
        """Run in a task: ``async with projection.in_background():``.

        Args:
            on_progress: see `run_forever`; called in that task.

        Raises:
            Exception: at the end of the context, the error that ended the task.
        """
        return self._background(
            lambda stop: self.run_forever(stop=stop, on_progress=on_progress),
            f"Projection {self.name!r}",
        )

    @property
    def name(self) -> str:
        """The name that its checkpoint is kept under."""
        return self._sync.name

    @property
    def over_all_logs(self) -> bool:
        """Whether it reads the logs of all tenants, with a checkpoint in each."""
        return self._sync.over_all_logs

    async def pause(
        self,
    ) -> None:
        """Stop the workers of this projection before their next batch, until you `resume` it.

        They keep running, and wait. With ``writes=True``, a busy worker notices within a third of
        its lease. `Projection.run_once` raises `ProjectionPausedError`. With a log of each
        tenant, a projection of all is paused in the logs in which it has run.

        Raises:
            UnknownConsumerError: the projection has not run.
            ServiceError: AWS refused or did not answer.
        """
        await self._bridge.run(self._sync.pause)

    @property
    def position(self) -> Coroutine[Any, Any, Position | None]:
        """The position of its checkpoint; None before its first run.

        Raises:
            TenantRequiredError: each tenant has a log, so it has one in each; see `positions`.
        """
        return self._bridge.run(lambda: self._sync.position)

    @property
    def positions(self) -> Coroutine[Any, Any, dict[TenantId, Position]]:
        """With a log of each tenant, the positions of its checkpoints in those where it has run."""
        return self._bridge.run(lambda: self._sync.positions)

    async def promote(
        self,
        *,
        force: bool = False,
    ) -> LiveVersion:
        """Make this version the live one, in one conditional write.

        Readers that resolve `Backend.projections` find it from now on. The version before stops
        before its next batch of events; until then both may handle the same events, so end its
        process first if side effects must not be repeated. `Projection.run_forever` of this
        version goes on from its checkpoint.

        Args:
            force: whether to promote it although it is not as far as the live one.

        Raises:
            VersionLagsError: it is not as far as the live one: call `Projection.catch_up`.
            InvalidSubscriptionError: the projection has no version.
            ServiceError: AWS refused or did not answer.
        """
        return await self._bridge.run(self._sync.promote, force=force)

    async def reset(
        self,
        position: Position | None = None,
    ) -> None:
        """Set the checkpoint back, so that the next run gives the handler the later events again.

        A process that runs the projection goes on from there too, after its current batch or, if
        it is idle, after a third of the lease. The read model and the cursors of a `Projector` do
        not change: a projector passes over the events that it has applied.

        Args:
            position: the next run handles the events after it; None: those after ``after``. With a
                log of each tenant, a projection of all is set back to the beginning of each.

        Raises:
            UnknownConsumerError: the projection has not run, so it has no checkpoint.
            InvalidPositionError: negative, or after the end of the log.
            TenantRequiredError: a position above 0, and each tenant has a log.
            ServiceError: AWS refused or did not answer.
        """
        await self._bridge.run(self._sync.reset, position)

    async def resume(
        self,
    ) -> None:
        """Let the workers of this projection go on. Errors are those of `pause`."""
        await self._bridge.run(self._sync.resume)

    async def retry_parked(
        self,
        stream_id: StreamId | None = None,
        tenant_id: TenantId | None = None,
        stop: Event | None = None,
    ) -> RetryReport:
        """Give the handler the events of parked streams again, in order, and unpark the streams.

        A stream whose event fails again stays parked from that event on. You can call it while the
        projection runs.

        Args:
            stream_id: the stream to retry; None: all.
            tenant_id: tenant of the stream, with a log of each tenant; None: all tenants.
            stop: set it to return after the current event.

        Raises:
            ServiceError: AWS refused or did not answer; run again.

        Cost: it reads the pages of the log from the first event that failed to the last one that
        was passed over.
        """
        return await self._bridge.run(
            self._sync.retry_parked, stream_id, tenant_id, self._stop(stop)
        )

    async def run_forever(
        self,
        stop: Event | None = None,
        on_progress: Callable[[ProjectionReport], object] | None = None,
    ) -> ProjectionReport:
        """Handle the events that the log has, and new ones as they come, until stopped.

        At the end of the log it asks for new events after 50 ms, later once a second. It logs
        temporary errors (throttling, lost connections) as warnings, and tries again. While another
        process has the lease, it waits. When it returns, it gives the lease back.

        Args:
            stop: set it in another task or a signal handler to return after the current event;
                None: run until an error.
            on_progress: called with a report after each batch, and each time the run reaches the
                end of the log.

        Returns:
            What the run did, once ``stop`` is set.

        Raises:
            Exception: the errors of `run_once`, except for temporary ones.
        """
        return await self._bridge.run(
            self._sync.run_forever, self._stop(stop), self._plain(on_progress)
        )

    async def run_once(
        self,
        stop: Event | None = None,
        on_progress: Callable[[ProjectionReport], object] | None = None,
        *,
        tenants: Collection[TenantId] | None = None,
    ) -> ProjectionReport:
        """Handle the events that the log has now, and return.

        Args:
            stop: set it to return after the current event.
            on_progress: called with a report after each batch.
            tenants: with a log of each tenant, run in the logs of these; None: in all logs.

        Returns:
            What the run did. Over the logs of all tenants, positions are sums.

        Raises:
            ServiceError: AWS refused or did not answer; run again.
            ProjectionBusyError: another worker has the lease, and there are events to handle; run
                again.
            CursorBusyError: another process applies events of a projector's stream; run again.
            InvalidPositionError: the checkpoint is after the end of the log: the log is a
                different or restored one.
            InvalidSubscriptionError: the handler returned an awaitable, or ``stop`` is not an
                ``asyncio.Event``.
            UnreadableEventError: an event does not fit its class; also `UnknownEventError`.
            Exception: the error that the handler raised. The checkpoint is before that event.
        """
        return await self._bridge.run(
            self._sync.run_once, self._stop(stop), self._plain(on_progress), tenants=tenants
        )

    @property
    def version(self) -> int | None:
        """The version; None: the projection has no versions."""
        return self._sync.version
