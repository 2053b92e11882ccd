"""`StreamPoller`: polls the events table's stream, and puts new commits into the log."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self

from dynamo_es.dynamodb.log.sequencer import SequencerMemory
from dynamo_es.dynamodb.table_stream.rounds import Polled, Rounds
from dynamo_es.exceptions import CredentialsError, ServiceError, TableNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

    from dynamo_es.contracts import Observer
    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.table_stream.rounds import Progress

_log = logging.getLogger("dynamo_es")

SHORTEST_WAIT: Final = 0.1
LONGEST_WAIT: Final = 1.0
"""Seconds between two rounds while nothing is written."""
LONGEST_WAIT_AFTER_FAILURE: Final = 10.0
QUIET_ROUNDS: Final = 3
"""Empty rounds in a row after which everything is read. AWS may reply with no records before."""
QUIET_WAIT: Final = 0.5
"""Seconds between two empty rounds."""


class StreamPoller:
    """Polls the stream of the events table. Use each in one thread; any number may run at once.

    The poller saves its places in the log table, and the next one goes on from there. A shard
    moves on only when the log has everything that was read from it.

    Args:
        config: names of the tables.
        client: returns the client for the tables.
        streams: returns the client for ``dynamodbstreams``.
        observer: receives a report of each operation. None: no reports.
        memory: what the process remembers of the log. None: a new one.
        monotonic: returns seconds of a clock that never goes back.
        wait: waits until an event is set, or for so many seconds.
        sleep: waits for so many seconds.
        on_progress: called after every hundred commits of a round with its progress.
    """

    def __init__(  # noqa: PLR0913 - what is injected, each by its name
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
        self._wait = wait
        memory = memory or SequencerMemory()
        self._rounds = Rounds(
            config, client, streams, observer, memory, monotonic, sleep, on_progress
        )

    def poll(self) -> Polled:
        """Read each shard once, and put the commits that were read into the log.

        Returns:
            What this round did. It includes the work of an earlier round that failed half done.

        Raises:
            ConfigurationError: the events table has no stream, or a stream without new images.
            ServiceError: AWS refused or did not answer. Nothing is lost: call again.
        """
        return self._rounds.poll()

    def save(self) -> None:
        """Save the places in the shards. `run` and `drain` do this for you.

        Raises:
            ServiceError: AWS refused or did not answer.
        """
        self._rounds.save()

    def run(
        self, stop: threading.Event, on_round: Callable[[Polled], None] = lambda _: None
    ) -> None:
        """Poll until the event is set, at longer intervals while nothing is written.

        Failures that may pass are logged, and the poller goes on.

        Args:
            stop: ends the poller within a second, or after the request in hand.
            on_round: called with what each round did.

        Raises:
            ConfigurationError: the events table has no stream, or a stream without new images.
            CredentialsError: the credentials are missing or not sufficient.
            TableNotFoundError: a table is missing.
        """
        pause = SHORTEST_WAIT
        try:
            while not stop.is_set():
                try:
                    polled = self._rounds.poll(stop.is_set)
                except (CredentialsError, TableNotFoundError):
                    raise
                except ServiceError as error:
                    _log.warning("Polling the events table's stream failed, going on: %s", error)
                    longest = LONGEST_WAIT_AFTER_FAILURE
                else:
                    on_round(polled)
                    longest = LONGEST_WAIT
                    if not polled.idle:
                        pause = SHORTEST_WAIT
                        continue
                self._wait(stop, min(pause, longest))
                pause = min(2 * pause, longest)
        finally:
            self._save_at_end()

    def drain(self, stop: threading.Event | None = None) -> Polled:
        """Poll until everything is read; return what all rounds did together.

        Args:
            stop: ends the poller earlier, after the request in hand.

        Raises:
            ConfigurationError: the events table has no stream, or a stream without new images.
            ServiceError: AWS refused or did not answer. Nothing is lost: call again.
        """
        total, quiet = Polled(), 0
        stop = stop or threading.Event()
        try:
            while quiet < QUIET_ROUNDS and not stop.is_set():
                polled = self._rounds.poll(stop.is_set)
                total += polled
                quiet = quiet + 1 if polled.idle else 0
                if 0 < quiet < QUIET_ROUNDS:
                    self._wait(stop, QUIET_WAIT)
            return total
        finally:
            self._save_at_end()

    @contextmanager
    def in_background(self) -> Iterator[Self]:
        """Run the poller in a thread of its own within the context.

        Raises:
            EventStoreError: raised at the end of the context if the poller failed before.
        """
        stop = threading.Event()
        failures: list[BaseException] = []

        def run() -> None:
            try:
                self.run(stop)
            except BaseException as error:  # noqa: BLE001 - raised where the context ends
                _log.error("Polling the events table's stream has ended: %s", error)
                failures.append(error)

        thread = threading.Thread(target=run, name="dynamo-es-poller", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            stop.set()
            thread.join()
        if failures:
            raise failures[0]

    def _save_at_end(self) -> None:
        try:
            self.save()
        except ServiceError as error:
            _log.warning(
                "The poller could not save its places, so the next one reads some records again: "
                "%s",
                error,
            )
