"""Publishers, which get events in their stored form or as objects of their classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias, cast

from dynamo_es.contracts.functions import refuse_asynchronous, refuse_unfinished
from dynamo_es.exceptions import InvalidSubscriptionError, UnreadableEventError
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.values import RecordedRaw

_PUBLISHER: Final = "publisher"


class StoredPublisher(Protocol):
    """Publishes events as they are stored, without their classes.

    Attributes:
        as_stored: True; a publisher of typed events has no such attribute.
    """

    as_stored: Literal[True]

    def __call__(self, record: RecordedRaw, /) -> Any:
        """Publish an event, or raise an exception."""


Publisher: TypeAlias = Callable[["Recorded"], Any] | StoredPublisher
"""Publishes one event, or raises an exception. Its return value does not matter."""


def checked_publisher(
    publisher: Publisher, deserialize: Callable[..., Recorded], *, keep_unknown: bool
) -> Callable[[RecordedRaw], None]:
    """Return a function of records that calls a publisher with the events it takes.

    Args:
        publisher: see `Outbox.run_once`.
        deserialize: makes a typed event of a record; takes ``keep_unknown``.
        keep_unknown: pass on an event without a class as an `UnknownEvent`.

    Raises:
        InvalidSubscriptionError: the publisher is asynchronous or not callable.
    """
    if not callable(publisher):
        raise InvalidSubscriptionError(f"publisher must be callable, not {shown(publisher)}.")
    refuse_asynchronous(publisher, _PUBLISHER)
    call = cast("Callable[[Any], Any]", publisher)

    def event_of(record: RecordedRaw) -> Recorded | RecordedRaw:
        if getattr(publisher, "as_stored", False) is True:
            return record
        if not keep_unknown:
            return deserialize(record)
        try:
            return deserialize(record, keep_unknown=True)
        except UnreadableEventError:  # another release wrote it
            return _unknown(record)

    def publish(record: RecordedRaw) -> None:
        refuse_unfinished(call(event_of(record)), publisher, _PUBLISHER)

    return publish


def _unknown(record: RecordedRaw) -> Recorded:
    """Return an event of the log without a class, with its data as stored."""
    from dynamo_es.event_store.wrapped import Recorded, UnknownEvent, WrappedEvent, context_of

    raw = record.entry
    wrapped = WrappedEvent(
        UnknownEvent(raw.name, raw.data),
        raw.version,
        raw.uuid,
        raw.created_at,
        context_of(raw.context),
    )
    return Recorded(wrapped, raw.stream_id, record.position, record.tenant_id, record.generation)
