"""One run of a projection in one log: reads the log, calls the handler, saves the checkpoint."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from dynamo_es.contracts.checks.arguments import check_position
from dynamo_es.contracts.checks.functions import check_stop, refuse_unfinished
from dynamo_es.contracts.consumers.failures import NewFailure, reason_of
from dynamo_es.contracts.error_texts import describe_error
from dynamo_es.exceptions import (
    ProjectionBusyError,
    ProjectionPausedError,
)
from dynamo_es.projections.checkpoint_lease import CheckpointLease, LeaseLostError, try_to_save
from dynamo_es.projections.handling import Handling
from dynamo_es.projections.parts import (
    FIRST_PAUSE,
    HANDLER,
    LONGEST_PAUSE,
    PASSING,
    ProjectionReport,
    check_on_progress,
)
from dynamo_es.projections.unsequenced import Unsequenced
from dynamo_es.projections.writing import Writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from threading import Event as Flag

    from dynamo_es.contracts import LogReader
    from dynamo_es.projections.parts import Parts
    from dynamo_es.values import Position, RecordedRaw

_log = logging.getLogger("dynamo_es")

_WORTH_SAVING: Final = 1000
"""Number of positions without selected events after which the checkpoint is saved anyway."""
_ON_PROGRESS: Final = "on_progress"


class Run:
    """One run of a projection in one log.

    Args:
        parts: settings and parts of the projection.
        stop: set it to return after the current event.
        on_progress: called with a report after each batch.
        worker: unique name of the worker.

    Attributes:
        holding: the lease of this log.
    """

    def __init__(
        self,
        parts: Parts,
        stop: Flag,
        on_progress: Callable[[ProjectionReport], None] | None,
        worker: str,
    ) -> None:
        check_on_progress(on_progress)
        check_stop(stop)
        self._parts = parts
        self._stop = stop
        self._on_progress = on_progress
        self.holding = CheckpointLease.of(parts, worker)
        self._handling = Handling.of(parts, self.holding.confirm, stop)
        self._selection = parts.selection()
        self._unsequenced = Unsequenced.at_once(parts.log)
        self._was_idle = False
        self._position = self._saved = parts.after
        self._end = 0
        self._handled = 0
        self._passed_over = 0
        self._unsaved = 0
        self._overtaken = 0
        self._failure: NewFailure | None = None
        self._reader: LogReader | None = None
        self._writing = Writing(self.holding) if parts.writes else None

    @property
    def report(self) -> ProjectionReport:
        """The work of the run so far."""
        return ProjectionReport(
            name=self._parts.name,
            position=self._position,
            handled=self._handled if self._writing is None else self._writing.applied,
            unsequenced=self._unsequenced.found,
            passed_over=self._passed_over,
            last_position=max(self._end, self._position),
            overtaken=self._overtaken,
            failed=self._handling.failed,
            parked=self._handling.parked,
            skipped=self._handling.skipped,
        )

    def look_further(self) -> None:
        """Look for events that have no position yet, if the run reached the end of the log."""
        if self._position >= self._end:
            self._unsequenced.look()

    def once(self, end: Position) -> None:
        """Handle events up to a position, inclusive, under the lease, and give the lease back.

        Raises:
            ProjectionBusyError: another worker has the lease, or took it over.
            ProjectionPausedError: the projection is paused.
        """
        self._end = end
        free = self._look(looks_once=True)
        check_position(self._position, end)
        if self._stop.is_set() or self._position >= end:
            return
        if self.holding.paused:
            raise ProjectionPausedError(self._parts.name, self._parts.tenant_id)
        if not free or not self._take():
            raise self._busy(self.holding.holder)
        try:
            self._handle_until(end)
        except LeaseLostError:
            raise self._busy() from None
        finally:
            self.close()

    def forever(self) -> None:
        """Handle events as they come while this worker has the lease; wait for it otherwise."""
        pause = FIRST_PAUSE
        try:
            while not self._stop.is_set():
                if self.advance():
                    pause = FIRST_PAUSE
                else:
                    self._wait(min(pause, self._parts.lease_ms / 4000))
                    pause = min(2 * pause, LONGEST_PAUSE)
        finally:
            self.close()

    def advance(self) -> bool:
        """Handle some events, or take the lease; return False if there is nothing to do."""
        try:
            if self.holding.held and self.holding.paused:
                self.close()
            return self._step() if self.holding.held else self.try_take()
        except PASSING as error:
            _log.warning(
                "Projection %r failed and tries again: %s", self._parts.name, describe_error(error)
            )
        except LeaseLostError:
            self.let_go()
        return False

    def turn(self) -> None:
        """Handle the events that the log has now, and keep the lease.

        Raises:
            LeaseLostError: another worker has taken over.
        """
        self.holding.renew_in_time()
        self._end = self._parts.log.last_position or 0
        check_position(self._position, self._end)
        self._handle_until(self._end, lambda: self.holding.wanted)

    def try_take(self) -> bool:
        """Take the lease if no other worker has it; return whether this worker now has it."""
        return self._look(looks_once=False) and self._take()

    def let_go(self) -> None:
        """Forget the work since the last checkpoint, because another worker has taken over."""
        _log.warning(
            "Projection %r: another worker has taken over, or the position was reset. This worker "
            "was at position %d, and had saved %d.",
            self._parts.name,
            self._position,
            self._saved,
        )
        self._overtaken += 1
        self._go_on_after(self._saved)

    def close(self) -> None:
        """Save the checkpoint and the failure that ended the run; give the lease back."""
        if self.holding.held:
            self._save_at_end()
            self.holding.release()

    def _look(self, *, looks_once: bool) -> bool:
        free = self.holding.look(looks_once=looks_once)
        self._go_on_after(self.holding.seen.position)
        return free

    def _take(self) -> bool:
        taken = self.holding.take()
        if taken:
            self._go_on_after(self.holding.seen.position)
        return taken

    def _go_on_after(self, saved: Position | None) -> None:
        self._position = self._saved = self._parts.after if saved is None else saved
        self._reader = None
        self._unsaved = 0
        self._handling.begin()
        if self._writing is not None:
            self._writing.drop()

    def _busy(self, holder: str = "") -> ProjectionBusyError:
        return ProjectionBusyError(self._parts.name, holder, self._parts.tenant_id)

    def _handle_until(self, end: Position, ends_early: Callable[[], bool] = lambda: False) -> None:
        while not self._stop.is_set() and self._position < end and not ends_early():
            self._step()
            if self.holding.paused:
                return

    def _step(self) -> bool:
        """Read and handle the next events; return False at the end of the log."""
        self.holding.renew_in_time()
        selection = self._parts.selection()
        if self._reader is None or selection != self._selection:
            # Classes that were defined since the last read may be selected too.
            self._selection = selection
            self._reader = self._parts.log.reader(self._position, selection)
        reader = self._reader
        try:
            before = reader.passed_over
            records = reader.read()
            self._passed_over += reader.passed_over - before
            if records and self._was_idle:
                self.holding.confirm()  # the projection may have been paused
            self._was_idle = not records
            size = self._parts.batch_size
            for start in range(0, len(records), size):
                if self.holding.paused:
                    self._reader = None
                    return False
                if not self._handle(records[start : start + size]):
                    return True
        except BaseException:
            self._reader = None  # it may have read events that were not handled
            raise
        moved = bool(records) or reader.position > self._position
        self._position = reader.position
        # Save again after a failed save, and after many positions without selected events.
        if not records and (self._unsaved or self._position - self._saved >= _WORTH_SAVING):
            self._save()
        if moved:
            self._report_progress()
        return moved

    def _handle(self, batch: list[RecordedRaw]) -> bool:
        """Handle a batch; return whether the reader can go on after it."""
        for raw in batch:
            if self._stop.is_set():
                return False
            self.holding.renew_in_time()
            if not self._apply(raw):
                return False
            self._position = raw.position
            self._handled += 1
            self._unsaved += 1
        if self._save():
            self._report_progress()
            return True
        return False

    def _apply(self, raw: RecordedRaw) -> bool:
        """Handle an event; return False if the run must go on from another position."""
        parts = self._parts
        with self._noting_failure_at(raw.position):
            if self._writing is None:
                return self._handling.handle(raw)
            returned = parts.handler(parts.reads(raw))
            refuse_unfinished(returned, parts.handler, HANDLER)
            if self._writing.add(raw.position, returned):
                return True
        if not self._save():
            return False
        with self._noting_failure_at(raw.position):
            self._writing.add(raw.position, returned)
        return True

    @contextmanager
    def _noting_failure_at(self, position: Position) -> Iterator[None]:
        try:
            yield
        except (*PASSING, LeaseLostError):
            raise
        except Exception as error:
            self._failure = NewFailure(position, reason_of(error), self._parts.now_ms())
            raise

    def _save(self) -> bool:
        """Save the checkpoint; return False if it was moved, so that the run goes on from there."""
        there = self._save_with_writes()
        self._saved, self._unsaved = there, 0
        if there == self._position:
            return True
        _log.warning(
            "Projection %r: its checkpoint was moved to %d, and this run is at %d. It goes on "
            "after %d.",
            self._parts.name,
            there,
            self._position,
            there,
        )
        self._position, self._reader = there, None
        self._overtaken += 1
        return False

    def _save_with_writes(self) -> Position:
        if self._writing is None:
            self._handling.note_passed_over()
            return self.holding.save(self._position)
        try:
            return self._writing.save(self._position, self._noting_failure_at)
        except BaseException:
            # The next transaction finds out by the saved position whether these writes were made.
            self._go_on_after(self.holding.seen.position)
            raise

    def _save_at_end(self) -> None:
        """Try to save the checkpoint, and the failure that ended the run."""
        if self._position > self._saved:
            try_to_save(self._parts.name, self._save, self.let_go)
        if self._failure is not None and self.holding.held:
            try_to_save(self._parts.name, self._save_failure, self.let_go)

    def _save_failure(self) -> None:
        if self._failure is not None:
            parts = self._parts
            parts.checkpoints.fail(parts.name, self._position, self._failure)

    def _wait(self, pause: float) -> None:
        """Wait at the end of the log; once a minute, look for events without a position."""
        if self._unsequenced.look_in_time(pause):
            self._report_progress()
        self._stop.wait(pause)

    def _report_progress(self) -> None:
        if self._on_progress is None:
            return
        if self._position >= self._end:
            self._end = self._parts.log.last_position or 0
        returned: object = self._on_progress(self.report)
        refuse_unfinished(returned, self._on_progress, _ON_PROGRESS)
