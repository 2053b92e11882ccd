"""One run of an outbox: takes the lease, publishes what is due and what is new, gives it back.

Every try is recorded before the next one begins, by a write that only the holder of the lease
can make. What is published is recorded after it was: a worker that dies in between has
published once what the next one publishes again. Nothing else is published twice, as long as
no publisher takes longer than half the lease, and nothing is left out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias, TypeVar

from dynamo_es.contracts import Selection
from dynamo_es.contracts.error_texts import describe_error
from dynamo_es.contracts.outbox import Claim, OutboxEntry
from dynamo_es.exceptions import AsynchronousFunctionError
from dynamo_es.outbox.finding import Finder

if TYPE_CHECKING:
    from dynamo_es.contracts import LogReader, LogStrategy
    from dynamo_es.contracts.leases import LeaseWatch
    from dynamo_es.contracts.outbox import OutboxState, OutboxStrategy
    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.outbox.terms import Terms
    from dynamo_es.values import Position, RecordedRaw

_logger = logging.getLogger("dynamo_es")


class StoredPublisher(Protocol):
    """Publishes one event as it is stored. It needs no class of it.

    Attributes:
        as_stored: True, which tells this publisher from one of typed events.
    """

    as_stored: Literal[True]

    def __call__(self, record: RecordedRaw, /) -> Any:
        """Publish an event; an exception: it could not."""


Publisher: TypeAlias = Callable[["Recorded"], Any] | StoredPublisher
"""Publishes one event; what it returns does not matter. An exception: it could not."""

T = TypeVar("T")

Tries: TypeAlias = "Generator[RecordedRaw, Exception | None, T]"
"""A run, try by try: yields what to publish, and is sent what it failed of, or None."""

MAX_ERROR_CHARACTERS: Final = 500
"""Of the text kept of an error."""

WORTH_A_WRITE: Final = 1000
"""Positions without anything to publish, that the outbox is moved over for their own sake."""

_CHOSEN: Final = Selection(outbox=True)


@dataclass(frozen=True, slots=True)
class OutboxReport:
    """What a run has done.

    Attributes:
        sent: events that were published, and recorded as such.
        failed: tries in vain.
        dead: events of those that were tried for the last time, and given up.
        dropped: failed events that were not tried again, because their streams were deleted.
        busy: whether another worker had the lease, or took it in the middle.
        position: up to here everything was tried.
        unsequenced: whether events were found after the end of the log, where it was reached; see
            `LogStrategy.unsequenced`. They are published when they have a position.
        passed_over: commits that were passed over, because they cannot be read; each is logged as
            an error.
    """

    sent: int
    failed: int
    dead: int
    dropped: int
    busy: bool
    position: Position
    unsequenced: bool = False
    passed_over: int = 0

    @property
    def active(self) -> bool:
        """Whether anything was done."""
        return bool(self.sent or self.failed or self.dropped)


class _LeaseLostError(Exception):
    """Another worker has the lease."""


class Run:
    """One run. To be used once.

    Args:
        strategy: keeps the state of the outbox.
        log: holds the events.
        claim: of this run.
        terms: what it keeps to.
        clock: milliseconds since the epoch.
        watch: what this process has seen of others' leases.
        further: looks for events after the end of the log; see `LogStrategy.unsequenced`.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - made in one place
        self,
        strategy: OutboxStrategy,
        log: LogStrategy,
        claim: Claim,
        terms: Terms,
        clock: Callable[[], int],
        watch: LeaseWatch,
        further: Callable[[], bool],
    ) -> None:
        self._strategy = strategy
        self._log = log
        self._claim = claim
        self._terms = terms
        self._clock = clock
        self._watch = watch
        self._further = further
        self._sent = self._failed = self._dead = self._dropped = 0
        # Where the outbox stands, and what may be said of it although it is not yet.
        self._recorded: Position = 0
        self._tried: Position = 0
        self._leased_until = 0
        self._reader: LogReader | None = None

    def go(self, publish: Callable[[RecordedRaw], object]) -> OutboxReport:
        """Publish what there is; see `Outbox.run`.

        Args:
            publish: makes an event of a record, and publishes it.
        """
        error: Exception | None = None
        with closing(self.tries()) as tries:
            while True:
                try:
                    record = tries.send(error)
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return]
                try:
                    publish(record)
                except AsynchronousFunctionError:
                    raise  # no try at all: whatever it is given, it would publish nothing
                except Exception as failure:  # noqa: BLE001 - whatever it is, the others come next
                    error = failure
                else:
                    error = None

    def tries(self) -> Tries[OutboxReport]:
        """Yield what there is to be published, one record after the other; see `Outbox.tries`."""
        now = self._clock()
        state = self._strategy.look(self._claim.outbox, now)
        self._recorded = state.position
        lease = state.lease
        if lease is not None and not self._watch.is_over(lease.holder, lease, now):
            return self._report(busy=True)
        reader = self._reader = self._log.reader(state.position, _CHOSEN)
        records = reader.read()
        idle = not state.due and not records
        unsequenced = idle and self._further()
        if idle and reader.position - state.position < WORTH_A_WRITE:
            return self._report(unsequenced=unsequenced)
        until = self._next_lease()
        taken = self._strategy.take(self._claim, now, until, lease)
        if taken is None:
            return self._report(busy=True)
        self._leased_until = until
        self._recorded = self._tried = taken
        try:
            if taken != state.position:  # others were at work since we looked
                reader = self._reader = self._log.reader(taken, _CHOSEN)
                records = reader.read()
            yield from self._work(state, reader, records)
        except _LeaseLostError:
            return self._report(busy=True)
        except BaseException:
            # Best effort, so that the next run need not wait for the lease to end.
            with suppress(Exception):
                self._strategy.release(self._claim, self._unrecorded())
            raise
        self._strategy.release(self._claim, self._unrecorded())
        self._recorded = self._tried
        return self._report(unsequenced=unsequenced)

    def _work(
        self, state: OutboxState, reader: LogReader, records: list[RecordedRaw]
    ) -> Tries[None]:
        if state.due:
            # Again, now that nobody else changes them: another worker may have just sent them.
            finder = Finder(self._log, _CHOSEN)
            for entry in self._strategy.look(self._claim.outbox, self._clock()).due:
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
            self._keep(self._strategy.move(self._claim, record.position, self._next_lease()))
            self._sent += 1
        else:
            self._keep_failed(record, 0, error, record.position)
            self._tried = record.position
        self._recorded = record.position

    def _try_again(self, entry: OutboxEntry, record: RecordedRaw | None) -> Tries[None]:
        error = None if record is None else (yield from self._deliver(record))
        if record is not None and error is not None:
            self._keep_failed(record, entry.attempts, error, self._recorded)
            return
        until = self._next_lease()
        self._keep(self._strategy.settle(self._claim, self._recorded, until, entry.position))
        if record is None:
            self._dropped += 1
        else:
            self._sent += 1

    def _deliver(self, record: RecordedRaw) -> Tries[Exception | None]:
        """Have an event published; return what that failed of."""
        if self._leased_until - self._clock() < self._terms.lease_ms / 2:
            self._keep(self._strategy.move(self._claim, self._recorded, self._next_lease()))
        return (yield record)

    def _keep_failed(
        self, record: RecordedRaw, before: int, error: Exception, upto: Position
    ) -> None:
        attempts = before + 1
        event = record.entry
        entry = OutboxEntry(
            position=record.position,
            tenant_id=record.tenant_id,
            stream_id=event.stream_id,
            event_name=event.name,
            attempts=attempts,
            last_error=describe_error(error)[:MAX_ERROR_CHARACTERS],
            dead=attempts >= self._terms.attempts,
            due_at=self._clock() + self._terms.delay_ms(attempts),
        )
        _logger.warning(
            "Outbox %s: publishing the event at position %d failed (%d of %d): %s",
            self._claim.outbox,
            entry.position,
            attempts,
            self._terms.attempts,
            entry.last_error,
        )
        self._keep(self._strategy.fail(self._claim, upto, self._next_lease(), entry))
        self._failed += 1
        self._dead += entry.dead

    @property
    def _tries(self) -> int:
        return self._sent + self._failed

    def _next_lease(self) -> int:
        self._renewal = self._clock() + self._terms.lease_ms
        return self._renewal

    def _keep(self, held: bool) -> None:  # noqa: FBT001 - the reply to a write, passed on
        if not held:
            raise _LeaseLostError
        self._leased_until = self._renewal

    def _unrecorded(self) -> Position | None:
        return self._tried if self._tried > self._recorded else None

    def _report(self, *, busy: bool = False, unsequenced: bool = False) -> OutboxReport:
        return OutboxReport(
            self._sent,
            self._failed,
            self._dead,
            self._dropped,
            busy,
            self._recorded,
            unsequenced,
            0 if self._reader is None else self._reader.passed_over,
        )
