"""The contract of subscriptions: the log's events as they come, in batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import timedelta

    from dynamo_es.values import Position, RecordedRaw, TenantId


class SubscriptionStrategy(ABC):
    """Subscriptions to the log of all streams and tenants.

    Each returns an iterator that never ends: a batch as soon as it is full, or at the time limit
    what has come till then, which may be nothing. After an error, `next` goes on where it was.

    Source: the interface of python-event-sourcery's backends, name for name; the choice of a
    tenant is ours.
    """

    @abstractmethod
    def subscribe_to_all(
        self,
        start_from: Position,
        batch_size: int,
        timelimit: timedelta,
        *,
        tenant_id: TenantId | None = None,
    ) -> Iterator[list[RecordedRaw]]:
        """Subscribe to all events.

        Args:
            start_from: position after which to begin; 0 for the beginning of the log.
            batch_size: most events of a batch, 1 or more.
            timelimit: longest wait for a batch to fill, 0.1 s or more.
            tenant_id: only events of that tenant; None: of all.

        Raises:
            InvalidPositionError: negative, or one that the log has not reached.
            InvalidSubscriptionError: a batch size or time limit out of range.
            ServiceError: AWS refused or did not answer.

        Cost on DynamoDB: a request per page of the log (many pages if there are many), and one
        for every hundred commits with such events in them; while nothing comes, a request from
        every 50 ms to every second.
        """

    @abstractmethod
    def subscribe_to_category(
        self,
        start_from: Position,
        batch_size: int,
        timelimit: timedelta,
        category: str,
        *,
        tenant_id: TenantId | None = None,
    ) -> Iterator[list[RecordedRaw]]:
        """Subscribe to the events of the streams with a category; see `subscribe_to_all`."""

    @abstractmethod
    def subscribe_to_events(
        self,
        start_from: Position,
        batch_size: int,
        timelimit: timedelta,
        events: Collection[str],
        *,
        tenant_id: TenantId | None = None,
    ) -> Iterator[list[RecordedRaw]]:
        """Subscribe to the events with one of these names; see `subscribe_to_all`."""
