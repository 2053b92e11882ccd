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

    At most two readers can read a shard of a table stream, and the sequencer is already one of
    them on the events table. One function with several read models counts as one reader::

        handler = fan_out(balances, statements)

    Each read model keeps its own cursors or checkpoint, failure policy and parked streams. The read
    models run one after the other and share the function's time: each gets an equal part of what is
    left. If one fails or runs out of time, the others still handle the whole batch. Lambda then
    delivers again from the lowest record that any of them left; the others skip what they have
    done. Until that record is done or Lambda gives up on it, none of them gets a record after its
    batch. So let each one park streams that fail (``on_failure="park"``). Events of a schedule go
    to every read model.

    Args:
        handlers: all made by `project_streams`, or all by `project_log`; each with its own name.

    Raises:
        InvalidSubscriptionError: no handler, another kind of handler, a name twice, or handlers of
            both tables' streams.
        AsynchronousFunctionError: a handler is asynchronous.

    Cost: the sum of the read models. When Lambda delivers records again, a read model that has
    already handled them needs 1 request for each of their streams; one of `project_log` needs the
    requests of a run without new events.
    """
    if not handlers:
        raise InvalidSubscriptionError(
            "fan_out needs at least one handler: pass what project_streams or project_log returned."
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
                f"fan_out got two read models named {handler.name!r}: they would share their "
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
        handlers: the handlers of the read models, in the order in which they run.
    """

    def __init__(self, handlers: tuple[ReadModelHandler, ...]) -> None:
        self.handlers = handlers

    def __call__(self, event: BatchEvent, context: LambdaContext | None = None) -> dict[str, Any]:
        """Give an event to each read model.

        Args:
            event: any event that a handler of `project_streams` or `project_log` takes.
            context: Lambda's; None: no deadline.

        Returns:
            ``{"batchItemFailures": […]}`` with the records that the read models left, the lowest
            first.

        Raises:
            Exception: the first error that a read model raised, after all of them ran.
        """
        left: set[str] = set()
        errors: list[Exception] = []
        for place, handler in enumerate(self.handlers):
            share = None if context is None else _Share(context, len(self.handlers) - place)
            try:
                answer = handler(event, share)
            except Exception as error:  # noqa: BLE001 - the other read models continue
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
        if failed_batches(event):  # message ids, which have no order
            return {"batchItemFailures": [{"itemIdentifier": one} for one in sorted(left)]}
        return reply(event, left)


class _Share:
    """Lambda's context for one read model: it reports a share of the remaining time.

    Args:
        context: Lambda's.
        parts: number of read models that have not run yet, this one included.
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
