"""One run of an outbox: takes the lease, publishes due and new events, gives the lease back.

The run calls the publisher with one event, or with several if the publisher takes several. It
records the outcomes before the next call, with writes that only the holder of the lease can make.
If the worker dies between a call and the record of its outcomes, the next worker publishes the
events of that call again. No other event is published twice, as long as no call takes longer than
half the lease. No event is left out.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from dynamo_es.contracts.consumers.outbox import OutboxEntry, OutboxWorker
from dynamo_es.contracts.consumers.workers import WorkerReport
from dynamo_es.contracts.correlation import correlated
from dynamo_es.contracts.error_texts import describe_error
from dynamo_es.outbox.driving import go
from dynamo_es.outbox.finder import CHOSEN, Finder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dynamo_es.contracts import LogReader, LogStrategy
    from dynamo_es.contracts.consumers.leases import LeaseWatch
    from dynamo_es.contracts.consumers.outbox import OutboxState, OutboxStrategy
    from dynamo_es.outbox.driving import Outcomes, Rounds
    from dynamo_es.outbox.terms import Terms
    from dynamo_es.values import Position, RecordedRaw

_logger = logging.getLogger("dynamo_es")

MAX_ERROR_CHARACTERS: Final = 500
"""Most characters of an error that an entry keeps."""

WORTH_A_WRITE: Final = 1000
"""Number of positions without an event to publish after which the position is saved anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxReport(WorkerReport):
    """Says what a run of an outbox did. `handled` counts the events that it published.

    Attributes:
        dead: number of events whose last try failed; they are tried again only after
            `Outbox.retry`.
        dropped: number of failed events that are dropped, because their streams were deleted.
        busy: whether another worker has the lease, or took it during the run.
    """

    dead: int = 0
    dropped: int = 0
    busy: bool = False

    @property
    def active(self) -> bool:
        """Whether the run did anything."""
        return bool(self.handled or self.failed or self.dropped)

    def followed_by(self, later: OutboxReport) -> OutboxReport:
        """Return one report for this run and a later one."""
        return replace(
            later,
            handled=self.handled + later.handled,
            failed=self.failed + later.failed,
            passed_over=self.passed_over + later.passed_over,
            dead=self.dead + later.dead,
            dropped=self.dropped + later.dropped,
        )


class _LeaseLostError(Exception):
    """Another worker has the lease."""


class Run:
    """One run. Use it once.

    Args:
        strategy: keeps the state of the outbox.
        log: the log to read.
        worker: identifies this run.
        terms: settings of the run.
        now_ms: returns milliseconds since the epoch.
        watch: the leases of other workers that this process has seen.
        look_further: looks for events without a position; see `LogStrategy.unsequenced`.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - made in one place
        self,
        strategy: OutboxStrategy,
        log: LogStrategy,
        worker: OutboxWorker,
        terms: Terms,
        now_ms: Callable[[], int],
        watch: LeaseWatch,
        look_further: Callable[[], bool],
    ) -> None:
        self._strategy = strategy
        self._log = log
        self._worker = worker
        self._terms = terms
        self._now_ms = now_ms
        self._watch = watch
        self._look_further = look_further
        self._published = self._failed = self._dead = self._dropped = 0
        # The position that is stored, and the position up to which events were tried.
        self._recorded: Position = 0
        self._tried: Position = 0
        self._leased_until_ms = 0
        self._reader: LogReader | None = None

    def go(self, publish: Callable[[Sequence[RecordedRaw]], Outcomes]) -> OutboxReport:
        """Publish due and new events; see `Outbox.run_once`.

        Args:
            publish: publishes records; returns the outcome of each.
        """
        return go(self.rounds(), publish)

    def rounds(self) -> Rounds[OutboxReport]:
        """Yield due and new records, for one publisher call at a time."""
        now_ms = self._now_ms()
        state = self._strategy.look(self._worker.outbox, now_ms)
        self._recorded = state.position
        lease = state.lease
        if lease is not None and not self._watch.is_over(lease.holder, lease, now_ms):
            return self._report(busy=True)
        reader = self._reader = self._log.reader(state.position, CHOSEN)
        records = reader.read()
        idle = not state.due and not records
        unsequenced = idle and self._look_further()
        if idle and reader.position - state.position < WORTH_A_WRITE:
            return self._report(unsequenced=unsequenced)
        until_ms = self._next_lease()
        taken = self._strategy.take(self._worker, now_ms, until_ms, lease)
        if taken is None:
            return self._report(busy=True)
        self._leased_until_ms = until_ms
        self._recorded = self._tried = taken
        try:
            if taken != state.position:  # another worker ran since we looked
                reader = self._reader = self._log.reader(taken, CHOSEN)
                records = reader.read()
            yield from self._work(state, reader, records)
        except _LeaseLostError:
            return self._report(busy=True)
        except BaseException:
            # Best effort: it only saves the next run the wait for the end of the lease.
            with suppress(Exception):
                self._strategy.release(self._worker, self._unrecorded())
            raise
        self._strategy.release(self._worker, self._unrecorded())
        self._recorded = self._tried
        return self._report(unsequenced=unsequenced)

    def _work(
        self, state: OutboxState, reader: LogReader, records: list[RecordedRaw]
    ) -> Rounds[None]:
        if state.due:
            yield from self._try_again()
        while records:
            if not (yield from self._try_new(records)):
                return
            self._tried = reader.position
            if not self._left:
                return
            records = reader.read()
        self._tried = reader.position

    def _try_new(self, records: list[RecordedRaw]) -> Rounds[bool]:
        """Try new events up to the limit; return whether all of them were tried."""
        while records and (left := self._left):
            most = min(left, self._terms.at_once)
            some, records = records[:most], records[most:]
            errors = yield from self._deliver(some)
            for record, error in zip(some, errors, strict=True):
                if error is None:
                    self._tried = record.position
                    continue
                # This also moves the position past the events before it.
                self._keep_failed(record, error, record.position)
                self._tried = self._recorded = record.position
            if self._recorded < self._tried:
                self._keep(self._strategy.move(self._worker, self._tried, self._next_lease()))
                self._recorded = self._tried
            self._published += errors.count(None)
        return not records

    def _try_again(self) -> Rounds[None]:
        """Try due events again, up to the limit."""
        finder = Finder(self._log)
        found: list[tuple[OutboxEntry, RecordedRaw]] = []
        # Read again under the lease, because another worker may just have published them.
        for entry in self._strategy.look(self._worker.outbox, self._now_ms()).due:
            if len(found) >= self._left:
                break
            record = finder.find(entry.position)
            if record is not None:
                found.append((entry, record))
            elif finder.reached(entry.position):
                self._remove(entry)
                self._dropped += 1
            if len(found) == self._terms.at_once:
                yield from self._try_entries(found)
                found = []
        if found:
            yield from self._try_entries(found)

    def _try_entries(self, found: list[tuple[OutboxEntry, RecordedRaw]]) -> Rounds[None]:
        errors = yield from self._deliver([record for _, record in found])
        for (entry, record), error in zip(found, errors, strict=True):
            if error is None:
                self._remove(entry)
                self._published += 1
            else:
                self._keep_failed(
                    record, error, self._recorded, entry.attempts, entry.failing_since
                )

    def _remove(self, entry: OutboxEntry) -> None:
        until_ms = self._next_lease()
        self._keep(self._strategy.remove(self._worker, self._recorded, until_ms, entry.position))

    def _deliver(self, records: Sequence[RecordedRaw]) -> Rounds[Outcomes]:
        """Yield events to publish; return their outcomes."""
        if self._leased_until_ms - self._now_ms() < self._terms.lease_ms / 2:
            self._keep(self._strategy.move(self._worker, self._recorded, self._next_lease()))
        return (yield records)

    def _keep_failed(
        self,
        record: RecordedRaw,
        error: Exception,
        position: Position,
        tried: int = 0,
        since_ms: int | None = None,
    ) -> None:
        attempts, now_ms = tried + 1, self._now_ms()
        since_ms = now_ms if since_ms is None else since_ms
        event = record.entry
        entry = OutboxEntry(
            position=record.position,
            tenant_id=record.tenant_id,
            stream_id=event.stream_id,
            event_name=event.name,
            attempts=attempts,
            last_error=describe_error(error)[:MAX_ERROR_CHARACTERS],
            dead=self._terms.gives_up(attempts, now_ms - since_ms),
            due_at=now_ms + self._terms.delay_ms(attempts),
            failing_since=since_ms,
        )
        _logger.warning(
            "Outbox %s: publishing the event at position %d failed (try %d%s): %s",
            self._worker.outbox,
            entry.position,
            attempts,
            ", the last" if entry.dead else "",
            entry.last_error,
            extra=correlated(event.context),
        )
        self._keep(self._strategy.fail(self._worker, position, self._next_lease(), entry))
        self._failed += 1
        self._dead += entry.dead

    @property
    def _left(self) -> int:
        """Number of tries that are left up to the limit; 0 if the run must stop."""
        if self._terms.is_over:
            return 0
        return self._terms.limit - self._published - self._failed

    def _next_lease(self) -> int:
        self._renewed_until_ms = self._now_ms() + self._terms.lease_ms
        return self._renewed_until_ms

    def _keep(self, held: bool) -> None:  # noqa: FBT001 - the reply to a write
        if not held:
            raise _LeaseLostError
        self._leased_until_ms = self._renewed_until_ms

    def _unrecorded(self) -> Position | None:
        return self._tried if self._tried > self._recorded else None

    def _report(self, *, busy: bool = False, unsequenced: bool = False) -> OutboxReport:
        return OutboxReport(
            name=self._worker.outbox,
            position=self._recorded,
            handled=self._published,
            failed=self._failed,
            unsequenced=unsequenced,
            passed_over=0 if self._reader is None else self._reader.passed_over,
            dead=self._dead,
            dropped=self._dropped,
            busy=busy,
        )
