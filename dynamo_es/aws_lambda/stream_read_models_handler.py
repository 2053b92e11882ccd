"""The Lambda handler of a read model of single streams."""

from __future__ import annotations

import logging
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.aws_lambda.batch import Deadline, ReadModelHandler, margin_of, reply
from dynamo_es.aws_lambda.failures import failed_batches, handle_again
from dynamo_es.aws_lambda.metrics import FunctionMetrics
from dynamo_es.aws_lambda.records import decode, records_in
from dynamo_es.aws_lambda.stream_batches import Totals, Unreadable, by_stream, done_by, runs
from dynamo_es.aws_lambda.stream_reading import StreamReading
from dynamo_es.aws_lambda.upkeep import task_of
from dynamo_es.contracts import Followed
from dynamo_es.contracts.correlation import correlated
from dynamo_es.contracts.error_texts import trace_error
from dynamo_es.dynamodb.log.choosing import chooser, stream_chooser
from dynamo_es.dynamodb.streams.keys import describe_key, parse_stream_key
from dynamo_es.event_store.wrapped import Recorded
from dynamo_es.projections.stream_retry import StreamRetry
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import timedelta

    from dynamo_es.aws_lambda.batch import BatchEvent, LambdaContext
    from dynamo_es.aws_lambda.records import CommitRecord, NewerRecord
    from dynamo_es.contracts import Selection
    from dynamo_es.dynamodb.log.pointers import Pointer
    from dynamo_es.event_store.wrapped import WrappedEvent
    from dynamo_es.facade.backend import Backend
    from dynamo_es.projections.parking import RetryReport
    from dynamo_es.values import RecordedRaw

_log = logging.getLogger("dynamo_es")

ROLE: Final = "A read model"
"""What messages about the function call it."""


class StreamsHandler(ReadModelHandler):
    """The handler that `project_streams` makes.

    Attributes:
        totals: counts since the process began.
        metrics: writes its metrics, in a Lambda function.
    """

    table = "events"

    def __init__(
        self,
        function: Callable[[Recorded], object],
        backend: Backend,
        projector: Any,
        selection: Callable[[], Selection],
        keep_unknown: bool,  # noqa: FBT001
        margin: timedelta | float | None,
    ) -> None:
        update_wrapper(self, function)
        self._function = function
        self._backend = backend
        self._projector = projector
        self._selection = selection
        self._reading = StreamReading(backend, keep_unknown=keep_unknown)
        self._margin_s = margin_of(margin)
        self.totals = Totals()
        self.metrics = FunctionMetrics(projector.name)

    @property
    def name(self) -> str:
        """The read model's name."""
        return str(self._projector.name)

    def __call__(self, event: BatchEvent, context: LambdaContext | None = None) -> dict[str, Any]:
        """Apply a batch.

        Args:
            event: a batch of the events table's stream, a pipe's list of its records, failure
                records of failed batches, or an event of a schedule: the upkeep event writes
                metrics, and the ``retry_parked`` event retries parked streams.
            context: Lambda's; None: no deadline.

        Returns:
            ``{"batchItemFailures": […]}`` with the first unhandled record of each stream.

        Raises:
            ConfigurationError: records that are not of a table's stream, or without new images.
        """
        if task := task_of(event, ["upkeep", "retry_parked"]):
            if task == "retry_parked":
                self.retry_parked(context)
            self._keep_up()
            self.metrics.flush(context)
            return reply(event, [])
        if failed := failed_batches(event):
            return handle_again(self._backend, failed, lambda batch: self(batch, context))
        deadline, before = Deadline(context, self._margin_s), self.totals.failed
        try:
            with deadline.limiting():
                return reply(event, self._handle(event, deadline))
        except Exception:
            self.metrics.count("Failures", 1)
            raise
        finally:
            self.metrics.count("Failures", self.totals.failed - before)
            self.metrics.flush(context)

    def _keep_up(self) -> None:
        """Set the metrics for parked streams, and for mappings that are off."""
        self.metrics.gauge("Parked", len(self._backend.parked.streams(self._projector.name)))
        self.metrics.check_mappings()

    def _handle(self, event: BatchEvent, deadline: Deadline) -> Iterable[str]:
        """Apply a batch; return the first record of each stream that is not done."""
        records = records_in(event)
        decoded = decode(records)
        selection = self._selection()
        chooses = chooser(selection)
        chosen = [commit for commit in decoded.commits if chooses(commit.hint)]
        self.totals.records += len(records)
        self.totals.skipped += decoded.skipped + len(decoded.commits) - len(chosen)
        self.totals.foreign += decoded.foreign
        self.totals.damaged += len(decoded.damaged)
        left = self._newer(decoded.newer, selection)
        for commits in by_stream(chosen):
            rest = self._apply(commits, selection, deadline)
            if rest:
                numbers = [one.sequence_number for one in rest]
                key = rest[0].hint.stream_key
                left[key] = min([*numbers, left.get(key, numbers[0])], key=int)
        return left.values()

    def _newer(self, records: Sequence[NewerRecord], selection: Selection) -> dict[str, str]:
        """Return the first record of each selected stream that waits for a newer release."""
        chooses = stream_chooser(selection)
        left: dict[str, str] = {}
        for record in records:
            if chooses(record.error.stream_key):
                self.totals.failed += 1
                key, number = record.error.stream_key, record.sequence_number
                left[key] = min(left.get(key, number), number, key=int)
                _log.error(
                    "Read model %r: a record waits until a newer release runs here: %s",
                    self._projector.name,
                    record.error,
                )
            else:
                self.totals.skipped += 1
        return left

    def _apply(
        self, commits: Sequence[CommitRecord], selection: Selection, deadline: Deadline
    ) -> Sequence[CommitRecord]:
        """Apply commits of one stream, in order; return those that are not done."""
        done = 0
        for run in runs(commits):
            if deadline.is_set():
                break
            finished = self._apply_run(run, selection, deadline)
            done += finished
            if finished < len(run):
                break
        return commits[done:]

    def _apply_run(
        self, run: Sequence[CommitRecord], selection: Selection, deadline: Deadline
    ) -> int:
        """Apply commits that follow each other; return how many are done."""
        hint, followed = run[0].hint, self._followed(run[0])
        first = hint.first_version
        if self._projector.failures.passes_over(followed, first, run[-1].hint.last_version):
            return self._parked(run)
        stream, steps, unreadable = self._reading.read(run, selection)
        if stream is None:
            return self._could_not_read(run, first, unreadable)
        last = first + len(steps) - 1
        begun = reached = 0
        called: list[int] = []
        current: object = None

        def apply(place: int, wrapped: WrappedEvent[Any] | Unreadable | None) -> object:
            nonlocal begun, reached, current
            current = wrapped
            begun = begun or place
            reached = max(reached, begun - 1)  # applied by an earlier call
            returned = self._call(stream, wrapped)
            if wrapped is not None:
                called.append(place)
            return returned

        def kept(version: int) -> None:
            nonlocal reached
            reached = version

        try:
            parked = self._projector.follow(
                followed, first, steps, apply, deadline.is_set, kept=kept
            )
        except Exception as error:  # noqa: BLE001 - other streams continue
            self._wait(hint, max(reached, first - 1), error, current)
            return done_by(run, reached)
        finally:
            self.totals.applied += sum(place <= reached for place in called)
        if parked:
            return self._pass_over(run)
        stopped = deadline.is_set() or 0 < reached < last  # or another worker has taken over
        done = done_by(run, reached if stopped else last)
        if unreadable is not None and not stopped:
            done += self._could_not_read(run[done:], last + 1, unreadable)
        return done

    def _call(self, stream: RecordedRaw, wrapped: WrappedEvent[Any] | Unreadable | None) -> object:
        """Call the function with an event of a stream; None: the event is not selected."""
        if isinstance(wrapped, Unreadable):
            raise wrapped.error
        if wrapped is None:
            return None
        entry = stream.entry
        return self._pass(
            Recorded(wrapped, entry.stream_id, 0, stream.tenant_id, stream.generation)
        )

    def _pass(self, recorded: Recorded) -> object:
        returned = self._function(recorded)
        self._projector.check_returned(returned, self._function, ROLE)
        return returned

    def _could_not_read(
        self, rest: Sequence[CommitRecord], version: int, error: Exception | None
    ) -> int:
        """Count the failure of a commit that cannot be read; return how many are set aside."""
        followed = self._followed(rest[0])
        if error is not None:
            try:
                if self._projector.note(followed, version, error):
                    return self._pass_over(rest)
            except Exception as refused:  # noqa: BLE001 - other streams continue
                error = refused
        self._wait(rest[0].hint, version - 1, error)
        return 0

    def _pass_over(self, run: Sequence[CommitRecord]) -> int:
        """Log that the records of a stream that was just parked are passed over."""
        last = run[-1].hint.last_version
        if self._projector.failures.passes_over(self._followed(run[-1]), last, last):
            return self._parked(run)
        return 0

    def _parked(self, run: Sequence[CommitRecord]) -> int:
        self.totals.parked += len(run)
        return len(run)

    def _followed(self, record: CommitRecord) -> Followed:
        tenant_id, category, uuid = parse_stream_key(record.hint.stream_key)
        stream_id = StreamId(uuid, category=category)
        return Followed(self._projector.name, stream_id, tenant_id, record.hint.generation)

    def retry_parked(self, context: LambdaContext | None = None) -> RetryReport:
        """Apply the events of parked streams again, in order, and unpark the streams.

        Call it from a function on a schedule, or after you have deployed a fix. It stops before
        the function's time is over; the next call continues.

        Args:
            context: Lambda's; None: no deadline.
        """
        deadline = Deadline(context, self._margin_s)
        return StreamRetry(self._projector, self._apply_again, deadline.is_set).run()

    def _apply_again(self, followed: Followed, wrapped: WrappedEvent[Any] | None) -> object:
        if wrapped is None:
            return None
        recorded = Recorded(wrapped, followed.stream_id, 0, followed.tenant_id, followed.generation)
        return self._pass(recorded)

    def _wait(
        self, hint: Pointer, version: int, error: Exception | None, event: object = None
    ) -> None:
        self.totals.failed += 1
        # Without exc_info: the text of an error may quote an event.
        _log.error(
            "Read model %r: stream %s stopped after version %d, and the next call tries again: %s",
            self._projector.name,
            describe_key(hint.stream_key),
            version,
            "it could not be read" if error is None else trace_error(error),
            extra=correlated(getattr(event, "context", None)),
        )
