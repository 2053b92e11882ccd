"""Turns large events into JSON and back in threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynamo_es.aio.bridges.greenlet_bridge import this_call
from dynamo_es.aio.on_loop.large_events import are_large
from dynamo_es.event_store.serde import Serde
from dynamo_es.waiting import elsewhere

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamo_es.event_store.wrapped import WrappedEvent
    from dynamo_es.values import RawEvent, StreamId


class AsyncSerde(Serde):
    """Turns events into JSON and back, large ones in threads; see `Serde`."""

    def serialize_all(
        self, events: Iterable[WrappedEvent[Any]], stream_id: StreamId
    ) -> list[RawEvent]:
        """Return the stored form of events; see `Serde.serialize_all`."""
        events = list(events)
        call = this_call()
        if call is None:
            return super().serialize_all(events, stream_id)
        # One of several appends in a call may be large.
        call.is_large = are_large(events) or bool(call.is_large)
        if not call.is_large:
            return super().serialize_all(events, stream_id)
        write = super().serialize_all
        return elsewhere(lambda: write(events, stream_id))

    def deserialize_all(
        self, raws: Iterable[RawEvent], *, keep_unknown: bool = False
    ) -> list[WrappedEvent[Any]]:
        """Return stored events as objects of their classes; see `Serde.deserialize_all`."""
        raws = list(raws)
        if this_call() is None or not are_large(raws):
            return super().deserialize_all(raws, keep_unknown=keep_unknown)
        read = super().deserialize_all
        return elsewhere(lambda: read(raws, keep_unknown=keep_unknown))
