"""Parses one line of a history: from JSON text to checked fields."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any, Final, NoReturn

from dynamo_es.contracts.payload import NotJsonError, check_json, check_text
from dynamo_es.values import DEFAULT_TENANT, TenantId

MAX_LINE_BYTES: Final = 16 * 1024 * 1024
"""Longer lines are not parsed: a commit carries 4 MB, compressed."""

_PARTS_OF_MICROSECONDS: Final = re.compile(r"[.,][0-9]{6}0*[1-9]")


class MalformedLineError(ValueError):
    """A line is not an event; the message is the reason.

    Attributes:
        stream: the stream the line belongs to; None if the line does not say.
    """

    stream: StreamOf | None = None


@dataclass(frozen=True, slots=True)
class StreamOf:
    """The stream of a line.

    Attributes:
        tenant_id: the tenant.
        category: the stream's category, if it has one.
        name: the name that the stream's UUID is derived from.
    """

    tenant_id: TenantId
    category: str | None
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in (self.tenant_id, self.category, self.name) if part)


@dataclass(frozen=True, slots=True)
class Line:
    """The event of a line.

    Attributes:
        number: the line's number in its file, 1-based.
        size: bytes of the line.
        stream: the stream it belongs to.
        name: type of the event.
        created_at: when it happened.
        data: its payload.
    """

    number: int
    size: int
    stream: StreamOf
    name: str
    created_at: datetime
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Defaults:
    """Tenant and category of lines where the field is missing or null."""

    tenant_id: TenantId = DEFAULT_TENANT
    category: str | None = None


def parse_line(text: bytes, number: int, defaults: Defaults) -> Line:
    """Return the event of a line with the fields stream, type, at, data, tenant and category.

    Args:
        text: the line, in UTF-8.
        number: the line's number, 1-based.
        defaults: for a line without tenant or category.

    Raises:
        MalformedLineError: The line is not such an event.
    """
    stream = None
    try:
        fields = _parse_object(text)
        stream = _stream(fields, defaults)
        name, created_at = _text(fields, "type", empty=False), _time(fields)
        return Line(number, len(text), stream, name, created_at, _data(fields))
    except MalformedLineError as error:
        error.stream = _stream_of_damaged(text, defaults) if stream is None else stream
        raise


def _stream(fields: dict[str, Any], defaults: Defaults) -> StreamOf:
    tenant, category = fields.get("tenant"), fields.get("category")
    return StreamOf(
        defaults.tenant_id if tenant is None else _text(fields, "tenant"),
        defaults.category if category is None else _text(fields, "category"),
        _text(fields, "stream", empty=False),
    )


def _stream_of_damaged(text: bytes, defaults: Defaults) -> StreamOf | None:
    """Return the stream of a line that is damaged elsewhere; None if that is not certain."""
    if len(text) > MAX_LINE_BYTES:
        return None
    try:
        # Damaged bytes become surrogates, odd numbers and doubled keys 0: none can name a stream.
        fields = json.loads(
            text.decode(errors="surrogateescape"),
            parse_int=lambda _: 0,
            parse_constant=lambda _: 0,
            object_pairs_hook=_without_doubles,
        )
        return _stream(fields, defaults) if isinstance(fields, dict) else None
    except (ValueError, RecursionError):
        return None


def _parse_object(text: bytes) -> dict[str, Any]:
    if len(text) > MAX_LINE_BYTES:
        raise MalformedLineError(f"longer than {MAX_LINE_BYTES:,} bytes")
    try:
        fields = json.loads(
            text.decode(),
            parse_float=_exact,
            parse_constant=_refuse_constant,
            object_pairs_hook=_refuse_doubles,
        )
    except UnicodeDecodeError as error:
        raise MalformedLineError(f"not UTF-8 (byte {error.start + 1})") from None
    except json.JSONDecodeError as error:
        raise MalformedLineError(f"not JSON: {error.msg} (column {error.colno})") from None
    except RecursionError:
        raise MalformedLineError("not usable: nested too deep") from None
    except MalformedLineError:
        raise
    except ValueError:  # an integer of more digits than Python reads
        raise MalformedLineError("not usable: an integer of more than 4,300 digits") from None
    if not isinstance(fields, dict):
        raise MalformedLineError(f"not a JSON object but {_kind(fields)}")
    return fields


def _refuse_constant(constant: str) -> NoReturn:
    raise MalformedLineError(f"not JSON: {constant} is not a JSON value")


def _refuse_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        # repr, because a key may hold line breaks.
        raise MalformedLineError(
            f"an object has the key {_doubled(pairs)[0]!r} twice, so one value would be lost"
        )
    return fields


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {**dict(pairs), **dict.fromkeys(_doubled(pairs), 0)}


def _doubled(pairs: list[tuple[str, Any]]) -> list[str]:
    return [key for key, times in Counter(key for key, _ in pairs).items() if times > 1]


def _exact(text: str) -> float:
    """Return a number with a point or an exponent, unless a float would round it."""
    number = float(text)
    # As text it is the same for most numbers. Infinity is refused with the place of the number.
    if repr(number) != text and isfinite(number) and not _is_same(number, text):
        raise MalformedLineError(
            "a number has more digits than a float keeps, so it would be rounded: shorten it, or "
            "write it as text"
        )
    return number


def _is_same(number: float, text: str) -> bool:
    try:
        return Decimal(repr(number)) == Decimal(text)
    except InvalidOperation:  # its exponent is out of every range
        return False


def _text(fields: dict[str, Any], field: str, *, empty: bool = True) -> str:
    value = _required(fields, field)
    if not isinstance(value, str):
        raise MalformedLineError(f"the field {field!r} must be text, not {_kind(value)}")
    if not value and not empty:
        raise MalformedLineError(f"the field {field!r} is empty")
    try:
        check_text(value)
    except NotJsonError as error:
        raise MalformedLineError(f"the field {field!r} {error.reason}") from None
    return value


def _time(fields: dict[str, Any]) -> datetime:
    text = _text(fields, "at")
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise MalformedLineError(f"the field 'at' is not an ISO 8601 time: {text!r}") from None
    if _PARTS_OF_MICROSECONDS.search(text):
        raise MalformedLineError(
            f"the field 'at' has more than six digits of a second, so it would be cut: {text!r}"
        )
    return at


def _data(fields: dict[str, Any]) -> dict[str, Any]:
    data = _required(fields, "data")
    if not isinstance(data, dict):
        raise MalformedLineError(f"the field 'data' must be a JSON object, not {_kind(data)}")
    try:
        check_json(data)
    except NotJsonError as error:
        raise MalformedLineError(error.describe("data")) from None
    return data


def _required(fields: dict[str, Any], field: str) -> Any:
    try:
        return fields[field]
    except KeyError:
        raise MalformedLineError(f"the field {field!r} is missing") from None


def _kind(value: object) -> str:
    if value is None:
        return "null"
    kinds = {bool: "true or false", str: "text", list: "an array", dict: "an object"}
    return kinds.get(type(value), "a number")
