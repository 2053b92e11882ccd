"""`Projection`: calls a handler with every event of the log, and saves a checkpoint."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from threading import Event as Flag
from typing import TYPE_CHECKING, Final, Self

from dynamo_es.contracts import EVERYTHING, Selection
from dynamo_es.contracts.checks.arguments import check_consumer, check_position, seconds_of
from dynamo_es.contracts.checks.functions import check_stop, refuse_asynchronous
from dynamo_es.contracts.consumers.leases import LeaseWatch
from dynamo_es.contracts.consumers.live_versions import check_version
from dynamo_es.contracts.consumers.workers import in_thread
from dynamo_es.exceptions import (
    InvalidSubscriptionError,
    ProjectionDemotedError,
    TenantRequiredError,
)
from dynamo_es.projections.all_logs import RunOfAll
from dynamo_es.projections.checkpoint_lease import new_worker
from dynamo_es.projections.controls import Controls
from dynamo_es.projections.failure_policy import policy_of
from dynamo_es.projections.parts import HANDLER, Parts, check_on_progress
from dynamo_es.projections.projector import Projector
from dynamo_es.projections.run import Run
from dynamo_es.projections.versions import VersionLog
from dynamo_es.projections.writing import check_flag, refuse_setting_aside
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from datetime import timedelta

    from dynamo_es.contracts import CheckpointStrategy, LogStrategy
    from dynamo_es.contracts.consumers.parked import ParkedStrategy
    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.projections.failure_policy import OnFailure
    from dynamo_es.projections.parts import Handler, ProjectionReport
    from dynamo_es.values import Position, RecordedRaw, TenantId

_log = logging.getLogger("dynamo_es")

DEFAULT_LEASE: Final = 60.0
"""Seconds without a beat after which another worker takes over."""

SHORTEST_LEASE: Final = 0.001


class Projection(Controls):
    """Calls a handler with every event of the log, and keeps a checkpoint.

    ``backend.projection("balances", apply).run_forever()``

    The handler gets every event at least once, in the order of positions. The checkpoint moves
    after the events are handled. If the process dies, the handler gets the events since the last
    checkpoint again: at most ``batch_size``.

    You can run any number of processes for one name. One has the lease of the checkpoint and
    handles the events; the others wait. If it stops, another process takes over at once. If it
    dies, another takes over after a lease length without a beat. If it was only frozen, it notices
    that before its next event. Even then it cannot move the checkpoint: every save names a fencing
    token, which grows each time the lease is taken.

    If each tenant has its own log, a projection of all tenants has a checkpoint and a lease in each
    log, and handles the logs in turn. Its processes share the logs evenly. The events of a tenant
    come in order. A failing event of one tenant does not stop the events of others.

    Args:
        name: name of the projection and of its checkpoint.
        handler: called with each event.
        log: the log to read.
        checkpoints: keeps the position and the lease.
        deserialize: turns a raw event into a typed one.
        selection: returns the selection of events; called when a run begins, and again before each
            read.
        after: position to begin after, exclusive, while there is no checkpoint; 0 is the beginning.
        batch_size: most events between two checkpoints.
        clock: returns seconds since the epoch.
        lease: time without a beat after which another process takes over, a timedelta or seconds.
            It must be more than twice the time that the handler takes for an event.
        parked: keeps the parked streams.
        on_failure: how to treat an event that the handler fails on; see `FailurePolicy`.
        version: version of the projection, 1 or more; None: it has no versions.
        writes: whether the handler returns writes, which are made in one transaction with the
            checkpoint.

    Raises:
        InvalidSubscriptionError: the handler is asynchronous or not callable, the batch size is
            below 1, or the lease is out of range.
        InvalidEnlistedWriteError: ``writes`` is set, but the backend has no tables.
        InvalidConsumerError: the name cannot be part of a key.
        InvalidPositionError: ``after`` is below 0.
    """

    def __init__(  # noqa: PLR0913 - injected, each by its name
        self,
        name: str,
        handler: Handler,
        *,
        log: LogStrategy,
        checkpoints: CheckpointStrategy,
        deserialize: Callable[[RecordedRaw], Recorded],
        selection: Callable[[], Selection] = lambda: EVERYTHING,
        after: Position = 0,
        batch_size: int = 100,
        clock: Callable[[], float] = time.time,
        lease: timedelta | float = DEFAULT_LEASE,
        parked: ParkedStrategy,
        on_failure: OnFailure = "stop",
        writes: bool = False,
        version: int | None = None,
    ) -> None:
        check_consumer(name)
        if version is not None:
            check_version(version)
            unversioned = checkpoints
            log = VersionLog(log, checkpoints, lambda: unversioned.live(name), name, version)
            checkpoints = unversioned.of_version(version)
        check_position(after)
        if log.per_tenant and after:
            raise TenantRequiredError("A projection that begins after a position")
        if not callable(handler):
            raise InvalidSubscriptionError(f"handler must be callable, not {shown(handler)}.")
        refuse_asynchronous(handler, HANDLER)
        if type(batch_size) is not int or batch_size < 1:
            raise InvalidSubscriptionError(
                f"batch_size must be an integer of 1 or more, not {shown(batch_size)}."
            )
        _check_writes(writes, handler)
        self._parts = Parts(
            name=name,
            handler=handler,
            log=log,
            checkpoints=checkpoints,
            deserialize=deserialize,
            selection=selection,
            after=after,
            batch_size=batch_size,
            clock=clock,
            lease_ms=int(seconds_of("lease", lease, SHORTEST_LEASE) * 1000),
            watch=LeaseWatch(),
            parked=parked,
            policy=policy_of(on_failure),
            writes=writes,
            version=version,
        )
        if writes:
            refuse_setting_aside(self._parts.policy)
            checkpoints.new_writes()  # raises for a backend without tables

    def catch_up(
        self,
        stop: Flag | None = None,
        on_progress: Callable[[ProjectionReport], None] | None = None,
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
        log = self._versioned
        lagging = copy(self)
        lagging._parts = replace(self._parts, log=log.catching_up())  # noqa: SLF001 - of its own class
        return lagging.run_once(stop, on_progress)

    def run_once(
        self,
        stop: Flag | None = None,
        on_progress: Callable[[ProjectionReport], None] | None = None,
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
            InvalidSubscriptionError: the handler returned an awaitable, or ``stop`` or
                ``on_progress`` is asynchronous.
            UnreadableEventError: an event does not fit its class; also `UnknownEventError`.
            Exception: the handler raised it. The checkpoint is before that event.
        """
        stop = Flag() if stop is None else stop
        if self._parts.log.per_tenant:
            check_stop(stop)
            return RunOfAll(self._parts, stop, on_progress, tenants).once()
        run = Run(self._parts, stop, on_progress, new_worker())
        run.once(self._parts.log.last_position or 0)
        run.look_further()
        return run.report

    def run_forever(
        self,
        stop: Flag | None = None,
        on_progress: Callable[[ProjectionReport], None] | None = None,
    ) -> ProjectionReport:
        """Handle the events of the log, and new events as they come, until stopped.

        At the end of the log, it looks for new events after 50 ms, later once a second. It logs
        temporary errors (throttling, lost connections) as warnings, and tries again. While another
        process has the lease, it waits. When it returns, it gives the lease back.

        Args:
            stop: set it in another thread or a signal handler to return after the current event;
                None: run until an error.
            on_progress: called with a report after each batch, and each time the run reaches the
                end of the log.

        Returns:
            A report of the run, after ``stop`` is set.

        Raises:
            Exception: the errors of `run_once`, except for temporary ones.
        """
        stop = Flag() if stop is None else stop
        if self._parts.log.per_tenant:
            check_stop(stop)
            run: Run | RunOfAll = RunOfAll(self._parts, stop, on_progress)
        else:
            run = Run(self._parts, stop, on_progress, new_worker())
        try:
            run.forever()
        except ProjectionDemotedError as error:
            _log.warning("%s", error)
        return run.report

    @contextmanager
    def in_background(
        self, on_progress: Callable[[ProjectionReport], None] | None = None
    ) -> Iterator[Self]:
        """Run in a thread during a ``with`` block: ``with projection.in_background():``.

        Args:
            on_progress: see `run_forever`; called in that thread.

        Raises:
            Exception: the thread ended with an error; it is raised at the end of the block.
        """
        check_on_progress(on_progress)
        with in_thread(
            lambda stop: self.run_forever(stop, on_progress), f"Projection {self.name!r}"
        ):
            yield self


def _check_writes(writes: object, handler: object) -> None:
    check_flag(writes)
    if writes and isinstance(handler, Projector):
        raise InvalidSubscriptionError(
            "A projector has cursors of its own and returns no writes: give a function as the "
            "handler, or leave writes=True out."
        )
