"""JSON in an attribute of an item: as text, or compressed where that costs less to write."""

from __future__ import annotations

import zlib
from typing import Any, Final

from dynamo_es.dynamodb.sizes import item_size, write_units

_SMALL_WINDOW: Final = 13
_SMALL: Final = 1 << _SMALL_WINDOW
_SMALL_MEMORY: Final = 6


def compress(text: bytes) -> bytes:
    """Return text as ``zlib.decompress`` takes it.

    Most of what zlib takes for a small text goes into clearing a large window (73 µs for ten
    events); one no larger than the text loses nothing (26 µs, and the same units).
    """
    if len(text) > _SMALL:
        return zlib.compress(text)
    small = zlib.compressobj(
        zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, _SMALL_WINDOW, _SMALL_MEMORY
    )
    return small.compress(text) + small.flush()


def pack(item: dict[str, Any], name: str, text: bytes) -> int:
    """Add a text to an item, the cheaper way; return the size of the whole in bytes."""
    rest = item_size(item) + len(name)
    units = write_units(rest + len(text))
    if units > 1 and write_units(rest + len(packed := compress(text))) < units:
        item[name] = {"B": packed}
        return rest + len(packed)
    item[name] = {"S": text.decode()}
    return rest + len(text)


def unpack(attribute: dict[str, Any]) -> str | bytes:
    """Return the text of an attribute in the wire format, as `pack` made it.

    Raises:
        ValueError: it is not one attribute, or not compressed as it says.
        AttributeError: it is no attribute.
        TypeError: it is not compressed as it says.
    """
    content: Any
    ((kind, content),) = attribute.items()
    try:
        return content if kind == "S" else zlib.decompress(content)
    except zlib.error as error:
        raise ValueError(str(error)) from error
