"""Converts tagged events and queries of ``eventsourcing`` to those of this store, and back.

A tag of the library is any text. A text that is also the stored form of one of this store's tags,
such as ``course:c1``, is stored unchanged, so that a `Query` of this store finds it. Any other text
becomes the value of a tag with the name ``tag``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid4

from dynamo_es.adapters.eventsourcing.coding import (
    decode_metadata,
    decode_state,
    encode_metadata,
    encode_state,
)
from dynamo_es.adapters.eventsourcing.versions import make_dcb_event, metadata_of, uuid_of
from dynamo_es.exceptions import InputError
from dynamo_es.values import Query, QueryItem, RawEvent, Tag
from dynamo_es.values.queries import TAGS_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from dynamo_es.adapters.eventsourcing.versions import DCBEvent, DCBQuery
    from dynamo_es.values import StreamId

_NAME: Final = "tag"
_PREFIX: Final = "tag:"
_UUID: Final = "$uuid"


def raw_tagged_events(
    stream_id: StreamId, events: Sequence[DCBEvent], now: datetime
) -> list[RawEvent]:
    """Return tagged events as raw events of this store.

    Each gets a new id, because the library may append an event with the same uuid again. The
    event's uuid is kept with the metadata.
    """
    return [
        RawEvent(uuid4(), stream_id, now, event.type, encode_state(event.data), _context(event))
        for event in events
    ]


def tagged_event(event: RawEvent) -> DCBEvent:
    """Return the tagged event that a raw event was made from."""
    tags = [_decode_tag(text) for text in event.context.get(TAGS_KEY, ())]
    return make_dcb_event(
        event.name,
        decode_state(event.data),
        tags,
        kept_uuid(event) or event.uuid,
        decode_metadata(event.context),
    )


def kept_uuid(event: RawEvent) -> UUID | None:
    """Return the uuid that the library gave an event; None if it gave none."""
    text = event.context.get(_UUID)
    return None if text is None else UUID(text)


def query_of(query: DCBQuery | None) -> Query:
    """Convert a query of the library to one of this store; without items: every event."""
    if query is None or not query.items:
        return Query.everything()
    return Query.of_items(
        QueryItem(frozenset(item.types), frozenset(map(encode_tag, item.tags)))
        for item in query.items
    )


def encode_tag(text: str) -> Tag:
    """Convert a tag of the library, which is any text, to a tag of this store.

    Different texts become different tags.

    Raises:
        InputError: the text is not Unicode.
    """
    if not text.startswith(_PREFIX):
        try:
            tag = Tag.of_text(text)
        except InputError:  # it has no name, or a name that is reserved for this library
            return Tag(_NAME, text)
        if tag.text == text:
            return tag
    return Tag(_NAME, text)


def _decode_tag(text: str) -> str:
    return text.removeprefix(_PREFIX)


def _context(event: DCBEvent) -> dict[str, object]:
    context: dict[str, object] = encode_metadata(metadata_of(event))
    if event.tags:
        context[TAGS_KEY] = [encode_tag(tag).text for tag in event.tags]
    if (uuid := uuid_of(event)) is not None:
        context[_UUID] = str(uuid)
    return context
