"""Markers: for each generation of a stream, the last version that is in the log."""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from dynamo_es.dynamodb.log.keys import markers_key, stream_part
from dynamo_es.dynamodb.streams.keys import parse_stream_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dynamo_es.dynamodb.wire.steps import Item
    from dynamo_es.values import TenantId

PLACE_DIGITS: Final = 20
"""Digits of a number in a sort key. With leading zeros, text order is number order."""

MAX_PLACE_BYTES: Final = 1024
"""DynamoDB's limit for a sort key."""


class Marker(NamedTuple):
    """Key of the item that says which version of a stream's generation the log has reached.

    Attributes:
        log_key: ``{tenant}#streams#{category}#{last hex digit of the UUID}``.
        place: ``{uuid}#{generation}``, the generation in 20 digits.
    """

    log_key: str
    place: str

    @classmethod
    def at(cls, category: str, uuid: str, generation: int) -> Marker:
        """Return the marker of a generation of a stream, given the two parts of the stream's key.

        Args:
            category: the key before the UUID, ``{tenant}#{category}``.
            uuid: the stream's UUID.
            generation: the generation.
        """
        place = f"{uuid}#{generation:0{PLACE_DIGITS}d}"
        return cls(markers_key(category, uuid[-1:]), place)

    @classmethod
    def of_stream(cls, stream_key: str, generation: int) -> Marker:
        """Return the marker of a generation of a stream, given the stream's key."""
        return _of_stream(stream_key, generation)

    @property
    def key(self) -> Item:
        """The item's key in the wire format."""
        return {"log_key": {"S": self.log_key}, "place": {"S": self.place}}


# Cached, because a sequencer asks for the marker of a commit several times for one page.
@lru_cache(maxsize=1024)
def _of_stream(stream_key: str, generation: int) -> Marker:
    category, _, uuid = stream_key.rpartition("#")
    return Marker.at(category, uuid, generation)


class MarkedGeneration(NamedTuple):
    """A generation of a stream in the log.

    Attributes:
        uuid: the stream's UUID.
        generation: number of the generation.
        version: version of its last event that has a position.
    """

    uuid: str
    generation: int
    version: int


def marked_version(item: Item) -> int:
    """Return the last version in the log, from a marker's item.

    Raises:
        KeyError, TypeError, ValueError: the item has no valid version.
    """
    return int(item["last_version"]["N"])


def readable_version(item: Item) -> int | None:
    """Return the last version in the log, from a marker's item; None if it has no valid one."""
    try:
        return marked_version(item)
    except (KeyError, TypeError, ValueError):
        return None


def read_marker(item: Item) -> MarkedGeneration | None:
    """Return the generation of a marker; None if the marker is damaged."""
    uuid, _, generation = item["place"]["S"].partition("#")
    try:
        marked = MarkedGeneration(uuid, int(generation), marked_version(item))
    except (KeyError, TypeError, ValueError):
        return None
    return marked if is_uuid(uuid) else None


def is_uuid(text: str) -> bool:
    """Return whether a text is a UUID in the form that keys use (lower case)."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def newest_of(marked: Iterable[MarkedGeneration]) -> Iterator[MarkedGeneration]:
    """Yield the newest generation of each stream of a partition."""
    for _, generations in groupby(marked, key=lambda one: one.uuid):
        # Generations come in order, so the last one is the newest.
        *_, newest = generations
        yield newest


def category_of(log_key: str) -> tuple[TenantId, str | None] | None:
    """Return tenant and category of the markers in a partition; None if the key is damaged."""
    try:
        # The part before the last hex digit is a stream's key without the UUID.
        tenant_id, category, _ = parse_stream_key(f"{stream_part(log_key)}{UUID(int=0)}")
    except ValueError:
        return None
    return tenant_id, category
