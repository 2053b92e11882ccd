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
from dynamo_es.aws_lambda.records import CommitRecord, decode, records_in
from dynamo_es.contracts.error_texts import trace_error
from dynamo_es.dynamodb.log.pages import MAX_POINTERS
from dynamo_es.dynamodb.log.sequencing import Sequencing
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
        backend: names the tables.
        margin: how long before the function's end to stop, a timedelta or seconds; None: a fifth
            of its time, at most 5 s.

    Raises:
        InvalidSubscriptionError: a margin that is not a duration, or below 0.

    Cost: for each hundred commits 3 requests, and 1 for each of their streams; 1 less while no
    other sequencer writes.
    """
    return SequencerHandler(backend, backend.observer, margin)


class SequencerHandler:
    """The handler that `sequence_events` makes.

    Attributes:
        sequenced: events that this process gave positions.
        skipped: records of snapshots, fences and removals.
        foreign: records of items that this library did not write.
        set_aside: records of items that this release cannot read; `dynamo-es log set-aside` lists
            them.
    """

    def __init__(
        self, backend: DynamoBackend, observer: Observer | None, margin: timedelta | float | None
    ) -> None:
        self._backend = backend
        gateway = Gateway(lambda: backend.client, backend.config, observer)
        self._sequencing = Sequencing.over(backend.config, gateway)
        self._margin_s = margin_of(margin)
        self.sequenced = 0
        self.skipped = 0
        self.foreign = 0
        self.set_aside = 0

    def __call__(self, event: BatchEvent, context: LambdaContext | None = None) -> dict[str, Any]:
        """Sequence a batch.

        Args:
            event: with ``Records`` of the events table's stream, a pipe's list of them, or failure
                records of failed batches.
            context: Lambda's; None: no deadline.

        Returns:
            ``{"batchItemFailures": […]}`` with the first record that is not in the log, if any.

        Raises:
            ConfigurationError: records that are not of a table's stream, or without new images.
            ServiceError: a commit could not be set aside; Lambda calls again.
        """
        if failed := failed_batches(event):
            return handle_again(self._backend, failed, lambda batch: self(batch, context))
        deadline = Deadline(context, self._margin_s)
        decoded = decode(records_in(event))
        self.skipped += decoded.skipped
        self.foreign += decoded.foreign
        unreadable = [*decoded.damaged, *(record.error for record in decoded.newer)]
        if unreadable:
            self.set_aside += len(unreadable)
            self._sequencing.set_aside(unreadable)
        pending, left = decoded.commits, list[CommitRecord]()
        while pending and not deadline.is_set():
            some, pending = pending[:MAX_POINTERS], pending[MAX_POINTERS:]
            try:
                left += self._sequence(some)
            except ServiceError as error:
                _log_failure(error)
                left += some
                break
        left += pending
        return reply(event, [left[0].sequence_number] if left else [])

    def _sequence(self, commits: list[CommitRecord]) -> list[CommitRecord]:
        """Sequence some commits; return those whose logs failed."""
        done = self._sequencing.sequence([commit.hint for commit in commits])
        self.sequenced += done.positions
        if done.failure is None:
            return []
        _log_failure(done.failure)
        failed = set(done.left)
        return [commit for commit in commits if commit.hint in failed]


def _log_failure(error: ServiceError) -> None:
    _log.error("Sequencing failed, and the next call tries again: %s", trace_error(error))


@cache
def _of_environment() -> SequencerHandler:
    from dynamo_es.dynamodb.backend import DynamoBackend

    return sequence_events(DynamoBackend.from_env())


def handler(event: BatchEvent, context: LambdaContext | None = None) -> dict[str, Any]:
    """Sequence a batch of the events table's stream; the environment names the tables."""
    return _of_environment()(event, context)
