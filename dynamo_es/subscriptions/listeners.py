"""Listeners: told of events in the process that appended them, right after it did."""

from __future__ import annotations

import logging
from copy import deepcopy
from inspect import signature
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, Self

from dynamo_es.contracts.error_texts import trace_error
from dynamo_es.contracts.functions import refuse_asynchronous, refuse_unfinished
from dynamo_es.event_store.event import Event
from dynamo_es.exceptions import InvalidSubscriptionError
from dynamo_es.forking import new_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dynamo_es.event_store.wrapped import WrappedEvent
    from dynamo_es.values import Position, RawEvent, StreamId, TenantId

_log = logging.getLogger("dynamo_es")

_ROLE: Final = "A listener"


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


class _Registration(NamedTuple):
    """A listener and what it is told of.

    Attributes:
        listener: what to call.
        to: a class or a category.
        tenant_id: only of that tenant; None: of all.
        takes_generation: whether it is told the generation, too.
    """

    listener: Listener
    to: type[Event] | str
    tenant_id: TenantId | None
    takes_generation: bool

    @classmethod
    def of(cls, listener: Listener, to: type[Event] | str, tenant_id: TenantId | None) -> Self:
        try:
            takes_generation = "generation" in signature(listener).parameters
        except (TypeError, ValueError):  # some functions written in C have none
            takes_generation = False
        return cls(listener, to, tenant_id, takes_generation)


class _Registered:
    """Who listens, of all tenants. Touched under the lock; what is in it is replaced."""

    def __init__(self) -> None:
        self.lock = new_lock()
        self.all: tuple[_Registration, ...] = ()


class Listeners:
    """Who is told of which events; shared by the event stores of all tenants of a backend.

    A listener is called in the thread that appended, when the events are stored for good: an
    error of it is logged, and undoes nothing. It is told again when an append is repeated that
    was stored already: its first process may have died before it came to tell. Each is given an
    event of its own: what one changes, no other sees.

    Args:
        deserialize: between raw and typed events of a tenant.
        tenant_id: what is registered here is told of that tenant's events only; None: of all.
    """

    def __init__(
        self,
        deserialize: Callable[[Sequence[RawEvent], TenantId], list[WrappedEvent[Any]]],
        tenant_id: TenantId | None = None,
    ) -> None:
        self._deserialize = deserialize
        self._tenant_id = tenant_id
        self._registered = _Registered()

    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return the listeners of one tenant's events, told along with these."""
        scoped = type(self)(self._deserialize, tenant_id)
        scoped._registered = self._registered  # noqa: SLF001 - of its own class
        return scoped

    def register(self, listener: Listener, to: type[Event] | str) -> None:
        """Tell a listener of events from now on; registering it again changes nothing.

        Args:
            listener: what to call: a plain function. If it has a parameter ``generation``, it is
                told the number of the stream's generation by it; 0: it is not known. The method
                `Projector.project` can be registered as it is.
            to: an event class: of its events and those of its subclasses; or a category: of the
                events of its streams.

        Raises:
            InvalidSubscriptionError: it cannot be called or is asynchronous, or neither class
                nor category.
        """
        if not callable(listener):
            raise InvalidSubscriptionError(f"A listener is called: {listener!r} cannot be.")
        refuse_asynchronous(listener, _ROLE)
        if not isinstance(to, str) and not (isinstance(to, type) and issubclass(to, Event)):
            raise InvalidSubscriptionError(
                f"Listen to a class of events or to a category, not to {to!r}."
            )
        registration = _Registration.of(listener, to, self._tenant_id)
        with self._registered.lock:
            if registration not in self._registered.all:
                self._registered.all += (registration,)

    def remove(self, listener: Listener, to: type[Event] | str) -> None:
        """Tell a listener no more; one that is not registered stays so."""
        unwanted = listener, to, self._tenant_id
        with self._registered.lock:
            self._registered.all = tuple(one for one in self._registered.all if one[:3] != unwanted)

    def __bool__(self) -> bool:
        """Whether there is any."""
        return any(self._tenant_id in {None, one.tenant_id} for one in self._registered.all)

    def __call__(
        self,
        events: Sequence[RawEvent],
        tenant_id: TenantId,
        first_position: Position | None,
        generation: int = 0,
    ) -> None:
        """Tell of one append; see `AppendListener`."""
        registered = [one for one in self._registered.all if one.tenant_id in {None, tenant_id}]
        if not registered:
            return
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
            for one in registered:
                if one.listener not in told and _concerns(event, stream_id, one.to):
                    told.append(one.listener)
                    more = {"generation": generation} if one.takes_generation else {}
                    _tell(one.listener, (event, stream_id, tenant_id, position), more)


def _concerns(event: WrappedEvent[Any], stream_id: StreamId, to: type[Event] | str) -> bool:
    if isinstance(to, str):
        return stream_id.category == to
    return isinstance(event.event, to)


def _tell(
    listener: Callable[..., object],
    told: tuple[WrappedEvent[Any], StreamId, TenantId, Position | None],
    more: dict[str, int],
) -> None:
    event, stream_id, *rest = told
    try:
        returned = listener(deepcopy(event), stream_id, *rest, **more)
        refuse_unfinished(returned, listener, _ROLE)
    except Exception as error:  # noqa: BLE001 - the other listeners are to be told, too
        _log.error(
            "Stream %s: the listener %s failed: %s",
            stream_id,
            getattr(listener, "__qualname__", type(listener).__qualname__),
            trace_error(error),
        )
