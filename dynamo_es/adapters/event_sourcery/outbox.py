"""Events to be published: their `OutboxStorageStrategy`, on our outbox."""

from __future__ import annotations

from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from event_sourcery.interfaces import OutboxStorageStrategy

from dynamo_es.adapters.event_sourcery.translation import their_record
from dynamo_es.exceptions import InvalidSubscriptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from event_sourcery.event import RecordedRaw

    from dynamo_es.outbox import Outbox


@dataclass(frozen=True, slots=True)
class DynamoDBOutboxStorageStrategy(OutboxStorageStrategy):
    """The outbox of all tenants. One worker at a time has it; others find nothing meanwhile.

    Attributes:
        outbox: ours.
        attempts: most tries of an event; then it is kept, but not tried any more.
    """

    outbox: Outbox
    attempts: int

    def outbox_entries(self, limit: int) -> Iterator[AbstractContextManager[RecordedRaw]]:
        """Yield the entries to be published, first those that failed before.

        An exception inside an entry's context is a try in vain; it is logged, and goes no
        further. Enter and leave the context of each before asking for the next: else the run
        ends with it, and what is left comes again in another one.

        Args:
            limit: most entries.
        """
        if limit < 1:
            return
        with closing(self.outbox.tries(limit, attempts=self.attempts, retry_delay=0)) as tries:
            failure: Exception | None = None
            while True:
                try:
                    record = their_record(tries.send(failure))
                except StopIteration:
                    return
                entry = _Entry(record, tries.close)
                try:
                    yield entry.publishing()
                finally:
                    entry.over = True
                if not entry.tried:
                    return
                failure = entry.failure


@dataclass(slots=True)
class _Entry:
    """One try to publish.

    Attributes:
        record: what.
        stop: ends the run, so that another worker need not wait for the lease to run out.
        over: whether it is not its turn any more.
        tried: whether it was tried, in vain or not.
        failure: what the try failed of.
    """

    record: RecordedRaw
    stop: Callable[[], None]
    over: bool = False
    tried: bool = False
    failure: Exception | None = None

    @contextmanager
    def publishing(self) -> Iterator[RecordedRaw]:
        if self.over:
            raise InvalidSubscriptionError(
                "This entry's turn is over: publish each before you ask for the next. "
                "It comes again in another run."
            )
        try:
            yield self.record
        except Exception as error:  # noqa: BLE001 - whatever it is, the others come next
            self.tried, self.failure = True, error
        except BaseException:
            self.stop()
            raise
        else:
            self.tried = True
