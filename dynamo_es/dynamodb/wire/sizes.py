"""Calculates the bytes that DynamoDB counts for an item, and the units that it bills.

Source: the developer guide's "DynamoDB item sizes and formats" and "DynamoDB read and
write operations"; checked against the capacity that dynoxide reports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

WRITE_UNIT_BYTES: Final = 1024
READ_UNIT_BYTES: Final = 4096
MAX_ITEM_BYTES: Final = 400 * 1024
SAFE_ITEM_BYTES: Final = MAX_ITEM_BYTES - 1024
"""The most bytes of an item here: a margin for cases that the published size rules leave open."""
MAX_TRANSACTION_BYTES: Final = 4 * 1024 * 1024
MAX_TRANSACTION_ITEMS: Final = 100


def item_size(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Return the bytes that DynamoDB counts for an item in the wire format (``{"S": …}``)."""
    size = 0
    for name, value in item.items():
        size += text_size(name)
        ((kind, content),) = value.items()
        # The most common kinds first: every append calculates its size.
        if kind == "S":
            size += text_size(content)
        elif kind == "N":
            size += _number_size(content)
        else:
            size += value_size(value)
    return size


def value_size(value: Mapping[str, Any]) -> int:
    """Return the bytes that DynamoDB counts for an attribute's value, without its name."""
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return text_size(content)
        case "N":
            return _number_size(content)
        case "B":
            return len(content)
        case "BOOL" | "NULL":
            return 1
        case "SS":
            return sum(map(text_size, content))
        case "NS":
            return sum(map(_number_size, content))
        case "BS":
            return sum(map(len, content))
        case "L":
            return 3 + sum(1 + value_size(entry) for entry in content)
        case "M":
            return 3 + sum(1 + text_size(k) + value_size(v) for k, v in content.items())
        case _:
            raise ValueError(f"{kind!r} is not a DynamoDB type.")


def text_size(text: str) -> int:
    """Return the bytes of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def write_units(size: int, *, transactional: bool = False) -> int:
    """Return the write units of an item of ``size`` bytes: one per KB, rounded up."""
    units = max(1, -(-size // WRITE_UNIT_BYTES))
    return units * 2 if transactional else units


def read_units(size: int) -> float:
    """Return the read units of a consistent read of ``size`` bytes: one per 4 KB, rounded up."""
    return max(1, -(-size // READ_UNIT_BYTES))


def _number_size(text: str) -> int:
    # One byte for each two significant digits, plus one. Zeros at both ends are free. Digits before
    # and after the point count separately. A minus sign takes a byte.
    if text.isdigit():
        return 1 + (len(text.strip("0")) + 1) // 2
    from decimal import Decimal  # here: the store itself only writes digits

    value = Decimal(text)
    whole, _, fraction = format(value.copy_abs(), "f").partition(".")
    whole, fraction = whole.lstrip("0"), fraction.rstrip("0")
    if not whole:
        fraction = fraction.lstrip("0")
    elif not fraction:
        whole = whole.rstrip("0")
    return 1 + (len(whole) + 1) // 2 + (len(fraction) + 1) // 2 + (value < 0)
