"""The outbox as a Lambda function, on the log table's stream and on a schedule.

A function that needs no code of its own: its handler is ``dynamo_es.aws_lambda.outbox.handler``. It
publishes events as they are stored, needs none of their classes, and is configured by the variables
of `DynamoConfig.from_env` and

===============================  =========================================================
``DYNAMO_ES_OUTBOX_TARGET``      ARN of an event bus, a topic or a queue
``DYNAMO_ES_OUTBOX_SOURCE``      source of the events on a bus; without it
                                 ``POWERTOOLS_SERVICE_NAME``, or else ``dynamo_es``
``DYNAMO_ES_OUTBOX_NAME``        name of the outbox; without it ``outbox``
``DYNAMO_ES_OUTBOX_ATTEMPTS``    most tries of an event; without it 3
===============================  =========================================================
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.aws_lambda.batch import Deadline, reply
from dynamo_es.aws_lambda.log import pages_in
from dynamo_es.contracts.functions import refuse_asynchronous
from dynamo_es.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from dynamo_es.aws_lambda.batch import BatchEvent, LambdaContext
    from dynamo_es.facade.backend import Backend
    from dynamo_es.outbox import OutboxReport, Publisher

_AT_ONCE: Final = 25
"""Tries of a run, between which the deadline is looked at."""


def publish_outbox(  # noqa: PLR0913 - what may be chosen, each by its name
    backend: Backend,
    publisher: Publisher,
    *,
    name: str | None = None,
    attempts: int = 3,
    retry_delay: timedelta | float = 1.0,
    lease: timedelta | float = 60.0,
    keep_unknown: bool = False,
    margin: float | None = None,
) -> OutboxHandler:
    """Return a Lambda handler that publishes what was chosen for the outbox.

    It goes through all that is due, in the order of positions. Put it on the log table's stream,
    so that events go out at once, and on a schedule of a minute or so, so that what failed is tried
    again while nothing new comes. Several calls at once harm nothing: one of them has the lease.

    Args:
        backend: what is published is that of all tenants; from `in_tenant`, that tenant's only.
        publisher: called with each event: with a `Recorded`, or, as `EventBridgePublisher` and the
            others here are, with the `RecordedRaw` that is stored; see `Outbox.run_once`.
        name: of the outbox, if there are several with the same events; None: ``outbox``.
        attempts: most tries of an event.
        retry_delay: seconds between the first try and the second; then twice as long, and so on.
        lease: seconds for which others stay out; twice as long as a publisher may take, or more.
        keep_unknown: publish an event that no class here can take as an `UnknownEvent`, as it is
            stored: with what is encrypted in it. The publishers here need no classes.
        margin: seconds before the function's end to stop at; None: a fifth of its time, at most 5.
    """
    refuse_asynchronous(publisher, "A publisher")
    outbox = backend.outbox if name is None else backend.outbox.named(name)

    def run() -> OutboxReport:
        return outbox.run_once(
            publisher,
            _AT_ONCE,
            attempts=attempts,
            retry_delay=retry_delay,
            lease=lease,
            keep_unknown=keep_unknown,
        )

    return OutboxHandler(run, margin)


class OutboxHandler:
    """The handler that `publish_outbox` makes.

    Attributes:
        reports: of the runs of the last call.
    """

    def __init__(self, run: Callable[[], OutboxReport], margin: float | None) -> None:
        self._run = run
        self._margin = margin
        self.reports: list[OutboxReport] = []

    def __call__(self, event: BatchEvent, context: LambdaContext | None = None) -> dict[str, Any]:
        """Publish what is due.

        Args:
            event: a batch of the log table's stream, a pipe's list of its records, or anything
                without ``Records``. It is only a reason to look.
            context: Lambda's; None: there is no deadline.

        Returns:
            ``{"batchItemFailures": []}``, or with the first page where the time was too short.

        Raises:
            ServiceError: AWS refused or did not answer; nothing is lost.
            ConfigurationError: these are not records of a table's stream.
        """
        pages = pages_in(event)
        self.reports = []
        if pages is not None and not pages:
            return reply(event, [])  # the outbox's own writes come back, too
        deadline = Deadline(context, self._margin)
        while not deadline.is_set():
            report = self._run()
            self.reports.append(report)
            if report.busy or not report.active:
                return reply(event, [])
        return reply(event, [pages[0].sequence_number] if pages else [])


@cache
def _of_environment() -> OutboxHandler:
    from dynamo_es.aws_lambda.publishers import publisher_for
    from dynamo_es.dynamodb.backend import DynamoBackend

    target = os.environ.get("DYNAMO_ES_OUTBOX_TARGET", "")
    if not target:
        raise ConfigurationError(
            "DYNAMO_ES_OUTBOX_TARGET is not set: give the ARN of an event bus, a topic or a queue."
        )
    attempts = os.environ.get("DYNAMO_ES_OUTBOX_ATTEMPTS", "3")
    if not attempts.isdecimal() or int(attempts) < 1:
        raise ConfigurationError(
            f"DYNAMO_ES_OUTBOX_ATTEMPTS is {attempts!r}: give a number from 1."
        )
    backend = DynamoBackend.from_env()
    source = os.environ.get("DYNAMO_ES_OUTBOX_SOURCE") or os.environ.get("POWERTOOLS_SERVICE_NAME")
    return publish_outbox(
        backend,
        publisher_for(target, source=source or "dynamo_es", config=backend.config),
        name=os.environ.get("DYNAMO_ES_OUTBOX_NAME") or None,
        attempts=int(attempts),
    )


def handler(event: BatchEvent, context: LambdaContext | None = None) -> dict[str, Any]:
    """Publish what the environment's outbox has, to where the environment says."""
    return _of_environment()(event, context)
