"""`SubscriptionStrategy`: returns the events of the log in batches, as they come."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import timedelta

    from dynamo_es.contracts.log import Start
    from dynamo_es.values import RecordedRaw, TenantId


class SubscriptionStrategy(ABC):
    """Subscriptions to the log of all streams and tenants.

    Each method returns an iterator that never ends. It yields a batch as soon as the batch is full.
    At the time limit it yields the events that it has, perhaps none. After an error, call `next`
    again: it continues where it stopped.

    Source: the interface of python-event-sourcery's backends, with ``after`` in place of
    ``start_from``, and the tenant added.
    """

    @abstractmethod
    def subscribe_to_all(
        self,
        after: Start,
        batch_size: int,
        timelimit: timedelta | float,
        *,
        tenant_id: TenantId | None = None,
    ) -> Iterator[list[RecordedRaw]]:
        """Subscribe to all events.

        Args:
            after: position to begin after, exclusive; 0 is the beginning of the log. If each tenant
                has its own log, it is a position in the log of ``tenant_id``; for all tenants, give
                0 or a position for each tenant.
            batch_size: most events of a batch, 1 or more.
            timelimit: longest time to wait until a batch is full: a timedelta, or seconds, 0.1 or
                more.
            tenant_id: return only the events of this tenant; None: those of all tenants.

        Raises:
            InvalidPositionError: a position is negative, or after the end of the log.
            TenantRequiredError: you gave one position above 0 for the logs of all tenants.
            InvalidSubscriptionError: the batch size or the time limit is out of range.
            ServiceError: AWS refused or did not answer.

        Cost on DynamoDB: at most 1 request for each page of the log, and 1 for every hundred
        commits with selected events. At the end of the log, the first request comes after 50 ms;
        later there is one each second.
        """

    @abstractmethod
    def subscribe_to_category(
        self,
        after: Start,
        batch_size: int,
        timelimit: timedelta | float,
        category: str,
        *,
        tenant_id: TenantId | None = None,
    ) -> Iterator[list[RecordedRaw]]:
        """Subscribe to the events of one category's streams; otherwise like `subscribe_to_all`."""

    @abstractmethod
    def subscribe_to_events(
        self,
        after: Start,
        batch_size: int,
        timelimit: timedelta | float,
        events: Collection[str],
        *,
        tenant_id: TenantId | None = None,
    ) -> Iterator[list[RecordedRaw]]:
        """Subscribe to the events with one of these names; otherwise like `subscribe_to_all`."""
