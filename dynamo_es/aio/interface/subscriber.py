"""`AsyncSubscriber`: scripts/async-interface writes it, from `Subscriber`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.aio.interface.by_hand.subscriber import SubscribesLater

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    from dynamo_es.contracts.log import Start
    from dynamo_es.event_store.event import Event
    from dynamo_es.subscriptions.subscriber import Subscriber
    from dynamo_es.values import TenantId


class AsyncSubscriber(SubscribesLater):
    """Builds a subscription to typed events; see `Subscriber`.

    ``async for recorded in backend.subscriber.after(0).to_category("account")``
    """

    _sync: Subscriber

    def after(
        self,
        position: Start,
    ) -> Self:
        """Begin after a position, exclusive; 0, the default, is the beginning of the log.

        Args:
            position: position in the log. If each tenant has its own log, a subscriber of all
                tenants takes a position for each:
                ``subscriber.after({"acme": 12, "umbrella": 3})``. Logs of other tenants are read
                from the beginning.

        Raises:
            InvalidPositionError: the position is negative.
        """
        return self._like(self._sync.after(position))

    def in_tenant(
        self,
        tenant_id: TenantId,
    ) -> Self:
        """Select the events of one tenant.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
            InvalidSubscriptionError: the backend is limited to another tenant.
        """
        return self._like(self._sync.in_tenant(tenant_id))

    def to_category(
        self,
        category: str,
    ) -> Self:
        """Select the events of one category's streams.

        Raises:
            InvalidSubscriptionError: the category is not text.
        """
        return self._like(self._sync.to_category(category))

    def to_events(
        self,
        events: Iterable[type[Event]],
    ) -> Self:
        """Select the events of these classes and their subclasses, including their aliases.

        Raises:
            InvalidSubscriptionError: it is not a list of classes, or the list is empty.
            EventDefinitionError: a class is not an event class, or its events cannot be stored.
        """
        return self._like(self._sync.to_events(events))
