"""A poller of the events table's stream: hands what was written to the sequencer."""

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
"""Seconds between two rounds, while nothing comes."""
LONGEST_WAIT_AFTER_FAILURE: Final = 10.0
QUIET_ROUNDS: Final = 3
"""In a row: then all was read. One is no proof, AWS may answer with nothing on the way."""
QUIET_WAIT: Final = 0.5


class StreamPoller:
    """Polls the stream of the events table. For one thread; any number may run at once.

    Where it is, is saved in the log's table, so that the next one goes on there. A shard moves
    on only when what was read of it is in the log.

    Args:
        config: names of the tables.
        client: makes the client for the tables, or hands it out.
        streams: the same of the client for ``dynamodbstreams``.
        observer: told of each operation; None: nobody.
        memory: what the process knows of the log; None: one of its own.
        monotonic: seconds of a clock that only goes forward.
        wait: waits until an event is set, or so many seconds.
        sleep: waits so many seconds.
        on_progress: told how far a round is, after every hundred commits.
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
        """Read on once in each shard, and sequence what came.

        Returns:
            What it came to, with what an earlier round had done when it failed.

        Raises:
            ConfigurationError: the events table has no stream, or one without images.
            ServiceError: AWS refused or did not answer; nothing is lost, call again.
        """
        return self._rounds.poll()

    def save(self) -> None:
        """Save where it is; `run` and `drain` do.

        Raises:
            ServiceError: AWS refused or did not answer.
        """
        self._rounds.save()

    def run(
        self, stop: threading.Event, on_round: Callable[[Polled], None] = lambda _: None
    ) -> None:
        """Poll until told to stop, at ever longer intervals while nothing comes.

        Args:
            stop: ends it within a second, or after the request in hand.
            on_round: called with what each round came to.

        Raises:
            ConfigurationError: the events table has no stream, or one without images.
            CredentialsError: what is missing will not come by trying again.
            TableNotFoundError: neither will this. Other failures are logged, and tried again.
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
        """Poll until nothing comes any more; return what all of it came to.

        Args:
            stop: ends it earlier, after the request in hand.

        Raises:
            ConfigurationError: the events table has no stream, or one without images.
            ServiceError: AWS refused or did not answer; nothing is lost, call again.
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
        """Run it in a thread of its own within the context.

        Raises:
            EventStoreError: at the end of the context, what ended the thread before.
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
            _log.warning("Where the poller is was not saved, so it will begin earlier: %s", error)
