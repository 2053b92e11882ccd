"""The outbox of a backend, as its user has it."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final, Self
from uuid import uuid4

from dynamo_es.contracts.checks import check_position
from dynamo_es.contracts.error_texts import describe_error
from dynamo_es.contracts.functions import check_stop, refuse_asynchronous
from dynamo_es.contracts.leases import LeaseWatch
from dynamo_es.contracts.outbox import Claim
from dynamo_es.exceptions import (
    ContentionError,
    InvalidSubscriptionError,
    ThrottledError,
    UnavailableError,
)
from dynamo_es.outbox.handing import ROLE, handing
from dynamo_es.outbox.run import Run
from dynamo_es.outbox.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from dynamo_es.contracts import LogStrategy
    from dynamo_es.contracts.outbox import OutboxEntry, OutboxStrategy
    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.outbox.run import OutboxReport, Publisher, Tries
    from dynamo_es.values import Position

_logger = logging.getLogger("dynamo_es")

DEFAULT_NAME: Final = "outbox"

_SHORTEST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 1.0
"""Seconds between two looks of `Outbox.run_forever`, when nothing comes."""

_LOOK_EVERY: Final = 60.0
"""Seconds between two looks for events that have no position, where the last found none."""

_PASSING: Final = (ThrottledError, ContentionError, UnavailableError)


class Outbox:
    """Publishes the events that were chosen when they were appended, of all tenants.

    Each is published at least once: once, unless a worker dies between publishing an event and
    recording that it did, or a publisher takes longer than half the lease. A receiver can tell
    repetitions by the event's uuid. Safe to share between threads.

    Args:
        strategy: keeps how far it is, and what failed.
        log: holds the events.
        deserialize: makes a record of the log an event of its class, by its tenant's means; takes
            ``keep_unknown``.
        name: of the outbox; each has a position and failed entries of its own.
        clock: seconds since the epoch. Those of other workers need not agree with it.
        new_id: makes up the name of a worker, unlike every other.
        watch: what this process has seen of others' leases; None: nothing so far.
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
        """Its name."""
        return self._name

    def named(self, name: str) -> Self:
        """Return another outbox with the same events: for another receiver, say.

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

    def run(
        self,
        publisher: Publisher,
        limit: int = 100,
        *,
        attempts: int = 3,
        retry_delay: float = 1.0,
        lease: float = 60.0,
        keep_unknown: bool = False,
    ) -> OutboxReport:
        """Publish what is there to be published, in the order of positions.

        First what failed before and is due again, then what is new. An event that cannot be
        published does not hold up the others; one whose stream was deleted is dropped.

        Args:
            publisher: a plain function, called with a `Recorded` for each, or with a `RecordedRaw`
                if its attribute ``as_stored`` is True, as that of the publishers in
                `dynamo_es.aws_lambda` is: then no class is needed. An exception, as one of making
                the event from what is stored, is a try in vain. What is no `Exception`, such as
                `KeyboardInterrupt`, is no try; it ends the run, and is raised.
            limit: most tries of this run, 1 or more.
            attempts: most tries of an event, 1 or more; then it is dead until it is put back by
                `retry`.
            retry_delay: seconds between the first try and the second; each further wait is
                twice the one before, up to a day. 0: it is tried again by the next run.
            lease: seconds for which other workers stay out after each write of this one, 1 or
                more. A publisher has to be done within half of it.
            keep_unknown: give the publisher an event that no class here can take as an
                `UnknownEvent`, as it is stored; without it, that is a try in vain.

        Returns:
            What was done. Nothing, if another worker is at it.

        Raises:
            InvalidSubscriptionError: the publisher cannot be called or is asynchronous, or a
                number is out of range. One that returns an awaitable ends the run: nothing moves.
            InvalidConsumerError: the outbox has a name that cannot make a key.
            InvalidPositionError: the outbox is further than the log: another log, or one that was
                restored.
            ServiceError: AWS refused or did not answer. Run again; what was published just before
                may be published again.

        Cost on DynamoDB: 1 request and a read of the log where nothing is to be done, and no
        write; once a minute a look for events after the end of the log. Else 2 more, and a write
        of 1 unit for each event that is published, of 4 to 6 for each try that fails and each
        event that is published after such a try.
        """
        return self._run(
            publisher, Terms(limit, attempts, retry_delay, lease), keep_unknown=keep_unknown
        )

    def tries(
        self, limit: int = 100, *, attempts: int = 3, retry_delay: float = 1.0, lease: float = 60.0
    ) -> Tries[OutboxReport]:
        """Return a run as a generator, for a caller who publishes by himself.

        It yields what is to be published, as the log has it; send it the exception that failed
        of, or None. It returns the report. Close it to leave the rest to another run.

        Args and errors are those of `run`.
        """
        return self._new_run(Terms(limit, attempts, retry_delay, lease)).tries()

    def run_forever(
        self,
        publisher: Publisher,
        stop: Event,
        limit: int = 100,
        *,
        attempts: int = 3,
        retry_delay: float = 1.0,
        lease: float = 60.0,
    ) -> None:
        """Run again and again until told to stop, which takes effect between two runs.

        Where there was nothing to do, or another worker is at it, it looks again after 0.1 s,
        later after up to 1 s. Throttling, contention and a service that does not answer are
        logged as warnings, and it goes on.

        Args:
            publisher: see `run`.
            stop: ends it when set.
            limit: see `run`.
            attempts: see `run`.
            retry_delay: see `run`.
            lease: see `run`.

        Raises: as `run`.
        """
        terms = Terms(limit, attempts, retry_delay, lease)
        check_stop(stop)
        wait = _SHORTEST_WAIT
        while not stop.is_set():
            try:
                active = self._run(publisher, terms).active
            except _PASSING as error:
                _logger.warning("Outbox %s: %s", self._name, describe_error(error))
                active, wait = False, _LONGEST_WAIT
            if active:
                wait = _SHORTEST_WAIT
            elif stop.wait(wait):
                return
            else:
                wait = min(wait * 2, _LONGEST_WAIT)

    def entries(self) -> list[OutboxEntry]:
        """Return the events that failed and were not published since, dead or not, by position.

        Raises:
            InvalidConsumerError: the outbox has a name that cannot make a key.
            ServiceError: AWS refused or did not answer.
        """
        return self._strategy.entries(self._name)

    def retry(self, position: Position) -> None:
        """Put an entry back: the next run tries it, and as often as a new one.

        Raises:
            UnknownOutboxEntryError: nothing at that position failed, or it was published since.
            InvalidPositionError: negative.
            InvalidConsumerError, ServiceError: as `entries`.
        """
        check_position(position)
        self._strategy.retry(self._name, position, self._now())

    def retry_all(self) -> int:
        """Put all dead entries back; return how many. Those that wait are left as they are.

        Raises: as `entries`.
        """
        dead = [entry for entry in self.entries() if entry.dead]
        for entry in dead:
            self._strategy.retry(self._name, entry.position, self._now())
        return len(dead)

    def _run(
        self, publisher: Publisher, terms: Terms, *, keep_unknown: bool = False
    ) -> OutboxReport:
        if not callable(publisher):
            raise InvalidSubscriptionError(
                f"A publisher is called with each event; {publisher!r} cannot be."
            )
        refuse_asynchronous(publisher, ROLE)
        hand_over = handing(publisher, self._deserialize, keep_unknown=keep_unknown)
        return self._new_run(terms).go(hand_over)

    def _new_run(self, terms: Terms) -> Run:
        claim = Claim(self._name, self._new_id())
        return Run(
            self._strategy, self._log, claim, terms, self._now, self._watch, self._look_further
        )

    def _look_further(self) -> bool:
        """Look for events after the end of the log; where none were, not again for a minute."""
        now = self._clock()
        if now < self._look_at:
            return False
        found = self._log.unsequenced()
        self._look_at = 0.0 if found else now + _LOOK_EVERY
        return found

    def _now(self) -> int:
        return int(self._clock() * 1000)
