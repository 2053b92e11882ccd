"""Their `SubscriptionStrategy`, on top of ours: subscriptions to raw events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from event_sourcery.event import Position, RecordedRaw
from event_sourcery.interfaces import SubscriptionStrategy

from dynamo_es.adapters.event_sourcery.translation import their_record
from dynamo_es.exceptions import InvalidPositionError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from dynamo_es import contracts, values


@dataclass(frozen=True, slots=True)
class DynamoDBSubscriptionStrategy(SubscriptionStrategy):
    """Subscriptions to the log of all tenants, each beginning after a position.

    A time limit below 100 ms, a batch size below 1, or a negative position raises ``ValueError``. A
    subscription after a position that the log has not reached yields nothing until the log has
    passed it.

    Attributes:
        subscriptions: our subscriptions.
    """

    subscriptions: contracts.SubscriptionStrategy

    def subscribe_to_all(
        self, start_from: Position, batch_size: int, timelimit: timedelta
    ) -> Iterator[list[RecordedRaw]]:
        """Subscribe to all events."""
        return _Batches.after(
            start_from,
            lambda begin: self.subscriptions.subscribe_to_all(begin, batch_size, timelimit),
        )

    def subscribe_to_category(
        self, start_from: Position, batch_size: int, timelimit: timedelta, category: str
    ) -> Iterator[list[RecordedRaw]]:
        """Subscribe to the events of one category's streams."""
        return _Batches.after(
            start_from,
            lambda begin: self.subscriptions.subscribe_to_category(
                begin, batch_size, timelimit, category
            ),
        )

    def subscribe_to_events(
        self, start_from: Position, batch_size: int, timelimit: timedelta, events: list[str]
    ) -> Iterator[list[RecordedRaw]]:
        """Subscribe to the events with these names; an empty list yields no events."""
        # Our strategy refuses an empty list. No event has an empty name, so this selects none.
        chosen = events or [""]
        return _Batches.after(
            start_from,
            lambda begin: self.subscriptions.subscribe_to_events(
                begin, batch_size, timelimit, chosen
            ),
        )


@dataclass(frozen=True, slots=True)
class _Batches(Iterator[list[RecordedRaw]]):
    """Our batches with their events. Not a generator, so that `next` works after an error."""

    start_from: Position
    batches: Iterator[list[values.RecordedRaw]]

    @classmethod
    def after(
        cls,
        start_from: Position,
        subscribe: Callable[[Position], Iterator[list[values.RecordedRaw]]],
    ) -> _Batches:
        try:
            return cls(start_from, subscribe(start_from))
        except InvalidPositionError as error:
            if error.last_position is None:
                raise
            return cls(start_from, subscribe(error.last_position))

    def __next__(self) -> list[RecordedRaw]:
        return [
            their_record(record)
            for record in next(self.batches)
            if record.position > self.start_from
        ]
