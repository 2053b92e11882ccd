"""Publishers: functions that publish typed or stored events, one by one or several at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias, cast

from dynamo_es.contracts.checks.functions import refuse_asynchronous, refuse_unfinished
from dynamo_es.exceptions import (
    AsynchronousFunctionError,
    InvalidSubscriptionError,
    UnreadableEventError,
)
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.outbox.driving import Outcomes
    from dynamo_es.values import RecordedRaw

_PUBLISHER: Final = "publisher"


class StoredPublisher(Protocol):
    """Publishes events in their stored form, without their classes.

    Attributes:
        as_stored: True; a publisher of typed events has no such attribute.
    """

    as_stored: Literal[True]

    def __call__(self, record: RecordedRaw, /) -> Any:
        """Publish an event, or raise an exception."""


class SeveralPublisher(StoredPublisher, Protocol):
    """Publishes several stored events in one call, and returns the outcome of each.

    Attributes:
        at_once: most events of a call, 1 or more.
    """

    at_once: int

    def publish_all(self, records: Sequence[RecordedRaw], /) -> list[Exception | None]:
        """Publish events; return for each, in order, None or the exception why it is not published.

        If the call itself raises an exception, that is a failed try of all events.
        """


Publisher: TypeAlias = Callable[["Recorded"], Any] | StoredPublisher
"""Publishes one event, or raises an exception. Its return value does not matter."""


@dataclass(frozen=True, slots=True)
class Publishing:
    """Calls a publisher with records.

    Attributes:
        several: publishes records; returns for each None or its exception.
        at_once: most records in one call.
    """

    several: Callable[[Sequence[RecordedRaw]], Outcomes]
    at_once: int = 1

    def __call__(self, records: Sequence[RecordedRaw], /) -> Outcomes:
        """Publish records, and return the outcome of each."""
        return self.several(records)


def checked_publisher(
    publisher: Publisher, deserialize: Callable[..., Recorded], *, keep_unknown: bool
) -> Publishing:
    """Check a publisher, and return a `Publishing` that calls it with the events that it takes.

    Args:
        publisher: see `Outbox.run_once`.
        deserialize: turns a raw event into a typed one; takes ``keep_unknown``.
        keep_unknown: whether to pass on an event without a class as an `UnknownEvent`.

    Raises:
        InvalidSubscriptionError: the publisher is asynchronous or not callable, or its ``at_once``
            is not an integer of 1 or more.
    """
    if not callable(publisher):
        raise InvalidSubscriptionError(f"publisher must be callable, not {shown(publisher)}.")
    refuse_asynchronous(publisher, _PUBLISHER)
    if getattr(publisher, "as_stored", False) is True and hasattr(publisher, "publish_all"):
        return _several(cast("SeveralPublisher", publisher))
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

    return Publishing(lambda records: [_outcome(publish, record) for record in records])


def _several(publisher: SeveralPublisher) -> Publishing:
    at_once = publisher.at_once
    if type(at_once) is not int or at_once < 1:
        raise InvalidSubscriptionError(
            f"at_once of a publisher must be an integer of 1 or more, not {shown(at_once)}."
        )

    def publish(records: Sequence[RecordedRaw]) -> Outcomes:
        try:
            outcomes = publisher.publish_all(records)
        except Exception as failure:  # noqa: BLE001 - a failed try of all
            return [failure] * len(records)
        refuse_unfinished(outcomes, publisher, _PUBLISHER)
        if not isinstance(outcomes, list) or len(outcomes) != len(records):
            raise InvalidSubscriptionError(
                f"publish_all must return a list with an outcome for each of {len(records)} "
                f"events, not {shown(outcomes)}."
            )
        return outcomes

    return Publishing(publish, at_once)


def _outcome(publish: Callable[[RecordedRaw], None], record: RecordedRaw) -> Exception | None:
    try:
        publish(record)
    except AsynchronousFunctionError:
        raise  # not a failed try: this publisher can never publish an event
    except Exception as failure:  # noqa: BLE001 - the other events come next
        return failure
    return None


def _unknown(record: RecordedRaw) -> Recorded:
    """Return an event of the log as an `UnknownEvent` with its stored data."""
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
