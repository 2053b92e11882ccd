"""`Rounds`: reads the shards of the events table's stream, and sequences the commits in them."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

from dynamo_es.dynamodb.log.logs import Logs
from dynamo_es.dynamodb.log.pages import MAX_POINTERS
from dynamo_es.dynamodb.log.sequencing_by_log import Sequencing
from dynamo_es.dynamodb.table_stream.shards import (
    Lineage,
    find_stream,
    list_shards,
    read_places,
    read_shard,
    save_places,
)
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.exceptions import ServiceError, TableNotFoundError
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

    from dynamo_es.contracts import Observer
    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.log.pointers import Pointer
    from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
    from dynamo_es.dynamodb.table_stream.shards import Reading
    from dynamo_es.dynamodb.wire.steps import Response, Steps, T
    from dynamo_es.values import Position, TenantId

_log = logging.getLogger("dynamo_es")

SAVE_EVERY: Final = 5.0
"""Seconds between two saves. After a crash, records since the last save are read again."""
LIST_EVERY: Final = 60.0
"""Seconds between two lists of the shards."""
LIST_AGAIN_AFTER: Final = 1.0
"""Seconds between two lists while shards are missing. AWS allows an account 10 a second."""


class _StoppedError(Exception):
    """An algorithm was stopped before its end."""


@dataclass(frozen=True, slots=True)
class Polled:
    """The counts of one or more rounds.

    Attributes:
        records: number of records read.
        commits: number of commits among them.
        skipped: number of records of items that this library did not write.
        pages: number of pages put into the log.
        positions: number of assigned positions, one for each event.
        trimmed: number of times that records were gone before they were read.
        ended: number of shards read to their end.
        set_aside: number of records of commits, fences and snapshots that cannot be read.
        waiting: number of commits without a position because an earlier one is set aside.
    """

    records: int = 0
    commits: int = 0
    skipped: int = 0
    pages: int = 0
    positions: int = 0
    trimmed: int = 0
    ended: int = 0
    set_aside: int = 0
    waiting: int = 0

    def __add__(self, other: Polled) -> Polled:
        return Polled(
            *(getattr(self, each.name) + getattr(other, each.name) for each in fields(self))
        )

    @property
    def idle(self) -> bool:
        """Whether the rounds found nothing to read."""
        return not self.records and not self.ended


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a round.

    Attributes:
        commits: number of the round's commits that are in the log.
        pending: number of the round's commits that are not in the log yet.
        positions: number of positions assigned in this round, one for each event.
        written_at: when the records of this round were written, in seconds since the epoch; None:
            the stream does not say.
    """

    commits: int
    pending: int
    positions: int
    written_at: float | None


class Rounds:
    """Reads the shards of a stream round by round, and gives the commits to the sequencer.

    Args:
        config: names of the tables.
        client: returns the client for the tables.
        streams: returns the client for ``dynamodbstreams``.
        observer: called with a report of each operation; None: no reports.
        memory: the memory of this process.
        monotonic: returns seconds of a monotonic clock.
        sleep: waits the given number of seconds.
        on_progress: called with the progress after every 100 commits of a round.

    Attributes:
        position: the highest position that this object has assigned; 0 before the first.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what is injected
        self,
        config: DynamoConfig,
        client: Callable[[], DynamoDBClient],
        streams: Callable[[], DynamoDBStreamsClient],
        observer: Observer | None,
        memory: SequencerMemory,
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self._logs = Logs.of(config)
        self._sequencing = Sequencing(
            self._logs, self._run_unless_stopped, memory, parallel=config.max_parallel
        )
        self._on_progress = on_progress
        self._stopped: Callable[[], bool] = lambda: False
        self._monotonic = monotonic
        # Neither DynamoDB Streams nor DescribeTable accepts ReturnConsumedCapacity.
        plain = replace(config, report_capacity=False)
        self._gateway = Gateway(client, config, observer, sleep, monotonic)
        self._descriptions = Gateway(client, plain, observer, sleep, monotonic)
        # A gateway uses only methods that every boto3 client has.
        self._streams = Gateway(streams, plain, observer, sleep, monotonic)  # type: ignore[arg-type]
        self._lineage: Lineage | None = None
        self._outdated = False
        self._listed_at = 0.0
        self._saved_at = 0.0
        self._uncounted = Polled()
        self.position: Position = 0

    def poll(self, stopped: Callable[[], bool] = lambda: False) -> Polled:
        """Read each shard once, and put the commits that were read into the log.

        Args:
            stopped: called before each request; True ends the round there. The next round reads
                the records again that this one did not sequence.

        Returns:
            The counts of this round. They include the work of an earlier round that failed.

        Raises:
            ConfigurationError: the events table has no stream, or a stream without new images.
            ServiceError: AWS refused or did not answer. Nothing is lost: call again.
        """
        self._stopped = stopped
        failure: ServiceError | None = None
        try:
            readings, failure = self._read(self._listed())
            self._sequence(readings)
        except _StoppedError:
            pass
        if self._monotonic() - self._saved_at >= SAVE_EVERY:
            self.save()
        if failure is not None:
            raise failure
        polled, self._uncounted = self._uncounted, Polled()
        return polled

    def save(self) -> None:
        """Save the places in the shards. A round does this every few seconds.

        Raises:
            ServiceError: AWS refused or did not answer.
        """
        self._saved_at = self._monotonic()
        if self._lineage is not None:
            steps = save_places(self._logs.table, self._lineage)
            self._run(self._gateway, "save_places", steps)

    def _listed(self) -> Lineage:
        """Return the shards, listed again if some are missing or the list is old."""
        lineage = self._lineage
        since = self._monotonic() - self._listed_at
        if lineage is None or since >= LIST_EVERY:
            return self._list()
        missing = self._outdated or lineage.incomplete or not lineage.readable()
        return self._list() if missing and since >= LIST_AGAIN_AFTER else lineage

    def _list(self) -> Lineage:
        lineage = self._lineage
        if lineage is None or lineage.exhausted:
            lineage = self._found()
        try:
            listed = self._run(self._streams, "list_shards", list_shards(lineage.arn))
        except TableNotFoundError:
            if self._lineage is None:
                raise
            # The stream was turned off more than a day ago, or the table was created again.
            self.save()
            self._lineage = None
            return self._list()
        self._listed_at = self._monotonic()
        self._lineage, self._outdated = lineage, False
        for shard_id in lineage.update(listed):
            self._note_trimmed(shard_id)
        return lineage

    def _found(self) -> Lineage:
        """Return the shards of the table's current stream, whose ARN may be a new one."""
        arn = self._run(self._descriptions, "find_stream", find_stream(self._logs.events))
        if self._lineage is not None:
            if self._lineage.arn == arn:
                return self._lineage
            self.save()
        return Lineage(arn, self._run(self._gateway, "read_places", read_places(self._logs.table)))

    def _read(self, lineage: Lineage) -> tuple[list[Reading], ServiceError | None]:
        """Read every shard once, even if one fails; return the last failure too."""
        readings: list[Reading] = []
        failure: ServiceError | None = None
        for shard in lineage.readable():
            if self._stopped():
                break
            try:
                steps = read_shard(lineage.arn, shard)
                readings.append(self._run(self._streams, "read_shard", steps))
            except TableNotFoundError:
                # The shard or the stream is gone: the next list shows which.
                self._outdated = True
            except ServiceError as error:
                failure = error
        return readings, failure

    def _sequence(self, readings: list[Reading]) -> None:
        """Sequence the commits that were read, and move each shard on when its commits are done.

        If a shard is not moved on, the next round reads its records again.
        """
        hints = [hint for reading in readings for hint in reading.found.pointers]
        damaged = [error for reading in readings for error in reading.found.damaged]
        if damaged:
            self._sequencing.set_aside(damaged)
        left = list(readings)
        undone = len(hints)  # commits of the readings in `left`
        positions = 0
        # In parts, because each operation has one deadline.
        for begin in range(0, len(hints), MAX_POINTERS):
            part = hints[begin : begin + MAX_POINTERS]
            positions += self._sequence_part(part)
            pending = len(hints) - begin - len(part)
            while left and undone - len(left[0].found.pointers) >= pending:
                undone -= len(left[0].found.pointers)
                self._finish(left.pop(0))
            written = [one.newest_at for one in readings if one.newest_at is not None]
            written_at = min(written, default=None)
            self._on_progress(Progress(begin + len(part), pending, positions, written_at))
        for reading in left:
            self._finish(reading)

    def _sequence_part(self, part: list[Pointer]) -> int:
        done = self._sequencing.sequence(part)
        self.position = max([self.position, *(page.following - 1 for page in done.pages)])
        self._uncounted += Polled(
            pages=len(done.pages), positions=done.positions, waiting=done.waiting
        )
        if done.failure is not None:
            raise done.failure
        return done.positions

    def _run_unless_stopped(self, operation: str, tenant_id: TenantId, steps: Steps[T]) -> T:
        steps = _until_stopped(self._stopped, steps)
        return self._run(self._gateway, operation, steps, tenant_id)

    def _finish(self, reading: Reading) -> None:
        reading.advance()
        self._uncounted += Polled(
            records=reading.records,
            commits=len(reading.found.pointers),
            skipped=len(reading.found.foreign),
            ended=reading.shard.finished,
            set_aside=len(reading.found.damaged),
        )
        if reading.trimmed:
            self._note_trimmed(reading.shard.id)

    def _note_trimmed(self, shard_id: str) -> None:
        self._uncounted += Polled(trimmed=1)
        _log.warning(
            "Records of shard %s expired before they were read, because a stream keeps them for 24 "
            "hours. Their commits may be missing in the log: run `dynamo-es log repair`.",
            shard_id,
        )

    def _run(
        self,
        gateway: Gateway,
        operation: str,
        steps: Steps[T],
        tenant_id: TenantId = DEFAULT_TENANT,
    ) -> T:
        return gateway.run(operation, tenant_id, None, steps)


def _until_stopped(stopped: Callable[[], bool], steps: Steps[T]) -> Steps[T]:
    """Run an algorithm to its end, or stop it before one of its requests.

    Args:
        stopped: called before each request; True stops the algorithm.
        steps: an algorithm that is safe to stop at any request.

    Raises:
        _StoppedError: the algorithm was stopped, and its next request was not sent.
    """
    reply: Response | Exception | None = None
    while True:
        try:
            if isinstance(reply, Exception):
                request = steps.throw(reply)
            else:
                request = next(steps) if reply is None else steps.send(reply)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        if stopped():
            steps.close()
            raise _StoppedError
        try:
            reply = yield request
        except Exception as error:  # noqa: BLE001 - the algorithm handles it
            reply = error
