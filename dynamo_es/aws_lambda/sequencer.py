"""The sequencer as a Lambda function on the stream of the events table.

The handler ``dynamo_es.aws_lambda.sequencer.handler`` needs no code of yours. The environment
configures it: `DynamoConfig.from_env` reads the variables.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Any

from dynamo_es.aws_lambda.batch import Deadline, margin_of, reply
from dynamo_es.aws_lambda.failures import failed_batches, handle_again
from dynamo_es.aws_lambda.metrics import FunctionMetrics
from dynamo_es.aws_lambda.records import CommitRecord, decode, records_in
from dynamo_es.aws_lambda.starting import is_handler_of_function, prepare_in_function
from dynamo_es.aws_lambda.upkeep import task_of
from dynamo_es.contracts.error_texts import trace_error
from dynamo_es.dynamodb.log.pages import MAX_POINTERS
from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
from dynamo_es.dynamodb.log.sequencing_by_log import Sequencing
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.exceptions import ServiceError

if TYPE_CHECKING:
    from datetime import timedelta

    from dynamo_es.aws_lambda.batch import BatchEvent, LambdaContext
    from dynamo_es.contracts import Observer
    from dynamo_es.dynamodb.backend import DynamoBackend

_log = logging.getLogger("dynamo_es")


def sequence_events(
    backend: DynamoBackend, *, margin: timedelta | float | None = None
) -> SequencerHandler:
    """Return a Lambda handler that gives the commits of a batch their positions in the log.

    Any number of calls may run at once, be repeated, or die: each commit gets one position.

    Args:
        backend: the backend whose commits get positions.
        margin: how long before the function's end to stop, a timedelta or seconds; None: a fifth
            of its time, at most 5 s.

    Raises:
        InvalidSubscriptionError: a margin that is not a duration, or below 0.

    Cost: for each 100 commits 3 requests, and 1 for each of their streams; 1 less while no other
    sequencer writes.
    """
    prepare_in_function(backend)
    return SequencerHandler(backend, backend.observer, margin)


class SequencerHandler:
    """The handler that `sequence_events` makes.

    Attributes:
        sequenced: number of events that got their positions in this process.
        skipped: number of records of snapshots, fences and removals.
        foreign: number of records of items that this library did not write.
        set_aside: number of records of items that this release cannot read. `dynamo-es log
            set-aside` lists them.
        metrics: writes its metrics, in a Lambda function.
    """

    def __init__(
        self, backend: DynamoBackend, observer: Observer | None, margin: timedelta | float | None
    ) -> None:
        self._backend = backend
        gateway = Gateway(backend.sender, backend.config, observer)
        memory = SequencerMemory(clock=backend.clock)
        self._sequencing = Sequencing.over(backend.config, gateway, memory)
        self._margin_s = margin_of(margin)
        self.metrics = FunctionMetrics("sequencer")
        self._waits_since: float | None = None
        self.sequenced = 0
        self.skipped = 0
        self.foreign = 0
        self.set_aside = 0

    def __call__(self, event: BatchEvent, context: LambdaContext | None = None) -> dict[str, Any]:
        """Sequence a batch.

        Args:
            event: a batch of the events table's stream, a pipe's list of its records, failure
                records of failed batches, or the upkeep event of a schedule, which writes metrics.
            context: Lambda's; None: no deadline.

        Returns:
            ``{"batchItemFailures": […]}`` with the first record whose commit has no position, if
            any.

        Raises:
            ConfigurationError: records that are not of a table's stream, or without new images.
            ServiceError: a commit could not be set aside; Lambda calls again.
        """
        if task_of(event, ["upkeep"]):
            self._keep_up()
            self.metrics.flush(context)
            return reply(event, [])
        if failed := failed_batches(event):
            return handle_again(self._backend, failed, lambda batch: self(batch, context))
        deadline = Deadline(context, self._margin_s)
        try:
            with deadline.limiting():
                return reply(event, self._handle(event, deadline))
        except Exception:
            self.metrics.count("Failures", 1)
            raise
        finally:
            self.metrics.flush(context)

    def _handle(self, event: BatchEvent, deadline: Deadline) -> list[str]:
        """Sequence a batch; return the first record whose commit has no position, if any."""
        decoded = decode(records_in(event))
        self.skipped += decoded.skipped
        self.foreign += decoded.foreign
        unreadable = [*decoded.damaged, *(record.error for record in decoded.newer)]
        if unreadable:
            self.set_aside += len(unreadable)
            self.metrics.count("SetAside", len(unreadable))
            self._sequencing.set_aside(unreadable)
        pending, left = decoded.commits, list[CommitRecord]()
        while pending and not deadline.is_set():
            some, pending = pending[:MAX_POINTERS], pending[MAX_POINTERS:]
            try:
                left += self._sequence(some)
            except ServiceError as error:
                _log_failure(error)
                left += some
                self.metrics.count("Failures", len(some))
                break
        left += pending
        return [left[0].sequence_number] if left else []

    def _keep_up(self) -> None:
        """Set the metrics for the wait of the oldest event, and for mappings that are off."""
        now = self._backend.clock()
        if not self._backend.log.unsequenced():
            self._waits_since = None
        elif self._waits_since is None:
            self._waits_since = now
        since = self._waits_since
        self.metrics.gauge("LagSeconds", 0 if since is None else round(now - since, 3))
        self.metrics.check_mappings()

    def _sequence(self, commits: list[CommitRecord]) -> list[CommitRecord]:
        """Sequence commits; return those in whose log the sequencing failed."""
        done = self._sequencing.sequence([commit.hint for commit in commits])
        self.sequenced += done.positions
        self.metrics.count("Sequenced", done.positions)
        if done.failure is None:
            return []
        _log_failure(done.failure)
        failed = set(done.left)
        left = [commit for commit in commits if commit.hint in failed]
        self.metrics.count("Failures", len(left))
        return left


def _log_failure(error: ServiceError) -> None:
    _log.error("Sequencing failed, and the next call tries again: %s", trace_error(error))


@cache
def _of_environment() -> SequencerHandler:
    from dynamo_es.dynamodb.backend import DynamoBackend

    return sequence_events(DynamoBackend.from_env())


def handler(event: BatchEvent, context: LambdaContext | None = None) -> dict[str, Any]:
    """Sequence a batch of the events table's stream; the environment names the tables."""
    return _of_environment()(event, context)


if is_handler_of_function(__name__):
    _of_environment()
