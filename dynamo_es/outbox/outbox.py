"""The outbox of a backend: publishes the events that were chosen when they were appended."""

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
from dynamo_es.outbox.by_hand import Hand
from dynamo_es.outbox.driving import one_by_one
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
"""Seconds between two checks for events without a position, if the last check found none."""


class Outbox:
    """Publishes the events that were chosen when they were appended, of all tenants.

    ``backend.with_outbox().outbox.run_forever(publish)``

    Each event is published at least once. It is published twice only if a worker dies between
    publishing it and recording that, or if a publisher takes longer than half the lease. A
    publisher that takes several events a call (`SeveralPublisher`) may repeat those of one call. A
    receiver recognizes a repetition by the event's uuid. Safe to share between threads.

    Args:
        strategy: keeps the position and the failed entries.
        log: holds the events.
        deserialize: makes a typed event of a record; takes ``keep_unknown``.
        name: name of the outbox; each has its own position and failed entries.
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
        """Every event up to here was tried; 0 before the first run. Cost: 1 request."""
        return self._strategy.look(self._name, self._now_ms()).position

    def named(self, name: str) -> Self:
        """Return another outbox of the same events, for another receiver.

        Args:
            name: text of at most 255 bytes, without ``#``.
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

        Events that failed earlier are due once their delay is over. An event that cannot be
        published does not hold up the others; one whose stream was deleted is dropped.

        Args:
            publisher: a plain function, called with a `Recorded` for each event. If its attribute
                ``as_stored`` is True, as with the publishers in `dynamo_es.aws_lambda`, it gets
                the `RecordedRaw`, and needs no event classes. An exception of the publisher, or
                of making the typed event, is a failed try. A `BaseException` such as
                `KeyboardInterrupt` ends the run and does not count as a try.
            limit: most tries of this run, 1 or more.
            attempts: most tries of an event, 1 or more; None: as many as its time allows.
            give_up_after: how long an event is tried again, a timedelta or seconds. A try that
                fails so long after the event's first try is the last. Then the event is dead
                until `Outbox.retry`.
            retry_delay: time between the first try and the second; each further wait is
                twice the one before, up to an hour. 0: the next run tries again.
            lease: time that other workers stay out after each write of this one, 1 s or more.
                A publisher must return within half of that time.
            keep_unknown: pass an event without a class to the publisher as an `UnknownEvent`, with
                its data as stored. If False, such an event is a failed try.
            stop: set it to return after the current call of the publisher.

        Returns:
            What the run did. If another worker has the lease: nothing, and ``busy`` is True.

        Raises:
            InvalidSubscriptionError: the publisher is asynchronous or not callable, or a number
                is out of range. A publisher that returns an awaitable ends the run, and nothing
                moves.
            InvalidConsumerError: the outbox's name cannot be part of a key.
            InvalidPositionError: the outbox is after the end of the log: the log is a different
                or restored one.
            ServiceError: AWS refused or did not answer. Run again; the event that was published
                last may be published again.

        Cost on DynamoDB: without work 1 request and a read of the log, no write, and once a
        minute a look for events after the end of the log. With work 2 requests more, a write of
        1 unit for each call of the publisher, and writes of 4 to 6 units for each failed try and
        for each event published after one.
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
        raised, or None. It returns the report. Close it to leave the rest to another run.

        Args and errors are those of `run_once`.
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
        """Run again and again until stopped.

        Without work, or while another worker has the lease, it looks again after 0.1 s, later after
        up to 1 s. It logs temporary errors (throttling, contention, lost connections) as warnings,
        and tries again.

        Args:
            publisher: see `run_once`, as for the other arguments.
            stop: set it in another thread or a signal handler to return after the current run;
                None: run until an error.
            limit: most tries between two looks at ``stop``.
            attempts: most tries of an event; None: any number.
            give_up_after: how long an event is tried again.
            retry_delay: time between the first try and the second.
            lease: time that other workers stay out after each write.
            keep_unknown: pass on an event without a class.

        Returns:
            The work of all runs in one report; position and flags are those of the last run.

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
        """Run in a thread within the context: ``with outbox.in_background(publish):``.

        Args are those of `run_forever`; the publisher is called in that thread.

        Raises:
            Exception: at the end of the context, the error that ended the thread.
        """
        terms = Terms.of(limit, attempts, give_up_after, retry_delay, lease)
        publish = self._checked(publisher, keep_unknown=keep_unknown)
        with in_thread(
            lambda stop: self._run_until(stop, publish, terms), f"Outbox {self._name!r}"
        ):
            yield self

    def entries(self) -> list[OutboxEntry]:
        """Return the events that failed and are not published yet, dead or not, by position.

        Raises:
            InvalidConsumerError: the outbox's name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """
        return self._strategy.entries(self._name)

    def retry(self, position: Position) -> None:
        """Make the next run try a failed event again, with the tries and the time of a new event.

        Raises:
            UnknownOutboxEntryError: no entry is at that position; it was never there, or its event
                is published by now.
            InvalidPositionError: a negative position.
            InvalidConsumerError: the outbox's name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """
        check_position(position)
        self._strategy.retry(self._name, position, self._now_ms())

    def retry_all(self) -> int:
        """Make the next run try all dead entries again; return their number.

        Entries that wait for their next try do not change. The errors are those of `entries`.
        """
        dead = [entry for entry in self.entries() if entry.dead]
        for entry in dead:
            self._strategy.retry(self._name, entry.position, self._now_ms())
        return len(dead)

    def skip(self, position: Position) -> None:
        """Drop an entry, dead or not, without publishing its event.

        Raises:
            UnknownOutboxEntryError: no entry is at that position.
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
            InvalidPositionError: negative, or after the end of the log.
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
        """Check for events after the end of the log; at most once a minute while it finds none."""
        now = self._clock()
        if now < self._look_at:
            return False
        found = self._log.unsequenced()
        self._look_at = 0.0 if found else now + _LOOK_EVERY
        return found

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)
