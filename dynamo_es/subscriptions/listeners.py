"""Listeners: told of events in the process that appended them, right after it did."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

from dynamo_es.contracts.error_texts import trace_error
from dynamo_es.event_store.event import Event
from dynamo_es.exceptions import InvalidSubscriptionError
from dynamo_es.forking import new_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dynamo_es.event_store.wrapped import WrappedEvent
    from dynamo_es.values import Position, RawEvent, StreamId, TenantId

_log = logging.getLogger("dynamo_es")


class Listener(Protocol):
    """Told of one event.

    Source: the listeners of python-event-sourcery, whose position is never None.
    """

    def __call__(
        self,
        wrapped_event: WrappedEvent[Any],
        stream_id: StreamId,
        tenant_id: TenantId,
        position: Position | None,
    ) -> None:
        """Hear of an event that was just appended.

        Args:
            wrapped_event: the event.
            stream_id: its stream.
            tenant_id: whose it is.
            position: in the log; None if another process will give it one.
        """


class Listeners:
    """Who is told of which events; shared by the event stores of all tenants of a backend.

    A listener is called in the thread that appended, when the events are stored for good: an
    error of it is logged, and undoes nothing. It is told again when an append is repeated that
    was stored already: its first process may have died before it came to tell.

    Args:
        deserialize: between raw and typed events of a tenant.
    """

    def __init__(
        self, deserialize: Callable[[Sequence[RawEvent], TenantId], list[WrappedEvent[Any]]]
    ) -> None:
        self._deserialize = deserialize
        self._registered: tuple[tuple[Listener, type[Event] | str], ...] = ()
        self._lock = new_lock()

    def register(self, listener: Listener, to: type[Event] | str) -> None:
        """Tell a listener of events from now on; registering it again changes nothing.

        Args:
            listener: what to call.
            to: an event class: of its events and those of its subclasses; or a category: of the
                events of its streams.

        Raises:
            InvalidSubscriptionError: not callable, or neither class nor category.
        """
        if not callable(listener):
            raise InvalidSubscriptionError(f"A listener is called: {listener!r} cannot be.")
        if not isinstance(to, str) and not (isinstance(to, type) and issubclass(to, Event)):
            raise InvalidSubscriptionError(
                f"Listen to a class of events or to a category, not to {to!r}."
            )
        with self._lock:
            if (listener, to) not in self._registered:
                self._registered += ((listener, to),)

    def remove(self, listener: Listener, to: type[Event] | str) -> None:
        """Tell a listener no more; one that is not registered stays so."""
        with self._lock:
            self._registered = tuple(one for one in self._registered if one != (listener, to))

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._registered)

    def __call__(
        self, events: Sequence[RawEvent], tenant_id: TenantId, first_position: Position | None
    ) -> None:
        """Tell of one append; see `AppendListener`."""
        stream_id = events[0].stream_id
        try:
            wrapped = self._deserialize(events, tenant_id)
        except Exception as error:  # noqa: BLE001 - the events are stored, whoever hears of it
            _log.error(
                "Stream %s: no listener could be told of what was appended: %s",
                stream_id,
                trace_error(error),
            )
            return
        for index, event in enumerate(wrapped):
            position = None if first_position is None else first_position + index
            told: list[Listener] = []
            for listener, to in self._registered:
                if listener not in told and _concerns(event, stream_id, to):
                    told.append(listener)
                    _tell(listener, event, stream_id, tenant_id, position)


def _concerns(event: WrappedEvent[Any], stream_id: StreamId, to: type[Event] | str) -> bool:
    if isinstance(to, str):
        return stream_id.category == to
    return isinstance(event.event, to)


def _tell(
    listener: Listener,
    event: WrappedEvent[Any],
    stream_id: StreamId,
    tenant_id: TenantId,
    position: Position | None,
) -> None:
    try:
        listener(event, stream_id, tenant_id, position)
    except Exception as error:  # noqa: BLE001 - the other listeners are to be told, too
        _log.error(
            "Stream %s: the listener %s failed: %s",
            stream_id,
            getattr(listener, "__qualname__", type(listener).__qualname__),
            trace_error(error),
        )
