"""The outbox as a Lambda function, on the log table's stream and on a schedule.

The handler ``dynamo_es.aws_lambda.outbox.handler`` needs no code of yours and none of your event
classes. It publishes events as they are stored. The environment configures it:
`DynamoConfig.from_env` and `OutboxSettings` read the variables.
"""

from __future__ import annotations

from functools import cache
from time import time
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.aws_lambda.batch import Deadline, margin_of, reply
from dynamo_es.aws_lambda.log_pages import pages_in, pages_of, tenants_in
from dynamo_es.aws_lambda.metrics import FunctionMetrics
from dynamo_es.aws_lambda.settings import OutboxSettings
from dynamo_es.aws_lambda.starting import is_handler_of_function, prepare_in_function
from dynamo_es.aws_lambda.upkeep import task_of
from dynamo_es.contracts.checks.functions import refuse_asynchronous
from dynamo_es.environment import FUNCTION_NAME
from dynamo_es.outbox.all_outboxes import OutboxOfAll
from dynamo_es.outbox.terms import DEFAULT_AGE

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from dynamo_es.aws_lambda.batch import BatchEvent, LambdaContext
    from dynamo_es.facade.backend import Backend
    from dynamo_es.outbox import Outbox, OutboxReport, Publisher
    from dynamo_es.values import TenantId

_AT_ONCE: Final = 25
"""The most tries in a run. The handler checks its deadline between two runs."""


def publish_outbox(  # noqa: PLR0913 - options, each by its name
    backend: Backend,
    publisher: Publisher,
    *,
    name: str | None = None,
    attempts: int | None = None,
    give_up_after: timedelta | float = DEFAULT_AGE,
    retry_delay: timedelta | float = 1.0,
    lease: timedelta | float = 60.0,
    keep_unknown: bool = False,
    margin: timedelta | float | None = None,
) -> OutboxHandler:
    """Return a Lambda handler that publishes the events chosen for the outbox.

    It publishes all events that are due, in the order of positions. Put it on the log table's
    stream, so that events go out at once, and on a schedule of about a minute, so that failed
    events are tried again while no new ones arrive. Several calls at once do no harm, because only
    one of them gets the lease. With one log for each tenant, a batch makes the handler publish from
    the logs whose pages it contains; a schedule makes it publish from all logs.

    ``handler = publish_outbox(backend, EventBridgePublisher("orders", source="shop"))``

    Args:
        backend: publishes the events of all tenants; from `Backend.in_tenant`, of that tenant only.
        publisher: called with each event as a `Recorded`; `EventBridgePublisher` and the other
            publishers here are called with the stored `RecordedRaw`.
        name: name of the outbox, if several publish the same events; None: ``outbox``.
        attempts: the most tries of an event, 1 or more; None: as many as ``give_up_after`` allows.
        give_up_after: how long an event is tried again, a timedelta or seconds. Then it is dead
            until you call `Outbox.retry`.
        retry_delay: time between the first try and the second, a timedelta or seconds; each further
            wait is twice the one before, up to an hour. No wait is shorter than the interval of
            the schedule.
        lease: how long the lease keeps other workers out, a timedelta or seconds; at least twice
            the time that a publisher may take.
        keep_unknown: pass an event without a class to the publisher as an `UnknownEvent`, with its
            data as stored, encrypted fields included. The publishers here need no classes.
        margin: how long before the function's end to stop, a timedelta or seconds; None: a fifth
            of its time, at most 5 s.

    Raises:
        AsynchronousFunctionError: the publisher is asynchronous or a generator.
        InvalidConsumerError: a name that cannot be part of a key.
        InvalidSubscriptionError: a margin that is not a duration, or below 0.

    The handler raises the errors of `Outbox.run_once`, also for the other arguments.
    """
    refuse_asynchronous(publisher, "A publisher")
    prepare_in_function(backend)
    outbox = backend.outbox if name is None else backend.outbox.named(name)

    def run(tenants: list[TenantId] | None, stop: Deadline) -> OutboxReport:
        chosen = outbox
        if isinstance(outbox, OutboxOfAll) and tenants is not None:
            chosen = outbox.only(tenants)
        return chosen.run_once(
            publisher,
            _AT_ONCE,
            attempts=attempts,
            give_up_after=give_up_after,
            retry_delay=retry_delay,
            lease=lease,
            keep_unknown=keep_unknown,
            stop=stop,
        )

    return OutboxHandler(run, margin, backend.limited_to, outbox)


class OutboxHandler:
    """The handler that `publish_outbox` makes.

    Attributes:
        reports: reports of the runs of the last call.
        metrics: writes its metrics, in a Lambda function.
    """

    def __init__(
        self,
        run: Callable[[list[TenantId] | None, Deadline], OutboxReport],
        margin: timedelta | float | None,
        tenant_id: TenantId | None = None,
        outbox: Outbox | None = None,
    ) -> None:
        self._run = run
        self._outbox = outbox
        self.metrics = FunctionMetrics("outbox" if outbox is None else outbox.name)
        self._tenant_id = tenant_id
        self._margin_s = margin_of(margin)
        self.reports: list[OutboxReport] = []

    def __call__(self, event: BatchEvent, context: LambdaContext | None = None) -> dict[str, Any]:
        """Publish the events that are due.

        Args:
            event: a batch of the log table's stream, a pipe's list of its records, or anything
                without ``Records``. It only starts the run. The upkeep event of a schedule writes
                metrics too.
            context: Lambda's; None: no deadline.

        Returns:
            ``{"batchItemFailures": []}``; if the time was too short, it names the record of the
            first page.

        Raises:
            ServiceError: AWS refused or did not answer; nothing is lost.
            ConfigurationError: records that are not of a table's stream.
        """
        task = task_of(event, ["upkeep"])
        pages = pages_of(pages_in(event), self._tenant_id)
        self.reports = []
        if pages is not None and not pages:
            return reply(event, [])  # the outbox's own writes
        deadline = Deadline(context, self._margin_s)
        try:
            with deadline.limiting():
                done = self._publish(tenants_in(pages), deadline)
                if task is not None:
                    self._keep_up()
        except Exception:
            self.metrics.count("Failures", 1)
            raise
        finally:
            self._count()
            self.metrics.flush(context)
        return reply(event, [pages[0].sequence_number] if pages and not done else [])

    def _count(self) -> None:
        for report in self.reports:
            self.metrics.count("Published", report.handled)
            self.metrics.count("Failures", report.failed)

    def _keep_up(self) -> None:
        """Set the metrics for waiting and dead entries, and for mappings that are off."""
        entries = [] if self._outbox is None else self._outbox.entries()
        waiting = [entry for entry in entries if not entry.dead]
        now_ms = time() * 1000
        oldest_ms = min((entry.failing_since for entry in waiting), default=now_ms)
        self.metrics.gauge("Dead", len(entries) - len(waiting))
        self.metrics.gauge("Waiting", len(waiting))
        self.metrics.gauge("OldestSeconds", max(0.0, round((now_ms - oldest_ms) / 1000, 3)))
        self.metrics.check_mappings()

    def _publish(self, tenants: list[TenantId] | None, deadline: Deadline) -> bool:
        """Run until nothing is due. Return True then, or if another worker has the lease."""
        reached = -1
        while not deadline.is_set():
            report = self._run(tenants, deadline)
            self.reports.append(report)
            moved = report.handled or report.dropped or report.position > reached
            if report.busy or not report.active or not moved:
                return True
            reached = report.position
        return False


@cache
def _of_environment() -> OutboxHandler:
    from dynamo_es.aws_lambda.publishers import publisher_for
    from dynamo_es.dynamodb.backend import DynamoBackend

    settings = OutboxSettings.from_env()
    backend = DynamoBackend.from_env()
    publisher = publisher_for(settings.target, source=settings.source, config=backend.config)
    if FUNCTION_NAME.read() is not None:
        publisher.prepare()
    return publish_outbox(
        backend,
        publisher,
        name=settings.name,
        attempts=settings.attempts,
        give_up_after=settings.give_up_after,
    )


def handler(event: BatchEvent, context: LambdaContext | None = None) -> dict[str, Any]:
    """Publish the events of an outbox; the environment names the outbox and the target."""
    return _of_environment()(event, context)


if is_handler_of_function(__name__):
    _of_environment()
