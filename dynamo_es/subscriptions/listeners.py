"""Listeners: functions that a process calls with each event that it has appended."""

from __future__ import annotations

import logging
from copy import deepcopy
from inspect import signature
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, Self

from dynamo_es.contracts.checks.functions import refuse_asynchronous, refuse_unfinished
from dynamo_es.contracts.error_texts import trace_error
from dynamo_es.event_store.event import Event
from dynamo_es.exceptions import InvalidSubscriptionError, describe_stream
from dynamo_es.forking import new_lock
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dynamo_es.event_store.wrapped import WrappedEvent
    from dynamo_es.values import Position, RawEvent, StreamId, TenantId

_log = logging.getLogger("dynamo_es")

_ROLE: Final = "listener"


class Listener(Protocol):
    """A function that is called with each event after its append.

    Source: the listeners of python-event-sourcery. There, the position is never None.
    """

    def __call__(
        self,
        wrapped_event: WrappedEvent[Any],
        stream_id: StreamId,
        tenant_id: TenantId,
        position: Position | None,
    ) -> None:
        """Handle an event that was just appended.

        Args:
            wrapped_event: the event.
            stream_id: id of its stream.
            tenant_id: tenant of its stream.
            position: position of the event in the log; None: a sequencer assigns it later.
        """


class _Registration(NamedTuple):
    """A listener and the events that it gets.

    Attributes:
        listener: the function to call.
        to: event class or category of the events.
        tenant_id: tenant of the events; None: any tenant.
        takes_generation: whether the listener has a parameter ``generation``.
    """

    listener: Listener
    to: type[Event] | str
    tenant_id: TenantId | None
    takes_generation: bool

    @classmethod
    def of(cls, listener: Listener, to: type[Event] | str, tenant_id: TenantId | None) -> Self:
        try:
            takes_generation = "generation" in signature(listener).parameters
        except (TypeError, ValueError):  # some functions written in C have no signature
            takes_generation = False
        return cls(listener, to, tenant_id, takes_generation)


class _Registered:
    """The listeners of all tenants. To change them, replace the tuple under the lock."""

    def __init__(self) -> None:
        self.lock = new_lock()
        self.all: tuple[_Registration, ...] = ()


class Listeners:
    """Registers functions to call after each append. All tenants of a backend share them.

    A listener is called in the thread that appended, after the events are stored. If it raises, the
    error is logged and the events stay. If you repeat an append whose events are stored already,
    the listener is called again, because the first process may have died before it called the
    listener. Each listener gets its own copy of the event.

    Args:
        deserialize: turns a tenant's raw events into typed ones.
        narrowed: limits a listener to events of some classes, even among events that it loads
            itself.
        tenant_id: tenant whose events the listeners get that are registered here; None: all
            tenants.
    """

    def __init__(
        self,
        deserialize: Callable[[Sequence[RawEvent], TenantId], list[WrappedEvent[Any]]],
        narrowed: Callable[[Listener, Sequence[type[Event]]], Listener],
        tenant_id: TenantId | None = None,
    ) -> None:
        self._deserialize = deserialize
        self._narrowed = narrowed
        self._tenant_id = tenant_id
        self._registered = _Registered()

    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return an object that registers listeners for the events of one tenant."""
        scoped = type(self)(self._deserialize, self._narrowed, tenant_id)
        scoped._registered = self._registered  # noqa: SLF001 - of its own class
        return scoped

    def register(self, listener: Listener, to: type[Event] | str) -> None:
        """Call a listener with the events of later appends. A second registration changes nothing.

        ``backend.listeners.register(print_event, to="account")``

        Args:
            listener: a plain function, such as `Projector.project`. If it has a parameter
                ``generation``, it gets the stream's generation, or 0 if that is unknown.
            to: an event class: the listener gets its events and those of its subclasses. Or a
                category: it gets the events of its streams.

        Raises:
            InvalidSubscriptionError: the listener is asynchronous or not callable, or ``to`` is
                neither a class nor a category.
        """
        if not callable(listener):
            raise InvalidSubscriptionError(f"listener must be callable, not {shown(listener)}.")
        refuse_asynchronous(listener, _ROLE)
        if not isinstance(to, str) and not (isinstance(to, type) and issubclass(to, Event)):
            raise InvalidSubscriptionError(
                f"to must be a class of events or a category, not {shown(to)}."
            )
        registration = _Registration.of(listener, to, self._tenant_id)
        with self._registered.lock:
            if registration not in self._registered.all:
                self._registered.all += (registration,)

    def remove(self, listener: Listener, to: type[Event] | str) -> None:
        """Stop calling a listener. Does nothing if it is not registered."""
        unwanted = listener, to, self._tenant_id
        with self._registered.lock:
            self._registered.all = tuple(one for one in self._registered.all if one[:3] != unwanted)

    def __bool__(self) -> bool:
        """Return whether any listener is registered."""
        return any(self._tenant_id in {None, one.tenant_id} for one in self._registered.all)

    def __call__(
        self,
        events: Sequence[RawEvent],
        tenant_id: TenantId,
        first_position: Position | None,
        generation: int = 0,
    ) -> None:
        """Call the listeners with the events of one append; see `AppendListener`."""
        registered = [one for one in self._registered.all if one.tenant_id in {None, tenant_id}]
        if not registered:
            return
        stream_id = events[0].stream_id
        try:
            wrapped = self._deserialize(events, tenant_id)
        except Exception as error:  # noqa: BLE001 - the events are stored all the same
            _log.error(
                "Stream %s: the events are stored, but no listener could be called: %s",
                describe_stream(stream_id),
                trace_error(error),
            )
            return
        for index, event in enumerate(wrapped):
            position = None if first_position is None else first_position + index
            called: list[Listener] = []
            for one in registered:
                if one.listener not in called and _concerns(event, stream_id, one.to):
                    called.append(one.listener)
                    more = {"generation": generation} if one.takes_generation else {}
                    listener = self._limited(one.listener, registered, stream_id)
                    _call(listener, (event, stream_id, tenant_id, position), more)

    def _limited(
        self, listener: Listener, registered: Sequence[_Registration], stream_id: StreamId
    ) -> Listener:
        """Return a listener that takes only those events of a stream for which it is registered."""
        chosen = [one.to for one in registered if one.listener == listener]
        classes = [to for to in chosen if not isinstance(to, str)]
        if Event in classes or stream_id.category in chosen:
            return listener
        return self._narrowed(listener, classes)


def _concerns(event: WrappedEvent[Any], stream_id: StreamId, to: type[Event] | str) -> bool:
    if isinstance(to, str):
        return stream_id.category == to
    return isinstance(event.event, to)


def _call(
    listener: Callable[..., object],
    arguments: tuple[WrappedEvent[Any], StreamId, TenantId, Position | None],
    more: dict[str, int],
) -> None:
    event, stream_id, *rest = arguments
    try:
        returned = listener(deepcopy(event), stream_id, *rest, **more)
        refuse_unfinished(returned, listener, _ROLE)
    except Exception as error:  # noqa: BLE001 - the other listeners come next
        _log.error(
            "Stream %s: the listener %s failed: %s",
            describe_stream(stream_id),
            getattr(listener, "__qualname__", type(listener).__qualname__),
            trace_error(error),
        )
