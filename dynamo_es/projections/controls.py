"""`Controls`: the position, reset, versions, pauses and parked streams of a projection."""

from __future__ import annotations

from threading import Event as Flag
from typing import TYPE_CHECKING

from dynamo_es.contracts.checks.arguments import check_position
from dynamo_es.contracts.checks.functions import check_stop
from dynamo_es.exceptions import (
    InvalidSubscriptionError,
    TenantRequiredError,
    UnknownConsumerError,
)
from dynamo_es.projections.parking import sum_of
from dynamo_es.projections.parts import Parts, in_log_of
from dynamo_es.projections.projection_retry import ProjectionRetry
from dynamo_es.projections.versions import VersionLog, refuse_lag

if TYPE_CHECKING:
    from dynamo_es.contracts import Checkpoint, CheckpointStrategy
    from dynamo_es.contracts.consumers.live_versions import LiveVersion
    from dynamo_es.projections.parking import RetryReport
    from dynamo_es.projections.parts import Handler
    from dynamo_es.values import Position, StreamId, TenantId


class Controls:
    """Inspects and changes a projection, whether it is running or not."""

    _parts: Parts

    @property
    def name(self) -> str:
        """The name of the projection and of its checkpoint."""
        return self._parts.name

    @property
    def version(self) -> int | None:
        """The version of this projection; None if it has no versions."""
        return self._parts.version

    @property
    def over_all_logs(self) -> bool:
        """Whether it reads a log for each tenant, with a checkpoint in each log."""
        return self._parts.log.per_tenant

    @property
    def handler(self) -> Handler:
        """The handler; for a `Projector`, limited to the projection's events."""
        return self._parts.handler

    @property
    def position(self) -> Position | None:
        """The position of the projection's checkpoint; None before its first run.

        Raises:
            TenantRequiredError: the projection has a position in each tenant's log; see
                `positions`.
        """
        return self._parts.checkpoints.position(self.name)

    @property
    def positions(self) -> dict[TenantId, Position]:
        """The position in each tenant's log where the projection has run, if it reads all logs."""
        return {
            one.tenant_id: one.position
            for one in self._parts.checkpoints.all()
            if self._is_mine(one) and one.tenant_id is not None
        }

    def reset(self, position: Position | None = None) -> None:
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
        parts = self._parts
        to = parts.after if position is None else position
        if parts.log.per_tenant:
            check_position(to)
            if to:
                raise TenantRequiredError(f"Position {to}")
            self._reset_all()
            return
        check_position(to, parts.log.last_position or 0)
        parts.checkpoints.reset(self.name, to)

    def promote(self, *, force: bool = False) -> LiveVersion:
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
        log, version = self._versioned, self._parts.version
        checkpoints = self._parts.checkpoints
        while True:
            live = checkpoints.live(self.name)
            if version is None or (live is not None and live.version == version):
                break
            if not force:
                refuse_lag(log, self.name, version)
            # If another version was promoted in the meantime, look again.
            checkpoints.promote(self.name, version, None if live is None else live.version)
        if live is None:
            raise AssertionError("a version was promoted")
        return live

    @property
    def _versioned(self) -> VersionLog:
        if isinstance(self._parts.log, VersionLog):
            return self._parts.log
        raise InvalidSubscriptionError(
            f"Projection {self.name!r} has no version. Make it with a version, such as version=1."
        )

    def pause(self) -> None:
        """Stop the workers of this projection before their next batch, until you call `resume`.

        Workers keep running, but wait. With ``writes=True``, a busy worker notices the pause within
        a third of its lease. `Projection.run_once` raises `ProjectionPausedError`. A projection
        that reads a log for each tenant is paused in the logs in which it has run.

        Raises:
            UnknownConsumerError: the projection has not run yet.
            ServiceError: AWS refused or did not answer.
        """
        for checkpoints in self._own_checkpoints():
            checkpoints.pause(self.name)

    def resume(self) -> None:
        """Let the workers of this projection go on. Errors are those of `pause`."""
        for checkpoints in self._own_checkpoints():
            checkpoints.resume(self.name)

    def _own_checkpoints(self) -> list[CheckpointStrategy]:
        checkpoints = self._parts.checkpoints
        if not self._parts.log.per_tenant:
            return [checkpoints]
        if not self.positions:
            raise UnknownConsumerError(self.name, sorted({one.name for one in checkpoints.all()}))
        return [checkpoints.scoped_for_tenant(one) for one in self.positions]

    def _is_mine(self, one: Checkpoint) -> bool:
        return (one.name, one.version) == (self.name, self._parts.version)

    def _reset_all(self) -> None:
        checkpoints = self._parts.checkpoints
        known = checkpoints.all()
        mine = [one for one in known if self._is_mine(one)]
        if not mine:
            raise UnknownConsumerError(self.name, sorted({one.name for one in known}))
        for one in mine:
            if one.tenant_id is not None:
                checkpoints.scoped_for_tenant(one.tenant_id).reset(self.name, 0)

    def retry_parked(
        self,
        stream_id: StreamId | None = None,
        tenant_id: TenantId | None = None,
        stop: Flag | None = None,
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
        parts = self._parts
        flag = Flag() if stop is None else stop
        check_stop(flag)
        if not parts.log.per_tenant:
            return ProjectionRetry(parts, flag).run(stream_id)
        chosen = parts.log.tenants() if tenant_id is None else [tenant_id]
        reports = [ProjectionRetry(in_log_of(parts, one), flag).run(stream_id) for one in chosen]
        return sum_of(reports)
