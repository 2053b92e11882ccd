"""Rounds over the shards of the events table's stream: what was written goes into the log."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

from dynamo_es.dynamodb.log.items import MAX_POINTERS
from dynamo_es.dynamodb.log.sequencer import Tables, sequence
from dynamo_es.dynamodb.log.set_aside import set_aside
from dynamo_es.dynamodb.table_stream.requests import describe_table
from dynamo_es.dynamodb.table_stream.shards import (
    Lineage,
    list_shards,
    read_places,
    read_shard,
    save_places,
)
from dynamo_es.dynamodb.table_stream.stopping import StoppedError, until
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.exceptions import ConfigurationError, ServiceError, TableNotFoundError
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

    from dynamo_es.contracts import Observer
    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.log.sequencer import Hint, SequencerMemory
    from dynamo_es.dynamodb.table_stream.shards import Reading
    from dynamo_es.dynamodb.wire.steps import Steps, T
    from dynamo_es.values import Position

_log = logging.getLogger("dynamo_es")

SAVE_EVERY: Final = 5.0
"""Seconds: what was read since is read again after a crash, and changes nothing."""
LIST_EVERY: Final = 60.0
LIST_AGAIN_AFTER: Final = 1.0
"""Seconds between two lists while shards are missing: AWS allows ten a second to an account."""

_IMAGES: Final = frozenset({"NEW_IMAGE", "NEW_AND_OLD_IMAGES"})


@dataclass(frozen=True, slots=True)
class Polled:
    """What came of one or more rounds.

    Attributes:
        records: of the stream.
        hints: commits among them.
        skipped: records of items that are nothing of this library's.
        pages: put into the log.
        positions: given, that is events.
        trimmed: how often records were gone before they were read.
        ended: shards read to their end.
        set_aside: records of commits, fences and snapshots that cannot be read.
        waiting: commits that got no position, because one before them is set aside.
    """

    records: int = 0
    hints: int = 0
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
        """Whether there was nothing to read."""
        return not self.records and not self.ended


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a round is.

    Attributes:
        commits: of this round that are in the log by now.
        pending: of this round that are not.
        positions: given in this round, that is events.
        written_at: when what was read in this round was written, seconds since the epoch; None:
            the stream does not say.
    """

    commits: int
    pending: int
    positions: int
    written_at: float | None


class Rounds:
    """Reads a stream's shards round by round, and hands what came to the sequencer.

    Args:
        config: names of the tables.
        client: makes the client for the tables, or hands it out.
        streams: the same of the client for ``dynamodbstreams``.
        observer: told of each operation; None: nobody.
        memory: what the process knows of the log.
        monotonic: seconds of a clock that only goes forward.
        sleep: waits so many seconds.
        on_progress: told how far a round is, after every hundred commits.

    Attributes:
        position: highest position that this object has given; 0 before the first.
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
        self._tables = Tables(config.events_table, config.log_table)
        self._memory = memory
        self._on_progress = on_progress
        self._stopped: Callable[[], bool] = lambda: False
        self._monotonic = monotonic
        # Neither the streams nor a table's description take ReturnConsumedCapacity.
        plain = replace(config, report_capacity=False)
        self._gateway = Gateway(client, config, observer, sleep, monotonic)
        self._descriptions = Gateway(client, plain, observer, sleep, monotonic)
        # A gateway uses of a client what all clients have.
        self._streams = Gateway(streams, plain, observer, sleep, monotonic)  # type: ignore[arg-type]
        self._lineage: Lineage | None = None
        self._outdated = False
        self._listed_at = 0.0
        self._saved_at = 0.0
        self._uncounted = Polled()
        self.position: Position = 0

    def poll(self, stopped: Callable[[], bool] = lambda: False) -> Polled:
        """Read on once in each shard, and sequence what came.

        Args:
            stopped: asked before each request whether to end the round there; what it has read
                and not sequenced is read again by the next one.

        Returns:
            What it came to, with what an earlier round had done when it failed.

        Raises:
            ConfigurationError: the events table has no stream, or one without images.
            ServiceError: AWS refused or did not answer; nothing is lost, call again.
        """
        self._stopped = stopped
        failure: ServiceError | None = None
        try:
            readings, failure = self._read(self._listed())
            self._sequence(readings)
        except StoppedError:
            pass
        if self._monotonic() - self._saved_at >= SAVE_EVERY:
            self.save()
        if failure is not None:
            raise failure
        polled, self._uncounted = self._uncounted, Polled()
        return polled

    def save(self) -> None:
        """Save where it is: a round does now and then.

        Raises:
            ServiceError: AWS refused or did not answer.
        """
        self._saved_at = self._monotonic()
        if self._lineage is not None:
            steps = save_places(self._tables.log, self._lineage)
            self._run(self._gateway, "save_places", steps)

    def _listed(self) -> Lineage:
        """Return the shards, listed again if some are missing, or after a while."""
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
            # Turned off more than a day ago, or the table was made again.
            self.save()
            self._lineage = None
            return self._list()
        self._listed_at = self._monotonic()
        self._lineage, self._outdated = lineage, False
        for shard_id in lineage.update(listed):
            self._note_trimmed(shard_id)
        return lineage

    def _found(self) -> Lineage:
        """Return what is known of the table's stream: turned on again, it is another one."""
        arn = self._run(self._descriptions, "find_stream", _find_stream(self._tables.events))
        if self._lineage is not None:
            if self._lineage.arn == arn:
                return self._lineage
            self.save()
        return Lineage(arn, self._run(self._gateway, "read_places", read_places(self._tables.log)))

    def _read(self, lineage: Lineage) -> tuple[list[Reading], ServiceError | None]:
        """Read on in every shard; one that fails is no reason to leave the others."""
        readings: list[Reading] = []
        failure: ServiceError | None = None
        for shard in lineage.readable():
            if self._stopped():
                break
            try:
                steps = read_shard(lineage.arn, shard)
                readings.append(self._run(self._streams, "read_shard", steps))
            except TableNotFoundError:
                # The shard is gone, or the stream: the next list shows it.
                self._outdated = True
            except ServiceError as error:
                failure = error
        return readings, failure

    def _sequence(self, readings: list[Reading]) -> None:
        """Sequence what was read, and move on each shard of which all is in the log."""
        hints = [hint for reading in readings for hint in reading.found.hints]
        damaged = [error for reading in readings for error in reading.found.damaged]
        if damaged:
            steps = set_aside(self._tables.log, damaged, self._memory)
            self._run(self._gateway, "set_aside", steps)
        left = list(readings)
        undone = len(hints)  # commits of the readings that are left
        positions = 0
        # In parts: each has a deadline of its own.
        for begin in range(0, len(hints), MAX_POINTERS):
            part = hints[begin : begin + MAX_POINTERS]
            positions += self._sequence_part(part)
            pending = len(hints) - begin - len(part)
            while left and undone - len(left[0].found.hints) >= pending:
                undone -= len(left[0].found.hints)
                self._deal_with(left.pop(0))
            written = [one.newest_at for one in readings if one.newest_at is not None]
            written_at = min(written, default=None)
            self._on_progress(Progress(begin + len(part), pending, positions, written_at))
        for reading in left:
            self._deal_with(reading)

    def _sequence_part(self, part: list[Hint]) -> int:
        waiting = self._memory.waiting
        steps = until(self._stopped, sequence(self._tables, part, self._memory))
        pages = self._run(self._gateway, "sequence", steps)
        positions = sum(page.following - page.first for page in pages)
        self.position = max([self.position, *(page.following - 1 for page in pages)])
        self._uncounted += Polled(
            pages=len(pages), positions=positions, waiting=self._memory.waiting - waiting
        )
        return positions

    def _deal_with(self, reading: Reading) -> None:
        reading.advance()
        self._uncounted += Polled(
            records=reading.records,
            hints=len(reading.found.hints),
            skipped=len(reading.found.foreign),
            ended=reading.shard.finished,
            set_aside=len(reading.found.damaged),
        )
        if reading.trimmed:
            self._note_trimmed(reading.shard.id)

    def _note_trimmed(self, shard_id: str) -> None:
        self._uncounted += Polled(trimmed=1)
        _log.warning(
            "Records of shard %s were gone before they were read: a stream keeps them for 24 "
            "hours. What they told of may be missing in the log: run `dynamo-es log repair`.",
            shard_id,
        )

    def _run(self, gateway: Gateway, operation: str, steps: Steps[T]) -> T:
        return gateway.run(operation, DEFAULT_TENANT, None, steps)


def _find_stream(table: str) -> Steps[str]:
    """Return the ARN of a table's stream.

    Raises:
        ConfigurationError: it has none, or one without images.
    """
    description = (yield describe_table(table))["Table"]
    stream = description.get("StreamSpecification", {})
    if not stream.get("StreamEnabled") or "LatestStreamArn" not in description:
        raise ConfigurationError(
            f"The table {table} has no stream. Turn one on, of new images (NEW_IMAGE), as "
            "infra/event-store.yaml does; then run `dynamo-es log repair` for what was before."
        )
    if stream.get("StreamViewType") not in _IMAGES:
        raise ConfigurationError(
            f"The stream of the table {table} has no new images, but {stream['StreamViewType']}. "
            "Turn it off and on again with NEW_IMAGE."
        )
    return str(description["LatestStreamArn"])
