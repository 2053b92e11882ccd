"""Read models of the whole log, driven by the log table's stream or a schedule."""

from __future__ import annotations

import logging
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.aws_lambda.batch import Deadline, ReadModelHandler, margin_of, reply
from dynamo_es.aws_lambda.log_pages import pages_in, pages_of, tenants_in
from dynamo_es.aws_lambda.metrics import FunctionMetrics
from dynamo_es.aws_lambda.starting import prepare_in_function
from dynamo_es.aws_lambda.upkeep import task_of
from dynamo_es.contracts.checks.functions import refuse_asynchronous
from dynamo_es.contracts.error_texts import trace_error
from dynamo_es.environment import UPKEEP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import timedelta

    from dynamo_es.aws_lambda.batch import BatchEvent, LambdaContext
    from dynamo_es.aws_lambda.log_pages import PageRecord
    from dynamo_es.event_store.event import Event
    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.facade.backend import Backend
    from dynamo_es.projections.failure_policy import OnFailure
    from dynamo_es.projections.parking import RetryReport
    from dynamo_es.projections.parts import ProjectionReport
    from dynamo_es.projections.projection import Projection
    from dynamo_es.values import Position, TenantId

_log = logging.getLogger("dynamo_es")

_EVERYTHING: Final = 0


def project_log(  # noqa: PLR0913 - options, each by its name
    backend: Backend,
    name: str,
    *,
    category: str | None = None,
    events: Iterable[type[Event]] | None = None,
    after: Position = 0,
    batch_size: int = 100,
    keep_unknown: bool = False,
    lease: timedelta | float = 60.0,
    writes: bool = False,
    margin: timedelta | float | None = None,
    on_progress: Callable[[ProjectionReport], None] | None = None,
    on_failure: OnFailure = "stop",
) -> Callable[[Callable[[Recorded], object]], LogHandler]:
    """Turn a function into a Lambda handler that calls it with each event of the log, in order.

    Put the handler on the log table's stream, or on a schedule::

        @project_log(backend, "balances", category="account")
        def handler(recorded: Recorded) -> None: ...

    The handler reads the log after its checkpoint; a batch from Lambda only starts the reading. So
    late or lost records leave no gap. If your function raises, the next call passes it the same
    event again. If the process dies, the next call begins after the last checkpoint.

    A lease makes sure that one call at a time handles the events. A second call at the same time
    fails with `ProjectionBusyError`, and Lambda tries it again. The log table's stream starts one
    call at a time, because all pages of a log are in one shard; on a schedule, reserve a
    concurrency of 1. With one log for each tenant, a batch makes the handler read the logs whose
    pages it contains; a schedule makes it read all logs.

    Args:
        backend: reads the log; from `Backend.in_tenant`, only that tenant's events are applied.
        name: name of the consumer. Its checkpoint is stored under it. Text of at most 255 bytes
            without ``#``.
        category: apply only events of streams in this category.
        events: apply only events of these classes.
        after: where to begin without a checkpoint: the position before the first event to handle
            (exclusive).
        batch_size: the most events between two saved checkpoints.
        keep_unknown: pass an event whose name no class has as an `UnknownEvent`.
        lease: how long after its last beat a call that died still keeps the next one out, a
            timedelta or seconds; more than twice the time that your function takes for an event.
        writes: True: your function returns `Writes` or a list of writes, which are carried out with
            the checkpoint, exactly once; see `Backend.projection`.
        margin: how long before the function's end to stop, a timedelta or seconds; None: a fifth
            of its time, at most 5 s.
        on_progress: called after each batch of events, with a report that has the lag.
        on_failure: what to do with an event that your function fails on; see `Backend.projection`.
            With ``"park"`` its stream is set aside, and the log continues; see
            ``retry_parked`` of the handler.

    Raises:
        InvalidSubscriptionError: a wrong filter, batch size, policy or function.
        InvalidConsumerError: a name that cannot be part of a key.
        InvalidPositionError: a position below 0.
        EventDefinitionError: a class in events is not an event class that can be stored.
    """
    if on_progress is not None:
        refuse_asynchronous(on_progress, "on_progress")

    def decorate(function: Callable[[Recorded], object]) -> LogHandler:
        projection = backend.projection(
            name,
            function,
            category=category,
            events=events,
            after=after,
            batch_size=batch_size,
            keep_unknown=keep_unknown,
            lease=lease,
            on_failure=on_failure,
            writes=writes,
        )
        prepare_in_function(backend)
        return LogHandler(function, projection, margin, on_progress, backend.limited_to)

    return decorate


class LogHandler(ReadModelHandler):
    """The handler that `project_log` makes.

    Attributes:
        projection: the projection that it runs.
        metrics: writes its metrics, in a Lambda function.
    """

    table = "log"

    def __init__(
        self,
        function: Callable[[Recorded], object],
        projection: Projection,
        margin: timedelta | float | None,
        on_progress: Callable[[ProjectionReport], None] | None,
        tenant_id: TenantId | None = None,
    ) -> None:
        self._tenant_id = tenant_id
        update_wrapper(self, function)
        self.projection = projection
        self._margin_s = margin_of(margin)
        self._on_progress = on_progress
        self.metrics = FunctionMetrics(projection.name)

    @property
    def name(self) -> str:
        """The projection's name."""
        return self.projection.name

    def __call__(self, event: BatchEvent, context: LambdaContext | None = None) -> dict[str, Any]:
        """Apply the events of the log after the checkpoint.

        Args:
            event: a batch of the log table's stream, a pipe's list of its records, or anything
                without ``Records``, such as an event of a schedule: the upkeep event writes metrics
                too, and the ``retry_parked`` event retries parked streams.
            context: Lambda's; None: no deadline.

        Returns:
            ``{"batchItemFailures": […]}`` with the record of the first page that is not handled, if
            any.

        Raises:
            Exception: the error that your function raised, if the event is not a batch.
            ConfigurationError: records that are not of a table's stream.
        """
        task = task_of(event, ["upkeep", "retry_parked"])
        try:
            if task == "retry_parked":
                self.retry_parked(context)
                return reply(event, [])
            if task == "upkeep":
                self.metrics.check_mappings()
            return self._handle(event, Deadline(context, self._margin_s), upkeep=task is not None)
        finally:
            self.metrics.flush(context)

    def _handle(self, event: BatchEvent, deadline: Deadline, *, upkeep: bool) -> dict[str, Any]:
        pages = pages_of(pages_in(event), self._tenant_id)
        if pages is not None and not pages:
            return reply(event, [])  # only markers and checkpoints: this handler's own writes
        of_all = self.projection.over_all_logs
        tenants = tenants_in(pages) if of_all else None
        try:
            with deadline.limiting():
                progress = self.projection.run_once(deadline, self._on_progress, tenants=tenants)
        except Exception as error:
            self.metrics.count("Failures", 1)
            if pages is None:
                raise
            # Without exc_info: the text of an error may quote an event.
            _log.error(
                "Projection %r failed, and the next call tries again: %s",
                self.projection.name,
                trace_error(error),
            )
            reached = _EVERYTHING if of_all else self.projection.position or _EVERYTHING
            return reply(event, _not_done(pages, reached))
        if upkeep:
            self.metrics.gauge("Lag", progress.lag)
            self.metrics.gauge("Parked", progress.parked)
        # With a schedule for upkeep, the next call continues. So it is no failure that a call ran
        # out of time or found another one at work.
        if progress.lag and pages and not UPKEEP.read():
            return reply(event, _not_done(pages, _EVERYTHING if of_all else progress.position))
        return reply(event, [])

    def retry_parked(self, context: LambdaContext | None = None) -> RetryReport:
        """Apply the events of parked streams again; see `Projection.retry_parked`.

        Args:
            context: Lambda's; it stops before the function's time is over. None: no deadline.
        """
        return self.projection.retry_parked(stop=Deadline(context, self._margin_s))


def _not_done(pages: list[PageRecord], position: Position) -> list[str]:
    """Return the first page after a position; without one, the first page of the batch."""
    beyond = [page.sequence_number for page in pages if page.last > position]
    return [min(beyond or [pages[0].sequence_number], key=int)]
