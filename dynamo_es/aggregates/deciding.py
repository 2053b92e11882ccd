"""Decides on loaded events, which may be out of date after an eventually consistent load."""

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
    """The decision is based on a load that missed events."""


def decide_on(
    stream: AggregateStream,
    raws: list[RawEvent],
    aggregate: TAggregate,
    decide: Callable[[TAggregate], R],
) -> R:
    """Make a decision and return its result.

    If the state is old, a decision that emits events is refused when they are saved. A decision
    that raises or emits nothing is not saved, so this function checks the stream instead.

    Args:
        stream: the stream of the aggregate.
        raws: the events that the aggregate was loaded from.
        aggregate: the aggregate.
        decide: calls the methods that emit events.

    Raises:
        OutdatedError: the state is out of date, and ``decide`` raised or emitted nothing.
        Exception: ``decide`` raised it.
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
