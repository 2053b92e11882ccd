"""JSON in an attribute of an item: as text, or compressed where that costs less to write."""

from __future__ import annotations

import zlib
from typing import Any, Final

from dynamo_es.dynamodb.wire.sizes import item_size, write_units

MAX_TEXT_BYTES: Final = 32 * 1024 * 1024
"""What a text may take before compression, unless a user sets another limit."""

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


def unpack(attribute: dict[str, Any], most: int = MAX_TEXT_BYTES) -> str | bytes:
    """Return the text of an attribute in the wire format, as `pack` made it.

    Args:
        attribute: in the wire format.
        most: bytes that the text may take: a few hundred kilobytes can hold gigabytes.

    Raises:
        ValueError: it is not one attribute, not compressed as it says, or larger than ``most``.
        AttributeError: it is no attribute.
        TypeError: it is not compressed as it says.
    """
    content: Any
    ((kind, content),) = attribute.items()
    if kind == "S":
        return content  # type: ignore[no-any-return]
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(content, most + 1)
    except zlib.error as error:
        raise ValueError("It is not compressed with zlib.") from error
    if len(text) > most:
        raise ValueError(f"It takes more than {most:,} bytes uncompressed.")
    if not inflater.eof:
        raise ValueError("Its end is missing.")
    return text
