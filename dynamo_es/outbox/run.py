"""One run of an outbox: takes the lease, publishes due and new events, gives the lease back.

The run records every try before it begins the next one, by a write that only the holder of the
lease can make. It records an event after publishing it. If the worker dies between the two, the
next worker publishes that event again. No other event is published twice, as long as no
publisher takes longer than half the lease, and no event is left out.
"""

from __future__ import annotations

import logging
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from dynamo_es.contracts import Selection
from dynamo_es.contracts.error_texts import describe_error
from dynamo_es.contracts.outbox import OutboxEntry, OutboxWorker
from dynamo_es.contracts.workers import WorkerReport
from dynamo_es.exceptions import AsynchronousFunctionError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from dynamo_es.contracts import LogReader, LogStrategy
    from dynamo_es.contracts.leases import LeaseWatch
    from dynamo_es.contracts.outbox import OutboxState, OutboxStrategy
    from dynamo_es.outbox.terms import Terms
    from dynamo_es.values import Position, RecordedRaw

_logger = logging.getLogger("dynamo_es")


T = TypeVar("T")

Tries: TypeAlias = "Generator[RecordedRaw, Exception | None, T]"
"""A run, one try at a time: yields a record to publish; send it the exception, or None."""

MAX_ERROR_CHARACTERS: Final = 500
"""Most characters of an error that an entry keeps."""

WORTH_A_WRITE: Final = 1000
"""Number of positions without an event to publish after which the outbox moves anyway."""

_CHOSEN: Final = Selection(outbox=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxReport(WorkerReport):
    """Says what a run of an outbox did. `handled` counts the events that it published.

    Attributes:
        dead: failed tries that were the last: those events are tried again only after
            `Outbox.retry`.
        dropped: failed events that are not tried again, because their streams were deleted.
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
        """Return one report of this run and a later one."""
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
        log: holds the events.
        worker: identifies this run.
        terms: how it publishes.
        now_ms: returns milliseconds since the epoch.
        watch: the leases of other workers that this process has seen.
        look_further: looks for events after the end of the log; see `LogStrategy.unsequenced`.
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
        # The position that is stored, and the one that may be.
        self._recorded: Position = 0
        self._tried: Position = 0
        self._leased_until_ms = 0
        self._reader: LogReader | None = None

    def go(self, publish: Callable[[RecordedRaw], object]) -> OutboxReport:
        """Publish due and new events; see `Outbox.run_once`.

        Args:
            publish: publishes a record.
        """
        return go(self.tries(), publish)

    def tries(self) -> Tries[OutboxReport]:
        """Yield due and new records, one after the other; see `Outbox.tries`."""
        now_ms = self._now_ms()
        state = self._strategy.look(self._worker.outbox, now_ms)
        self._recorded = state.position
        lease = state.lease
        if lease is not None and not self._watch.is_over(lease.holder, lease, now_ms):
            return self._report(busy=True)
        reader = self._reader = self._log.reader(state.position, _CHOSEN)
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
                reader = self._reader = self._log.reader(taken, _CHOSEN)
                records = reader.read()
            yield from self._work(state, reader, records)
        except _LeaseLostError:
            return self._report(busy=True)
        except BaseException:
            # Best effort, so that the next run need not wait for the lease to end.
            with suppress(Exception):
                self._strategy.release(self._worker, self._unrecorded())
            raise
        self._strategy.release(self._worker, self._unrecorded())
        self._recorded = self._tried
        return self._report(unsequenced=unsequenced)

    def _work(
        self, state: OutboxState, reader: LogReader, records: list[RecordedRaw]
    ) -> Tries[None]:
        if state.due:
            # Look again under the lease: another worker may have just published them.
            finder = _Finder(self._log)
            for entry in self._strategy.look(self._worker.outbox, self._now_ms()).due:
                if self._tries >= self._terms.limit:
                    break
                record = finder.find(entry.position)
                if record is not None or finder.reached(entry.position):
                    yield from self._try_again(entry, record)
        while records:
            for record in records:
                if self._tries >= self._terms.limit:
                    return
                yield from self._try_new(record)
            self._tried = reader.position
            if self._tries >= self._terms.limit:
                return
            records = reader.read()
        self._tried = reader.position

    def _try_new(self, record: RecordedRaw) -> Tries[None]:
        error = yield from self._deliver(record)
        if error is None:
            self._tried = record.position
            self._keep(self._strategy.move(self._worker, record.position, self._next_lease()))
            self._published += 1
        else:
            self._keep_failed(record, 0, error, record.position)
            self._tried = record.position
        self._recorded = record.position

    def _try_again(self, entry: OutboxEntry, record: RecordedRaw | None) -> Tries[None]:
        error = None if record is None else (yield from self._deliver(record))
        if record is not None and error is not None:
            self._keep_failed(record, entry.attempts, error, self._recorded)
            return
        until_ms = self._next_lease()
        self._keep(self._strategy.remove(self._worker, self._recorded, until_ms, entry.position))
        if record is None:
            self._dropped += 1
        else:
            self._published += 1

    def _deliver(self, record: RecordedRaw) -> Tries[Exception | None]:
        """Yield an event to publish; return the exception that publishing raised."""
        if self._leased_until_ms - self._now_ms() < self._terms.lease_ms / 2:
            self._keep(self._strategy.move(self._worker, self._recorded, self._next_lease()))
        return (yield record)

    def _keep_failed(
        self, record: RecordedRaw, tried: int, error: Exception, position: Position
    ) -> None:
        attempts = tried + 1
        event = record.entry
        entry = OutboxEntry(
            position=record.position,
            tenant_id=record.tenant_id,
            stream_id=event.stream_id,
            event_name=event.name,
            attempts=attempts,
            last_error=describe_error(error)[:MAX_ERROR_CHARACTERS],
            dead=attempts >= self._terms.attempts,
            due_at=self._now_ms() + self._terms.delay_ms(attempts),
        )
        _logger.warning(
            "Outbox %s: publishing the event at position %d failed (try %d of %d): %s",
            self._worker.outbox,
            entry.position,
            attempts,
            self._terms.attempts,
            entry.last_error,
        )
        self._keep(self._strategy.fail(self._worker, position, self._next_lease(), entry))
        self._failed += 1
        self._dead += entry.dead

    @property
    def _tries(self) -> int:
        return self._published + self._failed

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


class _Finder:
    """Finds events at rising positions; reads each piece of the log once."""

    def __init__(self, log: LogStrategy) -> None:
        self._log = log
        self._records: dict[Position, RecordedRaw] = {}
        self._reached: Position = 0

    def find(self, position: Position) -> RecordedRaw | None:
        """Return the event at a position, above the one before; None: it is not there.

        It is gone for good if the log was `reached` up to its position.
        """
        if position > self._reached:
            reader = self._log.reader(position - 1, _CHOSEN)
            self._records = {record.position: record for record in reader.read()}
            self._reached = reader.position
        return self._records.get(position)

    def reached(self, position: Position) -> bool:
        """Whether the log was read up to a position: a read may lag after a write."""
        return position <= self._reached


def go(started: Tries[OutboxReport], publish: Callable[[RecordedRaw], object]) -> OutboxReport:
    """Publish what a run yields, and return its report.

    Args:
        started: the run, one try at a time.
        publish: publishes a record.
    """
    error: Exception | None = None
    with closing(started) as tries:
        while True:
            try:
                record = tries.send(error)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            try:
                publish(record)
            except AsynchronousFunctionError:
                raise  # not a try: it would never publish any event
            except Exception as failure:  # noqa: BLE001 - the other events come next
                error = failure
            else:
                error = None
