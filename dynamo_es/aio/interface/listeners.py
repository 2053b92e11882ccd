"""`AsyncListeners`: scripts/async-interface writes it, from `Listeners`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.aio.base import Over

if TYPE_CHECKING:
    from typing import Self

    from dynamo_es.aio.bridges.your_functions import AsyncListener
    from dynamo_es.event_store.event import Event
    from dynamo_es.subscriptions.listeners import Listener, Listeners
    from dynamo_es.values import TenantId


class AsyncListeners(Over):
    """Registers functions to call after each append; see `Listeners`.

    A plain function is called on the loop's thread, so it must not block.
    """

    _sync: Listeners

    def register(
        self,
        listener: Listener | AsyncListener,
        to: type[Event] | str,
    ) -> None:
        """Call a listener with the events of later appends. A second registration changes nothing.

        ``backend.listeners.register(print_event, to="account")``

        Args:
            listener: any function, such as `Projector.project`. If it has a parameter
                ``generation``, it gets the stream's generation, or 0 if that is unknown.
            to: an event class: the listener gets its events and those of its subclasses. Or a
                category: it gets the events of its streams.

        Raises:
            InvalidSubscriptionError: the listener is not callable, or ``to`` is
                neither a class nor a category.
        """
        self._sync.register(self._plain(listener), to)

    def remove(
        self,
        listener: Listener | AsyncListener,
        to: type[Event] | str,
    ) -> None:
        """Stop calling a listener. Does nothing if it is not registered."""
        self._sync.remove(self._plain(listener), to)

    def scoped_for_tenant(
        self,
        tenant_id: TenantId,
    ) -> Self:
        """Return an object that registers listeners for the events of one tenant."""
        return self._like(self._sync.scoped_for_tenant(tenant_id))
