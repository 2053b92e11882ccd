"""One run of a projection in the logs of all tenants, with a checkpoint and a lease in each."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dynamo_es.contracts.error_texts import describe_error
from dynamo_es.projections.checkpoint_lease import LeaseLostError, new_worker
from dynamo_es.projections.parts import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    PASSING,
    Parts,
    ProjectionReport,
    check_on_progress,
    in_log_of,
)
from dynamo_es.projections.run import Run
from dynamo_es.projections.sharing import Share
from dynamo_es.projections.unsequenced import Unsequenced

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from threading import Event as Flag

    from dynamo_es.values import TenantId

_log = logging.getLogger("dynamo_es")


class RunOfAll:
    """A run in all logs, one after the other. Each log has its own checkpoint.

    A log whose events fail does not stop the others: its error is raised after the other logs'
    turn.

    Args:
        parts: settings and parts of the projection; its log stands for all logs.
        stop: set it to return after the current event.
        on_progress: called with a report of all logs after each batch.
        only: run in the logs of these tenants; None: in the logs of all tenants in the registry.
    """

    def __init__(
        self,
        parts: Parts,
        stop: Flag,
        on_progress: Callable[[ProjectionReport], None] | None,
        only: Collection[TenantId] | None = None,
    ) -> None:
        check_on_progress(on_progress)
        self._parts = parts
        self._stop = stop
        self._on_progress = on_progress
        self._only = only
        self._worker = new_worker()
        self._share = Share(parts.lease_ms, parts.now_ms)
        self._runs: dict[TenantId, Run] = {}
        self._unsequenced = Unsequenced(parts.log)

    @property
    def report(self) -> ProjectionReport:
        """The work of the run so far, in all logs. Positions are sums over the logs."""
        reports = [run.report for run in self._runs.values()]
        return ProjectionReport(
            name=self._parts.name,
            position=sum(one.position for one in reports),
            handled=sum(one.handled for one in reports),
            unsequenced=self._unsequenced.found,
            passed_over=sum(one.passed_over for one in reports),
            last_position=sum(one.last_position for one in reports),
            overtaken=sum(one.overtaken for one in reports),
            failed=sum(one.failed for one in reports),
            parked=sum(one.parked for one in reports),
            skipped=sum(one.skipped for one in reports),
        )

    def once(self) -> ProjectionReport:
        """Handle the events that the logs have now.

        Raises:
            Exception: the first error; raised after all other logs had their turn.
        """
        if failure := self._go_round(self._once_in):
            raise failure
        self._unsequenced.look()
        return self.report

    def forever(self) -> ProjectionReport:
        """Handle events of the logs whose leases this worker has, until stopped.

        Raises:
            Exception: the first error that is not temporary; raised after the other logs had their
                turn.
        """
        try:
            self._repeat()
        finally:
            self.close()
        return self.report

    def advance(self) -> bool:
        """Go once through all logs; return whether there was anything to handle."""
        before = self.report.handled
        failure = self._go_round(self._turn_in)
        if failure is not None and not isinstance(failure, PASSING):
            raise failure
        self._share.even_out({each: run.holding for each, run in self._runs.items()})
        return self.report.handled > before

    def close(self) -> None:
        """Save all checkpoints, and give all leases back."""
        for run in self._runs.values():
            run.close()

    def _repeat(self) -> None:
        pause = FIRST_PAUSE
        while not self._stop.is_set():
            if self.advance():
                pause = FIRST_PAUSE
                self._unsequenced.begin_again()
                continue
            self._unsequenced.look_in_time(pause)
            self._report_progress()
            self._stop.wait(min(pause, self._parts.lease_ms / 4000))
            pause = min(2 * pause, LONGEST_PAUSE)

    def _go_round(self, handle: Callable[[TenantId], None]) -> Exception | None:
        """Handle the events of each log; return the first error."""
        first: Exception | None = None
        tenants = self._parts.log.tenants() if self._only is None else self._only
        for tenant_id in tenants:
            if self._stop.is_set():
                break
            try:
                handle(tenant_id)
            except Exception as error:  # noqa: BLE001 - raised after the other logs
                if run := self._runs.pop(tenant_id, None):
                    run.close()
                _log.warning(
                    "Projection %r failed in the log of tenant %r; other logs go on: %s",
                    self._parts.name,
                    tenant_id,
                    describe_error(error),
                )
                if first is None or isinstance(first, PASSING):
                    first = error
        return first

    def _once_in(self, tenant_id: TenantId) -> None:
        self._run_of(tenant_id).once(
            self._parts.log.scoped_for_tenant(tenant_id).last_position or 0
        )

    def _turn_in(self, tenant_id: TenantId) -> None:
        """Handle the events of a log if this worker has its lease or can take it."""
        run = self._run_of(tenant_id)
        try:
            if run.holding.held or (self._share.may_take(tenant_id) and run.try_take()):
                run.turn()
                if run.holding.paused:
                    run.close()
                if run.holding.wanted:
                    self._share.hand_over(tenant_id)
                    run.close()
        except LeaseLostError:
            run.let_go()

    def _run_of(self, tenant_id: TenantId) -> Run:
        found = self._runs.get(tenant_id)
        if found is None:
            parts = in_log_of(self._parts, tenant_id)
            on_progress = None if self._on_progress is None else self._report_progress
            found = self._runs[tenant_id] = Run(parts, self._stop, on_progress, self._worker)
        return found

    def _report_progress(self, _: ProjectionReport | None = None) -> None:
        if self._on_progress is not None:
            self._on_progress(self.report)
