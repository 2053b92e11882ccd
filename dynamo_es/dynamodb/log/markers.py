"""Markers: for each generation of a stream, the last version that the log holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from dynamo_es.dynamodb.wire.steps import Item

PLACE_DIGITS: Final = 20
"""Digits of a number in a sort key. Zeros in front make text order number order."""

MAX_PLACE_BYTES: Final = 1024
"""DynamoDB's limit for a sort key."""


class Marker(NamedTuple):
    """Key of the item that says which version of a stream's generation the log has reached.

    Attributes:
        log_key: ``streams#{tenant}#{category}#{last hex digit of the UUID}``.
        place: ``{uuid}#{generation}``, the generation in 20 digits.
    """

    log_key: str
    place: str

    @classmethod
    def at(cls, category: str, uuid: str, generation: int) -> Marker:
        """Return the marker of a generation of a stream, given the two parts of the stream's key.

        Args:
            category: the key up to the UUID, ``{tenant}#{category}``.
            uuid: the stream's UUID.
            generation: the generation.
        """
        return cls(f"streams#{category}#{uuid[-1:]}", f"{uuid}#{generation:0{PLACE_DIGITS}d}")

    @property
    def key(self) -> Item:
        """The item's key in the wire format."""
        return {"log_key": {"S": self.log_key}, "place": {"S": self.place}}


def marked_version(item: Item) -> int:
    """Return the last version that the log holds, from a marker's item.

    Raises:
        KeyError, TypeError, ValueError: the item has no such version.
    """
    return int(item["last_version"]["N"])
