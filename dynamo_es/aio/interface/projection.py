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
    from dynamo_es.contracts.consumers.live_versions import LiveVersion
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
        """Handle the events up to the position of the live version, and return.

        If no version is live, it goes up to the checkpoint of the projection without versions; if
        there is none either, to the end of the log. Every event is replayed: see
        `Recorded.replayed`.

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
        """Run in a task during a block: ``async with projection.in_background():``.

        Args:
            on_progress: see `run_forever`; called in that task.

        Raises:
            Exception: the task ended with an error; it is raised at the end of the block.
        """
        return self._background(
            lambda stop: self.run_forever(stop=stop, on_progress=on_progress),
            f"Projection {self.name!r}",
        )

    @property
    def name(self) -> str:
        """The name of the projection and of its checkpoint."""
        return self._sync.name

    @property
    def over_all_logs(self) -> bool:
        """Whether it reads a log for each tenant, with a checkpoint in each log."""
        return self._sync.over_all_logs

    async def pause(
        self,
    ) -> None:
        """Stop the workers of this projection before their next batch, until you call `resume`.

        Workers keep running, but wait. With ``writes=True``, a busy worker notices the pause within
        a third of its lease. `Projection.run_once` raises `ProjectionPausedError`. A projection
        that reads a log for each tenant is paused in the logs in which it has run.

        Raises:
            UnknownConsumerError: the projection has not run yet.
            ServiceError: AWS refused or did not answer.
        """
        await self._bridge.run(self._sync.pause)

    @property
    def position(self) -> Coroutine[Any, Any, Position | None]:
        """The position of the projection's checkpoint; None before its first run.

        Raises:
            TenantRequiredError: the projection has a position in each tenant's log; see
                `positions`.
        """
        return self._bridge.run(lambda: self._sync.position)

    @property
    def positions(self) -> Coroutine[Any, Any, dict[TenantId, Position]]:
        """The position in each tenant's log where the projection has run, if it reads all logs."""
        return self._bridge.run(lambda: self._sync.positions)

    async def promote(
        self,
        *,
        force: bool = False,
    ) -> LiveVersion:
        """Make this version the live one, in one conditional write.

        Readers that ask `Backend.projections` find this version from now on. The previous version
        stops before its next batch of events. Until then, both may handle the same events, so end
        its process first if side effects must not be repeated. `Projection.run_forever` of this
        version goes on from its checkpoint.

        Args:
            force: whether to promote this version even if it lags the live one.

        Raises:
            VersionLagsError: this version lags the live one: call `Projection.catch_up` first.
            InvalidSubscriptionError: the projection has no version.
            ServiceError: AWS refused or did not answer.
        """
        return await self._bridge.run(self._sync.promote, force=force)

    async def reset(
        self,
        position: Position | None = None,
    ) -> None:
        """Set the checkpoint back or forward: the next run handles the events after it.

        A running process also goes on from there, after its current batch or, if it is idle, after
        a third of the lease. The read model and the cursors of a `Projector` do not change: a
        projector passes over events that it has applied.

        Args:
            position: new position of the checkpoint; None: the position ``after`` that the
                projection was made with. A projection that reads a log for each tenant can only be
                set back to the beginning of each log.

        Raises:
            UnknownConsumerError: the projection has not run, so it has no checkpoint.
            InvalidPositionError: the position is negative, or after the end of the log.
            TenantRequiredError: the position is above 0, but the projection reads a log for each
                tenant.
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
        """Handle the events of parked streams again, in order, and unpark the streams.

        If an event fails again, its stream stays parked from that event on. You can call this while
        the projection runs.

        Args:
            stream_id: the stream to retry; None: all parked streams.
            tenant_id: retry only streams of this tenant, if each tenant has its own log; None: all
                tenants.
            stop: set it to return after the current event.

        Raises:
            ServiceError: AWS refused or did not answer; run again.

        Cost: reads of the log's pages from the first event that failed to the last one that was
        passed over.
        """
        return await self._bridge.run(
            self._sync.retry_parked, stream_id, tenant_id, self._stop(stop)
        )

    async def run_forever(
        self,
        stop: Event | None = None,
        on_progress: Callable[[ProjectionReport], object] | None = None,
    ) -> ProjectionReport:
        """Handle the events of the log, and new events as they come, until stopped.

        At the end of the log, it looks for new events after 50 ms, later once a second. It logs
        temporary errors (throttling, lost connections) as warnings, and tries again. While another
        process has the lease, it waits. When it returns, it gives the lease back.

        Args:
            stop: set it in another task or a signal handler to return after the current event;
                None: run until an error.
            on_progress: called with a report after each batch, and each time the run reaches the
                end of the log.

        Returns:
            A report of the run, after ``stop`` is set.

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
            tenants: if each tenant has its own log, run only in the logs of these tenants; None: in
                all logs.

        Returns:
            A report of the run. Over several logs, positions are sums.

        Raises:
            ServiceError: AWS refused or did not answer; run again.
            ProjectionBusyError: another worker has the lease, and there are events to handle; run
                again.
            ProjectionPausedError: the projection is paused, and there are events to handle.
            CursorBusyError: another process applies events of a projector's stream; run again.
            InvalidPositionError: the checkpoint is after the end of the log, so the log is another
                or a restored one.
            InvalidSubscriptionError: the handler returned an awaitable, or ``stop`` is not an
                ``asyncio.Event``.
            UnreadableEventError: an event does not fit its class; also `UnknownEventError`.
            Exception: the handler raised it. The checkpoint is before that event.
        """
        return await self._bridge.run(
            self._sync.run_once, self._stop(stop), self._plain(on_progress), tenants=tenants
        )

    @property
    def version(self) -> int | None:
        """The version of this projection; None if it has no versions."""
        return self._sync.version
