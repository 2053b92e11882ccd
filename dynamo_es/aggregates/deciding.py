"""Decides on what was loaded, which may be out of date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from dynamo_es.aggregates.aggregate import Aggregate
from dynamo_es.contracts.checks.functions import refuse_unfinished

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.aggregates.streams import AggregateStream
    from dynamo_es.values import RawEvent

TAggregate = TypeVar("TAggregate", bound=Aggregate)
R = TypeVar("R")

DECIDE: Final = "decide"


class OutdatedError(Exception):
    """The decision rests on a load that had missed events."""


def decide_on(
    stream: AggregateStream,
    raws: list[RawEvent],
    aggregate: TAggregate,
    decide: Callable[[TAggregate], R],
) -> R:
    """Return the result of a decision.

    A decision that emits events is refused when they are saved if it rests on an old state. One
    that raises or emits nothing is not saved, so the stream is asked instead.

    Args:
        stream: the stream of the aggregate.
        raws: the events that the aggregate was loaded from.
        aggregate: the aggregate.
        decide: calls the methods that emit events.

    Raises:
        OutdatedError: nothing was decided that would be refused, on a state that is out of date.
        Exception: what ``decide`` raised.
    """
    try:
        result = decide(aggregate)
    except Exception as error:
        if stream.has_gone_on(raws):
            raise OutdatedError from error
        raise
    refuse_unfinished(result, decide, DECIDE)
    if not aggregate.__changes__ and stream.has_gone_on(raws):
        raise OutdatedError
    return result
