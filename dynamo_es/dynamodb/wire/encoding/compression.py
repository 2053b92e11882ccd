"""Stores JSON in an item's attribute: as text, or compressed if that costs less to write."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.dynamodb.wire.sizes import item_size, write_units

if TYPE_CHECKING:
    from dynamo_es.dynamodb.config import Compression

MAX_TEXT_BYTES: Final = 32 * 1024 * 1024
"""The most bytes of a text before compression, unless the user sets another limit."""

_SMALL_WINDOW: Final = 13
_SMALL: Final = 1 << _SMALL_WINDOW
_SMALL_MEMORY: Final = 6


def compress(text: bytes) -> bytes:
    """Return compressed text, for ``zlib.decompress``.

    For a small text, zlib spends most of its time clearing a large window (73 µs for ten events).
    A window no larger than the text loses nothing (26 µs, and the same write units).
    """
    if len(text) > _SMALL:
        return zlib.compress(text)
    small = zlib.compressobj(
        zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, _SMALL_WINDOW, _SMALL_MEMORY
    )
    return small.compress(text) + small.flush()


def pack(item: dict[str, Any], name: str, text: bytes, compression: Compression = "units") -> int:
    """Add a text to an item, in the cheaper form; return the size of the item in bytes.

    Args:
        item: the item.
        name: name of the attribute.
        text: the text in UTF-8.
        compression: ``"units"``: the form that takes fewer write units, plain if both take the
            same. ``"always"``: the form that takes fewer bytes.
    """
    rest = item_size(item) + len(name)
    if packed := _packed(text, rest, compression):
        item[name] = {"B": packed}
        return rest + len(packed)
    item[name] = {"S": text.decode()}
    return rest + len(text)


def _packed(text: bytes, rest: int, compression: Compression) -> bytes:
    """Return the compressed text if it is the cheaper form; otherwise empty bytes."""
    if compression == "always":
        packed = compress(text)
        return packed if len(packed) < len(text) else b""
    units = write_units(rest + len(text))
    if units > 1 and write_units(rest + len(packed := compress(text))) < units:
        return packed
    return b""


def unpack(attribute: dict[str, Any], most: int = MAX_TEXT_BYTES) -> str | bytes:
    """Return the text that `pack` stored in an attribute.

    Args:
        attribute: the attribute, in the wire format.
        most: the most bytes of the text; a few hundred compressed KB can hold gigabytes.

    Raises:
        ValueError: more than one value, a text larger than ``most``, or bytes that are not
            compressed.
        AttributeError: not an attribute.
        TypeError: a compressed text that is not bytes.
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
