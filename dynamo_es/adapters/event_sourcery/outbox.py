"""Their `OutboxStorageStrategy`, on top of our outbox."""

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
    """The outbox of all tenants. One worker at a time holds the lease; others get no entries.

    Attributes:
        outbox: our outbox.
        attempts: most tries of an event; then the outbox keeps the event, but does not try it
            again.
    """

    outbox: Outbox
    attempts: int

    def outbox_entries(self, limit: int) -> Iterator[AbstractContextManager[RecordedRaw]]:
        """Yield the entries to publish, beginning with those that failed before.

        An exception within an entry's ``with`` block is a failed try: it is logged and not raised.
        Enter and leave the block of each entry before you ask for the next. Otherwise the run ends
        there, and another run yields the rest.

        Args:
            limit: most entries to yield.
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
    """One try to publish an event.

    Attributes:
        record: the event.
        stop: ends the run, so that another worker need not wait until the lease ends.
        over: whether the caller has asked for the next entry.
        tried: whether the caller tried to publish the event, with or without success.
        failure: the exception of a failed try; None: the try did not fail.
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
                "This entry's turn is over: publish each entry before you ask for the next. "
                "Another run yields it again."
            )
        try:
            yield self.record
        except Exception as error:  # noqa: BLE001 - a failed try; the next entry follows
            self.tried, self.failure = True, error
        except BaseException:
            self.stop()
            raise
        else:
            self.tried = True
