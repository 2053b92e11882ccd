"""The event classes that the caller of a load expects."""

from __future__ import annotations

from types import UnionType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, get_args

from dynamo_es.event_store.event import Event, event_name
from dynamo_es.event_store.wrapped import UnknownEvent, WrappedEvent
from dynamo_es.exceptions import EventDefinitionError, UnreadableEventError
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamo_es.values import StreamId

E = TypeVar("E", bound=Event)

Expected: TypeAlias = type[E] | tuple[type[E], ...]
"""One event class or several: ``Deposited``, ``(Opened, Deposited)``."""


def classes_of(events: UnionType | Expected[Any]) -> tuple[type[Event], ...]:
    """Return the event classes that a caller expects, as a tuple.

    Raises:
        EventDefinitionError: there is no class, or an entry is not an event class.
    """
    if isinstance(events, UnionType):
        events = get_args(events)
    classes = events if isinstance(events, tuple) else (events,)
    for one in classes:
        if not (isinstance(one, type) and issubclass(one, Event)):
            raise EventDefinitionError(
                f"events must be an event class or a tuple of event classes, not {shown(one)}."
            )
    if not classes:
        raise EventDefinitionError("events is empty: give an event class, or leave events out.")
    return classes


def check_classes(
    found: Iterable[WrappedEvent[Any]], classes: tuple[type[Event], ...], stream_id: StreamId
) -> None:
    """Raise `UnreadableEventError` unless each event is an instance of one of the classes."""
    for wrapped in found:
        if not isinstance(wrapped.event, classes):
            event, kind = wrapped.event, type(wrapped.event)
            name = event.name if isinstance(event, UnknownEvent) else event_name(kind)
            expected = ", ".join(one.__qualname__ for one in classes)
            raise UnreadableEventError(
                stream_id,
                wrapped.version,
                name,
                f"its class is {kind.__qualname__}, but events has only {expected}. Add the class "
                "to events. If it is the snapshot, start=1 leaves it out.",
            )
