"""Reading a stream page by page, and the classes that a reader expects of its events."""

from __future__ import annotations

from types import UnionType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, get_args

from dynamo_es.event_store.event import Event, event_name
from dynamo_es.event_store.wrapped import UnknownEvent, WrappedEvent
from dynamo_es.exceptions import EventDefinitionError, StreamGapError, UnreadableEventError
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dynamo_es.contracts import StorageStrategy
    from dynamo_es.values import RawEvent, StreamId

E = TypeVar("E", bound=Event)

Expected: TypeAlias = type[E] | tuple[type[E], ...]
"""A class of events, or several: ``Deposited``, ``(Opened, Deposited)``."""

PAGE_SIZE = 500
"""The default number of events of one page, which are in memory at once."""


def pages_forward(
    storage: StorageStrategy, stream_id: StreamId, start: int, stop: int | None, page_size: int
) -> Iterator[list[RawEvent]]:
    """Yield the events of a range in pages, the oldest first.

    Each read begins with the last event of the page before: without it, the end of the stream and
    a deletion would look the same.

    Raises:
        StreamGapError: the stream was deleted since the first page.
    """
    last: RawEvent | None = None
    while stop is None or start < stop:
        end = start + page_size if stop is None else min(start + page_size, stop)
        page = storage.fetch_events(stream_id, start if last is None else start - 1, end)
        if last is not None and (not page or page.pop(0).generation != last.generation):
            raise StreamGapError(stream_id, start - 1)
        if page:
            yield page
        if len(page) < end - start:
            return
        last, start = page[-1], end


def pages_backward(
    storage: StorageStrategy, stream_id: StreamId, start: int, stop: int | None, page_size: int
) -> Iterator[list[RawEvent]]:
    """Yield the events of a range in pages, the newest first.

    Events that are appended meanwhile are left out.

    Raises:
        StreamGapError: the stream was deleted since the beginning.
    """
    head = storage.head(stream_id)
    if head is None:
        return
    end = head.length + 1 if stop is None else min(stop, head.length + 1)
    while start < end:
        begin = max(start, end - page_size)
        page = storage.fetch_events(stream_id, begin, end)
        if len(page) != end - begin or page[0].generation != head.generation:
            raise StreamGapError(stream_id, end - 1)
        yield page[::-1]
        end = begin


def classes_of(events: UnionType | Expected[Any]) -> tuple[type[Event], ...]:
    """Return the event classes that a caller expects.

    Raises:
        EventDefinitionError: no class, or something that is not an event class.
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
    """Raise `UnreadableEventError` if an event is not of one of the classes or a subclass."""
    for wrapped in found:
        if not isinstance(wrapped.event, classes):
            event, kind = wrapped.event, type(wrapped.event)
            name = event.name if isinstance(event, UnknownEvent) else event_name(kind)
            expected = ", ".join(one.__qualname__ for one in classes)
            raise UnreadableEventError(
                stream_id,
                wrapped.version,
                name,
                f"its class is {kind.__qualname__}, and the caller expects {expected}. Add the "
                "class to events; start=1 leaves the snapshot out.",
            )
