"""Decodes the binary values of replies: base64 text, in JSON."""

from __future__ import annotations

from binascii import a2b_base64
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def decode(text: str) -> bytes:
    """Return the bytes of base64 text, as `binascii.a2b_base64` does, in a quarter of the time.

    Raises:
        ValueError: the text is not base64.
    """
    # The quick decoder would also accept the alphabet of URLs, and text without padding.
    if len(text) % 4 or "-" in text or "_" in text:
        return a2b_base64(text)
    try:
        return _quickly()(text)
    except ValueError:
        return a2b_base64(text)


@cache
def _quickly() -> Callable[[str], bytes]:
    # Imported for the first reply with items: a process that only appends starts without it.
    from pydantic_core import SchemaValidator

    return SchemaValidator({"type": "bytes"}, {"val_json_bytes": "base64"}).validate_python
