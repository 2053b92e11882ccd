"""Several read models in one Lambda function: each gets every batch."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from dynamo_es.aws_lambda.batch import ReadModelHandler, reply
from dynamo_es.aws_lambda.failures import failed_batches
from dynamo_es.contracts.checks.functions import refuse_asynchronous
from dynamo_es.contracts.error_texts import trace_error
from dynamo_es.exceptions import InvalidSubscriptionError

if TYPE_CHECKING:
    from dynamo_es.aws_lambda.batch import BatchEvent, LambdaContext

_log = logging.getLogger("dynamo_es")


def fan_out(*handlers: ReadModelHandler) -> FanOutHandler:
    """Return one Lambda handler that gives each batch to several read models.

    DynamoDB Streams serves two readers of a shard at most, and the sequencer is one of the events
    table's stream. One function with several read models is one reader::

        handler = fan_out(balances, statements)

    Each read model keeps its own cursors or checkpoint, failure policy and parked streams. They run
    one after the other, and share the function's time: each gets an equal part of what is left. If
    one fails or runs out of time, the others still handle the whole batch. Lambda then calls again
    from the lowest record that one of them has left; the others pass over what they have done.
    Until that record is done or given up, Lambda reads nothing after its batch for any of them. So
    let each one park its poison streams (``on_failure="park"``). The schedule's events go to each.

    Args:
        handlers: made by `project_streams`, or all of them by `project_log`; each name once.

    Raises:
        InvalidSubscriptionError: no handler, another kind of handler, a name twice, or handlers of
            both tables' streams; also `AsynchronousFunctionError`.

    Cost: that of each read model. What one has done and another has not, costs the first one
    request for each stream when it comes again; for `project_log`, the requests of a run without
    new events.
    """
    if not handlers:
        raise InvalidSubscriptionError(
            "fan_out needs a handler or more: pass what project_streams or project_log returned."
        )
    seen: dict[str, ReadModelHandler] = {}
    for handler in handlers:
        refuse_asynchronous(handler, "A handler of fan_out")
        if not isinstance(handler, ReadModelHandler):
            raise InvalidSubscriptionError(
                "fan_out takes handlers that project_streams or project_log made, not "
                f"{type(handler).__name__}: wrap the function that fan_out returns instead."
            )
        if handler.name in seen:
            raise InvalidSubscriptionError(
                f"fan_out got two read models with the name {handler.name!r}: they would share "
                "cursors, and each would miss events. Give each its own name."
            )
        seen[handler.name] = handler
        if handler.table != handlers[0].table:
            raise InvalidSubscriptionError(
                f"fan_out got read models of two streams: {handlers[0].name!r} follows the "
                f"{handlers[0].table} table, and {handler.name!r} the {handler.table} table. "
                "Make a function for each table."
            )
    return FanOutHandler(handlers)


class FanOutHandler:
    """The handler that `fan_out` makes.

    Attributes:
        handlers: those of the read models, in the order in which they run.
    """

    def __init__(self, handlers: tuple[ReadModelHandler, ...]) -> None:
        self.handlers = handlers

    def __call__(self, event: BatchEvent, context: LambdaContext | None = None) -> dict[str, Any]:
        """Give an event to each read model.

        Args:
            event: what a handler of `project_streams` or `project_log` takes.
            context: Lambda's; None: no deadline.

        Returns:
            ``{"batchItemFailures": […]}`` with what the read models have left, the lowest first.

        Raises:
            Exception: the first error that a read model raised, after all of them ran.
        """
        left: set[str] = set()
        errors: list[Exception] = []
        for place, handler in enumerate(self.handlers):
            share = None if context is None else _Share(context, len(self.handlers) - place)
            try:
                answer = handler(event, share)
            except Exception as error:  # noqa: BLE001 - the other read models go on
                # Without exc_info: the text of an error may quote an event.
                _log.error(
                    "Read model %r failed; the others of the function go on: %s",
                    handler.name,
                    trace_error(error),
                )
                errors.append(error)
            else:
                left.update(one["itemIdentifier"] for one in answer["batchItemFailures"])
        if errors:
            raise errors[0]
        if failed_batches(event):  # ids of messages, which have no order
            return {"batchItemFailures": [{"itemIdentifier": one} for one in sorted(left)]}
        return reply(event, left)


class _Share:
    """Lambda's context for one read model, whose time is a part of what is left.

    Args:
        context: Lambda's.
        parts: number of read models that have not run, this one included.
    """

    def __init__(self, context: LambdaContext, parts: int) -> None:
        self._context = context
        left_ms = context.get_remaining_time_in_millis()
        self._kept_ms = max(0, left_ms - left_ms // parts)

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds that the read model may still run."""
        return max(0, self._context.get_remaining_time_in_millis() - self._kept_ms)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)
