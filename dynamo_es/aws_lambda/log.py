"""Read models of the whole log, fed by the log table's stream, or by a schedule."""

from __future__ import annotations

import logging
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dynamo_es.aws_lambda.batch import Deadline, reply
from dynamo_es.aws_lambda.failures import failed_batches
from dynamo_es.aws_lambda.records import change_of, records_in
from dynamo_es.contracts.error_texts import trace_error
from dynamo_es.contracts.functions import refuse_asynchronous
from dynamo_es.dynamodb.log.pages import PAGES_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dynamo_es.aws_lambda.batch import BatchEvent, LambdaContext
    from dynamo_es.event_store.event import Event
    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.facade.backend import Backend
    from dynamo_es.projections.projection import Projection
    from dynamo_es.projections.run import ProjectionReport
    from dynamo_es.values import Position

_log = logging.getLogger("dynamo_es")

_EVERYTHING: Final = 0


def project_log(  # noqa: PLR0913 - what may be chosen, each by its name
    backend: Backend,
    name: str,
    *,
    category: str | None = None,
    events: Iterable[type[Event]] | None = None,
    after: Position = 0,
    batch_size: int = 100,
    keep_unknown: bool = False,
    margin: float | None = None,
    on_progress: Callable[[ProjectionReport], None] | None = None,
) -> Callable[[Callable[[Recorded], object]], LogHandler]:
    """Make a function of events a Lambda handler that gives it all of the log, in its order.

    What Lambda delivers is only a reason to look: what is applied comes from the log, from the
    checkpoint on. So nothing is missed, whatever is late or lost, and a schedule does as well.
    A function that raises is given the same event again by the next call; one that dies in the
    middle, those since the last checkpoint. Let one call run at a time: that is so for the log
    table's stream, whose pages are all in one shard, and for a function with a reserved
    concurrency of 1.

    Args:
        backend: from `in_tenant`, only that tenant's events are applied.
        name: text of at most 255 bytes without ``#``; its checkpoint is kept under it.
        category: only the events of its streams.
        events: only those of these classes.
        after: position to begin after the first time.
        batch_size: events after which the checkpoint is saved at the latest.
        keep_unknown: hand on an event whose name no class has as an `UnknownEvent`.
        margin: seconds before the function's end to stop at; None: a fifth of its time, at most 5.
        on_progress: told after each batch of events, with the lag.

    Raises:
        InvalidSubscriptionError: a filter, a batch size, or a function that cannot be.
        InvalidConsumerError: a name that cannot make a key.
        InvalidPositionError: a position below 0.
    """
    if on_progress is not None:
        refuse_asynchronous(on_progress, "What is told of progress")

    def decorate(function: Callable[[Recorded], object]) -> LogHandler:
        projection = backend.projection(
            name,
            function,
            category=category,
            events=events,
            after=after,
            batch_size=batch_size,
            keep_unknown=keep_unknown,
        )
        return LogHandler(function, projection, margin, on_progress)

    return decorate


class LogHandler:
    """The handler that `project_log` makes.

    Attributes:
        projection: what it runs.
    """

    def __init__(
        self,
        function: Callable[[Recorded], object],
        projection: Projection,
        margin: float | None,
        on_progress: Callable[[ProjectionReport], None] | None,
    ) -> None:
        update_wrapper(self, function)
        self.projection = projection
        self._margin = margin
        self._on_progress = on_progress

    def __call__(self, event: BatchEvent, context: LambdaContext | None = None) -> dict[str, Any]:
        """Apply what the log has beyond the checkpoint.

        Args:
            event: a batch of the log table's stream, a pipe's list of its records, or anything
                without ``Records``.
            context: Lambda's; None: there is no deadline.

        Returns:
            ``{"batchItemFailures": […]}``: the first page that is not done, if any.

        Raises:
            Exception: what the function raised, where there is no batch to answer for.
            ConfigurationError: these are not records of a table's stream.
        """
        deadline = Deadline(context, self._margin)
        pages = pages_in(event)
        if pages is not None and not pages:
            return reply(event, [])  # markers, checkpoints: their own writes come back, too
        try:
            progress = self.projection.run_once(deadline, self._on_progress)
        except Exception as error:
            if pages is None:
                raise
            # Not with exc_info: the text of an error may quote an event.
            _log.error(
                "Projection %r waits for the next call: %s",
                self.projection.name,
                trace_error(error),
            )
            return reply(event, _not_done(pages, self.projection.position or _EVERYTHING))
        if progress.lag and pages:
            return reply(event, _not_done(pages, progress.position))
        return reply(event, [])


class PageRecord(NamedTuple):
    """A record of the log table's stream whose new image is a page.

    Attributes:
        sequence_number: of the record, in its shard.
        last: position of the page's last event.
    """

    sequence_number: str
    last: Position


def pages_in(event: BatchEvent) -> list[PageRecord] | None:
    """Return the new pages in a batch of the log table's stream; None if it is no batch at all.

    A failure record is no batch either: it is a reason to look, as a schedule's event is.

    Raises:
        ConfigurationError: these are not records of a table's stream.
    """
    if isinstance(event, dict) and ("Records" not in event or failed_batches(event)):
        return None
    pages: list[PageRecord] = []
    for record in records_in(event):
        change = change_of(record)
        image = change.get("NewImage") or change.get("Keys") or {}
        if record.get("eventName") == "REMOVE" or image.get("log_key") != {"S": PAGES_KEY}:
            continue
        first, count = int(image["place"]["S"]), int(image.get("count", {"N": "1"})["N"])
        pages.append(PageRecord(change["SequenceNumber"], first + count - 1))
    return pages


def _not_done(pages: list[PageRecord], position: Position) -> list[str]:
    """Return the first page beyond a position; the first of all, if what failed is before it."""
    beyond = [page.sequence_number for page in pages if page.last > position]
    return [min(beyond or [pages[0].sequence_number], key=int)]
