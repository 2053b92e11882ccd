"""Projections: call a handler with every event of the log, and save how far they are."""

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
from dynamo_es.contracts.consumers.versions import check_version
from dynamo_es.contracts.consumers.workers import in_thread
from dynamo_es.exceptions import (
    InvalidSubscriptionError,
    ProjectionDemotedError,
    TenantRequiredError,
)
from dynamo_es.projections.all_logs import RunOfAll
from dynamo_es.projections.controls import Controls
from dynamo_es.projections.failure_policy import policy_of
from dynamo_es.projections.holding import new_worker
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

    The handler gets every event at least once, in the order of positions, and the checkpoint
    moves after the events. If the process dies, the handler gets the events since the last
    checkpoint again: at most ``batch_size``.

    Run as many processes per name as you like. One has the lease of the checkpoint and handles the
    events; the others wait. If it stops, another takes over at once. If it dies, another takes
    over after a lease length without a beat. If it was only paused, it notices before its next
    event: every save names a fencing token, which grows with each take.

    With a log of each tenant, a projection of all tenants has a checkpoint and a lease in each log,
    and handles the logs in turn. Its processes share the logs evenly. The events of a tenant come
    in order; a tenant's failing event does not hold up the others.

    Args:
        name: name of the projection; its checkpoint is kept under this name.
        handler: called with each event.
        log: holds the events.
        checkpoints: keeps the position.
        deserialize: makes a typed event of a raw one.
        selection: returns the events to select; called when a run begins, and again before
            each read.
        after: position to begin after while there is no checkpoint; 0 is the beginning.
        batch_size: most events between two checkpoints.
        clock: returns seconds since the epoch.
        lease: time without a beat after which another process takes over, a timedelta or seconds:
            longer than the handler takes for an event, twice over.
        parked: keeps the parked streams.
        on_failure: what to do with an event that the handler fails on; see `FailurePolicy`.
        version: of the projection, 1 or more; None: it has no versions.
        writes: whether the handler returns writes, to be carried out with the checkpoint.

    Raises:
        InvalidSubscriptionError: a handler that is asynchronous or not callable, a batch size
            below 1, or a lease out of range.
        InvalidEnlistedWriteError: ``writes`` on a backend without tables.
        InvalidConsumerError: a name that cannot be part of a key.
        InvalidPositionError: a position below 0.
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
            checkpoints.new_writes()  # refuses a backend without tables

    def catch_up(
        self,
        stop: Flag | None = None,
        on_progress: Callable[[ProjectionReport], None] | None = None,
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
            InvalidSubscriptionError: the handler returned an awaitable, or ``stop`` or
                ``on_progress`` is asynchronous.
            UnreadableEventError: an event does not fit its class; also `UnknownEventError`.
            Exception: the error that the handler raised. The checkpoint is before that event.
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
        """Handle the events that the log has, and new ones as they come, until stopped.

        At the end of the log it asks for new events after 50 ms, later once a second. It logs
        temporary errors (throttling, lost connections) as warnings, and tries again. While another
        process has the lease, it waits. When it returns, it gives the lease back.

        Args:
            stop: set it in another thread or a signal handler to return after the current event;
                None: run until an error.
            on_progress: called with a report after each batch, and each time the run reaches the
                end of the log.

        Returns:
            What the run did, once ``stop`` is set.

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
        """Run in a thread within the context: ``with projection.in_background():``.

        Args:
            on_progress: see `run_forever`; called in that thread.

        Raises:
            Exception: at the end of the context, the error that ended the thread.
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
            "A projector keeps cursors of its own and returns no writes: give a function as the "
            "handler, or leave writes=True out."
        )
