"""`StreamPoller`: a worker that polls the events table's stream, and sequences new commits."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from dynamo_es.contracts.checks.functions import check_injected, check_stop
from dynamo_es.contracts.consumers.workers import WorkerReport, in_thread
from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
from dynamo_es.dynamodb.table_stream.rounds import Polled, Rounds
from dynamo_es.exceptions import CredentialsError, ServiceError, TableNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

    from dynamo_es.contracts import Observer
    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.table_stream.rounds import Progress
    from dynamo_es.values import Position

_log = logging.getLogger("dynamo_es")

NAME: Final = "sequencer"

SHORTEST_WAIT: Final = 0.1
LONGEST_WAIT: Final = 1.0
"""The longest time in seconds between two rounds while no records arrive."""
LONGEST_WAIT_AFTER_FAILURE: Final = 10.0
QUIET_ROUNDS: Final = 3
"""After this many empty rounds in a row the stream ends. AWS may return some empty pages before."""
QUIET_WAIT: Final = 0.5
"""Seconds between two empty rounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SequencerReport(WorkerReport):
    """The report of a run of a sequencer. `handled` counts the events that got positions.

    `failed` counts the records that were set aside because they cannot be read.

    Attributes:
        polled: counts of what the run read from the stream and wrote to the log.
    """

    polled: Polled = field(default_factory=Polled)

    @classmethod
    def of(cls, polled: Polled, position: Position) -> Self:
        """Return the report of some rounds, given the highest position that was assigned."""
        return cls(
            name=NAME,
            position=position,
            handled=polled.positions,
            failed=polled.set_aside,
            polled=polled,
        )

    @property
    def active(self) -> bool:
        """Whether the run read anything."""
        return not self.polled.idle


class StreamPoller:
    """Gives events their positions in the log, from the events table's stream.

    ``backend.sequencer.run_forever()`` runs one. Use a poller in one thread. Any number of pollers
    may run at once. A poller saves its places in the shards in the log table, and the next poller
    continues from them. It moves on in a shard only after everything it read there is in the log.

    Args:
        config: names of the tables.
        client: returns the client for the tables.
        streams: returns the client for ``dynamodbstreams``.
        observer: called with a report of each operation; None: no reports.
        memory: the memory of this process; None: a new one.
        monotonic: returns seconds of a monotonic clock.
        wait: waits until an event is set, at most the given number of seconds.
        sleep: waits the given number of seconds.
        on_progress: called after every 100 commits of a round.

    Raises:
        InputError: an injected function is not callable, or asynchronous.
    """

    def __init__(  # noqa: PLR0913 - injected, each by its name
        self,
        config: DynamoConfig,
        client: Callable[[], DynamoDBClient],
        streams: Callable[[], DynamoDBStreamsClient],
        observer: Observer | None = None,
        *,
        memory: SequencerMemory | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
        sleep: Callable[[float], None] = time.sleep,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        check_injected(monotonic=monotonic, wait=wait, sleep=sleep, on_progress=on_progress)
        config.refuse_in_replica("sequence")
        self._wait = wait
        memory = memory or SequencerMemory()
        self._rounds = Rounds(
            config, client, streams, observer, memory, monotonic, sleep, on_progress
        )

    def poll(self) -> Polled:
        """Read each shard once, and sequence the new records.

        Returns:
            The counts of this round. They include the work of an earlier round that failed.

        Raises:
            ConfigurationError: the events table has no stream, or a stream without new images.
            ServiceError: AWS refused or did not answer. Nothing is lost: call again.
        """
        return self._rounds.poll()

    def save(self) -> None:
        """Save the places in the shards. `run_once` and `run_forever` do it at their end.

        Raises:
            ServiceError: AWS refused or did not answer.
        """
        self._rounds.save()

    def run_once(
        self,
        stop: threading.Event | None = None,
        on_progress: Callable[[SequencerReport], None] | None = None,
    ) -> SequencerReport:
        """Poll until no more records arrive, and return a second or two after the last one.

        Args:
            stop: set it to return after the current request.
            on_progress: called with a report of each round.

        Returns:
            The report of all rounds.

        Raises:
            ConfigurationError: the events table has no stream, or one without new images.
            InvalidSubscriptionError: ``stop`` lacks ``is_set`` or ``wait``.
            ServiceError: AWS refused or did not answer. Nothing is lost: call again.
        """
        total, quiet = Polled(), 0
        stop = threading.Event() if stop is None else stop
        check_stop(stop)
        try:
            while quiet < QUIET_ROUNDS and not stop.is_set():
                polled = self._rounds.poll(stop.is_set)
                total += polled
                if on_progress is not None:
                    on_progress(SequencerReport.of(polled, self._rounds.position))
                quiet = quiet + 1 if polled.idle else 0
                if 0 < quiet < QUIET_ROUNDS:
                    self._wait(stop, QUIET_WAIT)
            return SequencerReport.of(total, self._rounds.position)
        finally:
            self._save_at_end()

    def run_forever(
        self,
        stop: threading.Event | None = None,
        on_progress: Callable[[SequencerReport], None] | None = None,
    ) -> SequencerReport:
        """Poll until stopped.

        While no records arrive, it polls after 0.1 s, later once a second. It logs errors of AWS as
        warnings and continues, except for those below.

        Args:
            stop: set it in another thread or a signal handler to return within a second, or after
                the current request; None: run until an error.
            on_progress: called with a report of each round.

        Returns:
            The report of all rounds.

        Raises:
            ConfigurationError: the events table has no stream, or one without new images.
            InvalidSubscriptionError: ``stop`` lacks ``is_set`` or ``wait``.
            CredentialsError: AWS credentials are missing or wrong.
            TableNotFoundError: a table is missing.
        """
        total, pause = Polled(), SHORTEST_WAIT
        stop = threading.Event() if stop is None else stop
        check_stop(stop)
        try:
            while not stop.is_set():
                try:
                    polled = self._rounds.poll(stop.is_set)
                except (CredentialsError, TableNotFoundError):
                    raise
                except ServiceError as error:
                    _log.warning(
                        "Could not poll the events table's stream, trying again: %s", error
                    )
                    longest = LONGEST_WAIT_AFTER_FAILURE
                else:
                    total += polled
                    if on_progress is not None:
                        on_progress(SequencerReport.of(polled, self._rounds.position))
                    longest = LONGEST_WAIT
                    if not polled.idle:
                        pause = SHORTEST_WAIT
                        continue
                self._wait(stop, min(pause, longest))
                pause = min(2 * pause, longest)
            return SequencerReport.of(total, self._rounds.position)
        finally:
            self._save_at_end()

    @contextmanager
    def in_background(
        self, on_progress: Callable[[SequencerReport], None] | None = None
    ) -> Iterator[Self]:
        """Run in a thread for the duration of a ``with`` statement.

        ``with backend.sequencer.in_background(): …``

        Args:
            on_progress: called with a report of each round, in that thread.

        Raises:
            Exception: at the end of the context, the error that ended the thread.
        """
        with in_thread(lambda stop: self.run_forever(stop, on_progress), "Sequencer"):
            yield self

    def _save_at_end(self) -> None:
        try:
            self.save()
        except ServiceError as error:
            _log.warning(
                "Could not save the sequencer's places in the stream, so the next one reads some "
                "records again: %s",
                error,
            )
