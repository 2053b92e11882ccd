"""`Outbox`: publishes the events that its filter chose when they were appended."""

from __future__ import annotations

import time
from contextlib import contextmanager
from threading import Event as Flag
from typing import TYPE_CHECKING, Final, Self
from uuid import uuid4

from dynamo_es.contracts.checks.arguments import check_consumer, check_position
from dynamo_es.contracts.checks.functions import check_injected, check_stop
from dynamo_es.contracts.consumers.leases import LeaseWatch
from dynamo_es.contracts.consumers.outbox import OutboxWorker
from dynamo_es.contracts.consumers.workers import in_thread
from dynamo_es.outbox.driving import one_by_one
from dynamo_es.outbox.manual_changes import Hand
from dynamo_es.outbox.publishing import checked_publisher
from dynamo_es.outbox.repeating import run_until
from dynamo_es.outbox.run import OutboxReport, Run
from dynamo_es.outbox.terms import DEFAULT_AGE, Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta
    from threading import Event

    from dynamo_es.contracts import LogStrategy
    from dynamo_es.contracts.consumers.outbox import OutboxEntry, OutboxStrategy
    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.outbox.driving import Tries
    from dynamo_es.outbox.publishing import Publisher, Publishing
    from dynamo_es.values import Position

DEFAULT_NAME: Final = "outbox"

_LOOK_EVERY: Final = 60.0
"""Seconds between two checks for events without a position, after a check that found none."""


class Outbox:
    """Publishes the events that the outbox filter chose when they were appended.

    ``backend.with_outbox().outbox.run_forever(publish)``

    Each event is published at least once. It is published twice only if a worker dies after it
    publishes the event and before it records that, or if a publisher takes longer than half the
    lease. If a publisher takes several events in a call (`SeveralPublisher`), all events of that
    call may be repeated. Receivers recognize a repeated event by its uuid. Safe to share between
    threads.

    Args:
        strategy: keeps the position and the failed entries.
        log: the log to read.
        deserialize: turns a raw event into a typed one; takes ``keep_unknown``.
        name: name of the outbox. Each name has its own position and failed entries.
        clock: returns seconds since the epoch. Clocks of other workers may differ.
        new_id: returns a new unique id for each run.
        watch: the leases of other workers that this process has seen; None: none so far.
    """

    def __init__(  # noqa: PLR0913 - what is injected, each by its name
        self,
        strategy: OutboxStrategy,
        log: LogStrategy,
        deserialize: Callable[..., Recorded],
        *,
        name: str = DEFAULT_NAME,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: uuid4().hex,
        watch: LeaseWatch | None = None,
    ) -> None:
        check_consumer(name)
        check_injected(clock=clock, new_id=new_id)
        self._strategy = strategy
        self._log = log
        self._deserialize = deserialize
        self._name = name
        self._clock = clock
        self._new_id = new_id
        self._watch = watch or LeaseWatch()
        self._look_at = 0.0

    @property
    def name(self) -> str:
        """The name of this outbox."""
        return self._name

    @property
    def position(self) -> Position:
        """The outbox has tried every event up to here; 0 before the first run. Cost: 1 request."""
        return self._strategy.look(self._name, self._now_ms()).position

    def named(self, name: str) -> Self:
        """Return another outbox for the same events, with its own position, for another receiver.

        Args:
            name: name of that outbox, text of at most 255 bytes, without ``#``.
        """
        return type(self)(
            self._strategy,
            self._log,
            self._deserialize,
            name=name,
            clock=self._clock,
            new_id=self._new_id,
            watch=self._watch,
        )

    def run_once(  # noqa: PLR0913 - chosen each by its name
        self,
        publisher: Publisher,
        limit: int = 100,
        *,
        attempts: int | None = None,
        give_up_after: timedelta | float = DEFAULT_AGE,
        retry_delay: timedelta | float = 1.0,
        lease: timedelta | float = 60.0,
        keep_unknown: bool = False,
        stop: Event | None = None,
    ) -> OutboxReport:
        """Publish the events that are due, and then the new ones, in the order of positions.

        Events that failed earlier are due when their delay is over. An event that cannot be
        published does not stop the others. A failed event whose stream was deleted is dropped.

        Args:
            publisher: a plain function, called with a `Recorded` for each event. If its attribute
                ``as_stored`` is True, as with the publishers in `dynamo_es.aws_lambda`, it gets the
                `RecordedRaw`, and needs no event classes. If the publisher raises an exception, or
                the event does not load, that is a failed try. A `BaseException` such as
                `KeyboardInterrupt` ends the run and does not count as a try.
            limit: most tries of this run, 1 or more.
            attempts: most tries of an event, 1 or more; None: as many as ``give_up_after`` allows.
            give_up_after: how long an event is tried again, a timedelta or seconds. The first
                failure after this time since the event's first try is the last: the event is dead
                until `Outbox.retry`.
            retry_delay: time between the first try and the second, a timedelta or seconds; each
                further wait is twice as long, up to an hour. 0: the next run tries again.
            lease: time that other workers stay out after each write of this worker, a timedelta or
                seconds, 1 second or more. A publisher must return within half of this time.
            keep_unknown: whether to pass an event without a class to the publisher as an
                `UnknownEvent`, with its data as stored. False: such an event is a failed try.
            stop: set it to return after the current call of the publisher.

        Returns:
            A report of the run. If another worker has the lease, nothing was done, and ``busy`` is
            True.

        Raises:
            InvalidSubscriptionError: the publisher is asynchronous or not callable, or a number is
                out of range. Also if the publisher returns an awaitable: the event then counts as
                not tried.
            InvalidConsumerError: the outbox's name cannot be part of a key.
            InvalidPositionError: the outbox is after the end of the log, so the log is another or a
                restored one.
            ServiceError: AWS refused or did not answer. Run again; the events of the last publisher
                call may be published again.

        Cost on DynamoDB: without work, 1 request and a read of the log, no write, and once a minute
        a look for events without a position. With work, 2 requests more, a write of 1 unit for each
        call of the publisher, and writes of 4 to 6 units for each failed try and for each event
        that is published after a failed try.
        """
        terms = Terms.of(limit, attempts, give_up_after, retry_delay, lease)
        publish = self._checked(publisher, keep_unknown=keep_unknown)
        if stop is not None:
            check_stop(stop)
        return self._new_run(terms.for_calls(publish.at_once, stop)).go(publish)

    def tries(
        self,
        limit: int = 100,
        *,
        attempts: int | None = None,
        give_up_after: timedelta | float = DEFAULT_AGE,
        retry_delay: timedelta | float = 1.0,
        lease: timedelta | float = 60.0,
    ) -> Tries[OutboxReport]:
        """Return a run as a generator, for callers that publish themselves.

        It yields a `RecordedRaw` for each event to publish. Send it the exception that publishing
        raised, or None. The generator returns the report. Close it to leave the rest to another
        run. Arguments and errors are those of `run_once`.
        """
        terms = Terms.of(limit, attempts, give_up_after, retry_delay, lease)
        return one_by_one(self._new_run(terms).rounds())

    def run_forever(  # noqa: PLR0913 - chosen each by its name
        self,
        publisher: Publisher,
        stop: Event | None = None,
        limit: int = 100,
        *,
        attempts: int | None = None,
        give_up_after: timedelta | float = DEFAULT_AGE,
        retry_delay: timedelta | float = 1.0,
        lease: timedelta | float = 60.0,
        keep_unknown: bool = False,
    ) -> OutboxReport:
        """Publish events as they come, until stopped.

        Without work, or while another worker has the lease, it looks again after 0.1 seconds, later
        after up to 1 second. It logs temporary errors (throttling, contention, lost connections) as
        warnings, and tries again.

        Args:
            publisher: as for `run_once`.
            stop: set it in another thread or a signal handler to return after the current run;
                None: run until an error.
            limit: most tries between two looks at ``stop``.
            attempts: as for `run_once`.
            give_up_after: as for `run_once`.
            retry_delay: as for `run_once`.
            lease: as for `run_once`.
            keep_unknown: as for `run_once`.

        Returns:
            One report of all runs; position and flags are those of the last run.

        Raises:
            Exception: the errors of `run_once`, except for temporary ones.
        """
        terms = Terms.of(limit, attempts, give_up_after, retry_delay, lease)
        publish = self._checked(publisher, keep_unknown=keep_unknown)
        stop = Flag() if stop is None else stop
        check_stop(stop)
        return self._run_until(stop, publish, terms)

    @contextmanager
    def in_background(  # noqa: PLR0913 - chosen each by its name
        self,
        publisher: Publisher,
        limit: int = 100,
        *,
        attempts: int | None = None,
        give_up_after: timedelta | float = DEFAULT_AGE,
        retry_delay: timedelta | float = 1.0,
        lease: timedelta | float = 60.0,
        keep_unknown: bool = False,
    ) -> Iterator[Self]:
        """Run in a thread during a ``with`` block: ``with outbox.in_background(publish):``.

        Arguments are those of `run_forever`. The publisher is called in that thread.

        Raises:
            Exception: the thread ended with an error; it is raised at the end of the block.
        """
        terms = Terms.of(limit, attempts, give_up_after, retry_delay, lease)
        publish = self._checked(publisher, keep_unknown=keep_unknown)
        with in_thread(
            lambda stop: self._run_until(stop, publish, terms), f"Outbox {self._name!r}"
        ):
            yield self

    def entries(self) -> list[OutboxEntry]:
        """Return the entries of failed events that are not published yet, sorted by position.

        Raises:
            InvalidConsumerError: the outbox's name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """
        return self._strategy.entries(self._name)

    def retry(self, position: Position) -> None:
        """Make the next run try a failed event again, with the tries and the time of a new event.

        Raises:
            UnknownOutboxEntryError: there is no entry at that position: its event never failed, or
                was published since.
            InvalidPositionError: the position is negative.
            InvalidConsumerError: the outbox's name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """
        check_position(position)
        self._strategy.retry(self._name, position, self._now_ms())

    def retry_all(self) -> int:
        """Make the next run try all dead entries again; return their number.

        Entries that wait for their next try do not change. Errors are those of `entries`.
        """
        dead = [entry for entry in self.entries() if entry.dead]
        for entry in dead:
            self._strategy.retry(self._name, entry.position, self._now_ms())
        return len(dead)

    def skip(self, position: Position) -> None:
        """Drop an entry, dead or not, without publishing its event.

        Raises:
            UnknownOutboxEntryError: there is no entry at that position.
            OutboxBusyError: a worker has the lease.
            EventStoreError: other errors of `retry`.

        Cost on DynamoDB: 5 requests.
        """
        check_position(position)
        self._hand().skip(position)

    def reset(self, position: Position) -> None:
        """Set the position back or forward: the next run publishes the events after it.

        If you set it back, the events in between are published again. Entries do not change.

        Raises:
            InvalidPositionError: the position is negative, or after the end of the log.
            OutboxBusyError: a worker has the lease.
            EventStoreError: other errors of `entries`.

        Cost on DynamoDB: 5 requests.
        """
        check_position(position, self._log.last_position or 0)
        self._hand().reset(position)

    def _hand(self) -> Hand:
        worker = OutboxWorker(self._name, self._new_id())
        return Hand(self._strategy, worker, self._watch, self._now_ms())

    def _checked(self, publisher: Publisher, *, keep_unknown: bool) -> Publishing:
        return checked_publisher(publisher, self._deserialize, keep_unknown=keep_unknown)

    def _run_until(self, stop: Event, publish: Publishing, terms: Terms) -> OutboxReport:
        terms = terms.for_calls(publish.at_once)
        return run_until(stop, self._name, lambda: self._new_run(terms).go(publish))

    def _new_run(self, terms: Terms) -> Run:
        worker, look = OutboxWorker(self._name, self._new_id()), self._look_further
        return Run(self._strategy, self._log, worker, terms, self._now_ms, self._watch, look)

    def _look_further(self) -> bool:
        """Look for events without a position, at most once a minute while there are none."""
        now = self._clock()
        if now < self._look_at:
            return False
        found = self._log.unsequenced()
        self._look_at = 0.0 if found else now + _LOOK_EVERY
        return found

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)
