"""How a publisher is given its events: as they are stored, or as objects of their classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from dynamo_es.exceptions import UnreadableEventError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.outbox.run import Publisher, StoredPublisher
    from dynamo_es.values import RecordedRaw


def handing(
    publisher: Publisher, deserialize: Callable[..., Recorded], *, keep_unknown: bool
) -> Callable[[RecordedRaw], Any]:
    """Return a function of records that calls a publisher with what it takes.

    Args:
        publisher: see `Outbox.run`.
        deserialize: makes a record an event of its class; takes ``keep_unknown``.
        keep_unknown: give it what no class here can take as an `UnknownEvent`.
    """
    if getattr(publisher, "as_stored", False) is True:
        return cast("StoredPublisher", publisher)
    typed = cast("Callable[[Recorded], Any]", publisher)

    def publish(record: RecordedRaw) -> None:
        if not keep_unknown:
            typed(deserialize(record))
            return
        try:
            recorded = deserialize(record, keep_unknown=True)
        except UnreadableEventError:  # another release wrote it
            recorded = _unknown(record)
        typed(recorded)

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
