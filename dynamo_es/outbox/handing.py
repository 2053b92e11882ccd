"""How a publisher is given its events: as they are stored, or as objects of their classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from dynamo_es.contracts.functions import refuse_unfinished
from dynamo_es.exceptions import UnreadableEventError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.outbox.run import Publisher
    from dynamo_es.values import RecordedRaw

ROLE: Final = "A publisher"


def handing(
    publisher: Publisher, deserialize: Callable[..., Recorded], *, keep_unknown: bool
) -> Callable[[RecordedRaw], Any]:
    """Return a function of records that calls a publisher with what it takes.

    Args:
        publisher: see `Outbox.run`.
        deserialize: makes a record an event of its class; takes ``keep_unknown``.
        keep_unknown: give it what no class here can take as an `UnknownEvent`.
    """
    call = cast("Callable[[Any], Any]", publisher)

    def taken(record: RecordedRaw) -> Recorded | RecordedRaw:
        if getattr(publisher, "as_stored", False) is True:
            return record
        if not keep_unknown:
            return deserialize(record)
        try:
            return deserialize(record, keep_unknown=True)
        except UnreadableEventError:  # another release wrote it
            return _unknown(record)

    def publish(record: RecordedRaw) -> None:
        refuse_unfinished(call(taken(record)), publisher, ROLE)

    return publish


def _unknown(record: RecordedRaw) -> Recorded:
    """Return an event of the log as it is stored."""
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
