"""Parses one line of a history: from JSON text to checked fields."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal
from functools import lru_cache
from math import isfinite
from typing import Annotated, Any, Final, Self
from uuid import UUID

import pydantic

from dynamo_es.contracts.checks.payload import NotJsonError, check_json, check_text
from dynamo_es.contracts.stream_keys import stream_key, tenant_prefix
from dynamo_es.values import DEFAULT_TENANT, StreamId, TenantId

MAX_LINE_BYTES: Final = 16 * 1024 * 1024
"""Longer lines are not parsed: a commit carries 4 MB, compressed."""

_PARTS_OF_MICROSECONDS: Final = re.compile(r"[.,][0-9]{6}0*[1-9]")
_ANY_EXPONENT: Final = Context(traps=[])

_SURELY_SHORT: Final = 128
"""Characters of a tenant and a category that make no key too long, whichever they are."""


@dataclass(frozen=True, slots=True)
class StreamOf:
    """A stream of a tenant."""

    tenant_id: TenantId
    id: StreamId

    @classmethod
    def named(cls, tenant_id: TenantId, category: str | None, name: str) -> Self:
        """Return the stream whose UUID is derived from this name."""
        return cls(tenant_id, StreamId(name=name, category=category))

    def __str__(self) -> str:
        parts = (self.tenant_id, self.id.category, self.id.name or str(self.id))
        return "/".join(part for part in parts if part)


@dataclass(eq=False)
class LineError(Exception):
    """A line cannot be stored, so the later lines of its stream are skipped."""

    line: int  # its number, 1-based
    reason: str
    stream: StreamOf | None = None  # None: the line does not say, so all later lines are skipped


@dataclass(frozen=True, slots=True)
class Defaults:
    """Tenant and category of lines where the field is missing or null."""

    tenant_id: TenantId = DEFAULT_TENANT
    category: str | None = None


def _time(text: Any) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise ValueError(f"not an ISO 8601 time: {text!r}") from None
    if _PARTS_OF_MICROSECONDS.search(text):
        raise ValueError(f"more than six digits of a second, which would be cut: {text!r}")
    return at


def _storable(fields: dict[str, Any]) -> dict[str, Any]:
    try:
        check_json(fields)
    except NotJsonError as error:
        raise ValueError(error.describe("")) from None
    return fields


_Json = Annotated[dict[str, Any], pydantic.AfterValidator(_storable)]
_Time = Annotated[datetime, pydantic.BeforeValidator(_time)]


class Line(pydantic.BaseModel, strict=True):
    """The event of a line. An alias is the name of a field in JSON."""

    number: int  # of the line in its file, 1-based
    size: int  # bytes of the line
    stream: pydantic.InstanceOf[StreamOf]
    name: str = pydantic.Field(alias="type", min_length=1)
    created_at: _Time = pydantic.Field(alias="at")
    data: _Json
    context: _Json = pydantic.Field(default_factory=dict)
    # Without an id, it is derived from the content and the place in the stream.
    uuid: UUID | None = pydantic.Field(default=None, alias="id", strict=False)
    version: pydantic.PositiveInt | None = None  # None: the one after the stream's earlier lines
    versionless: bool = False  # whether the stream has no versions
    snapshot: bool = False  # whether it is the stream's snapshot at ``version``


def parse_line(text: bytes, number: int, defaults: Defaults) -> Line:
    """Return the event of a line.

    Args:
        text: the line, in UTF-8.
        number: the line's number, 1-based.
        defaults: for a line without tenant or category.

    Raises:
        LineError: The line is not such an event.
    """
    stream = None
    try:
        if len(text) > MAX_LINE_BYTES:
            raise ValueError(f"longer than {MAX_LINE_BYTES:,} bytes")  # noqa: TRY301 - as others
        fields = _given(_decode(text.decode()))
        stream = _stream(fields, defaults)
        if len(f"{stream.tenant_id}{stream.id.category}") > _SURELY_SHORT:
            stream_key(tenant_prefix(stream.tenant_id), stream.id)  # which may be too long
        fields |= {"number": number, "size": len(text), "stream": stream}
        line = Line.model_validate(fields)
        if line.snapshot and line.version is None:
            raise ValueError("the field 'version': a snapshot needs one")  # noqa: TRY301 - as others
    except (ValueError, RecursionError) as error:
        stream = stream or _stream_of_malformed(text, defaults)
        raise LineError(number, _reason(error), stream) from None
    return line


def _reason(error: Exception) -> str:
    match error:
        case pydantic.ValidationError():
            wrong = error.errors()[0]
            return f"the field {wrong['loc'][0]!r}: {wrong['msg'].removeprefix('Value error, ')}"
        case json.JSONDecodeError():
            return f"not JSON: {error.msg} (column {error.colno})"
        case UnicodeDecodeError():
            return f"not UTF-8 (byte {error.start + 1})"
        case RecursionError():
            return "not usable: nested too deep"
    return str(error).partition("; use sys.")[0]  # which is about integers with many digits


def _given(document: Any) -> dict[str, Any]:
    """Return the fields of a line that are not null."""
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - of the line, not of a caller
    if None in document.values():
        return {name: value for name, value in document.items() if value is not None}
    return document


def _stream(fields: dict[str, Any], defaults: Defaults) -> StreamOf:
    for field in ("tenant", "category", "stream", "stream_id"):
        if not isinstance(fields.get(field, ""), str):
            raise ValueError(f"the field {field!r}: must be text")  # noqa: TRY004 - of the line
    name, uuid = fields.get("stream"), fields.get("stream_id")
    if not name and uuid is None:
        raise ValueError(f"the field 'stream' is {'missing' if name is None else 'empty'}")
    tenant_id = fields.get("tenant", defaults.tenant_id)
    return _make_stream(tenant_id, fields.get("category", defaults.category), name, uuid)


@lru_cache(10_000)  # many lines are of the same streams, and a UUID takes a hash
def _make_stream(
    tenant_id: TenantId, category: str | None, name: str | None, uuid: str | None
) -> StreamOf:
    try:
        check_text(f"{tenant_id}{category}")
        given = None if uuid is None else UUID(uuid)
        return StreamOf(tenant_id, StreamId(given, name, category=category))
    except ValueError as error:
        raise ValueError(f"the fields of the stream: {error}") from None


def _float(text: str) -> float:
    number = float(text)
    # Most numbers are the same as text. Infinity is refused later, with its place in the data.
    if repr(number) == text or not isfinite(number):
        return number
    if Decimal(repr(number)) == Decimal(text, _ANY_EXPONENT):
        return number
    raise ValueError(
        "a number has more digits than a float keeps, so it would be rounded: shorten it, or "
        "write it as text"
    )


def _constant(text: str) -> None:
    raise ValueError(f"not JSON: {text} is not a JSON value")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        ((key, _),) = Counter(key for key, _ in pairs).most_common(1)
        # repr, because a key may hold line breaks.
        raise ValueError(f"an object has the key {key!r} twice, so one value would be lost")
    return fields


_decode: Final = json.JSONDecoder(
    parse_float=_float, parse_constant=_constant, object_pairs_hook=_object
).decode


def _stream_of_malformed(text: bytes, defaults: Defaults) -> StreamOf | None:
    """Return the stream that a malformed line belongs to; None if the line does not say.

    Numbers, damaged bytes and keys that come twice are read in any way: they name no stream.
    """
    try:
        return _stream(_given(_decode_leniently(text.decode(errors="surrogateescape"))), defaults)
    except (ValueError, RecursionError):
        return None


def _doubles_as_numbers(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    counts = Counter(key for key, _ in pairs)
    return {key: value if counts[key] == 1 else 0 for key, value in pairs}


_decode_leniently: Final = json.JSONDecoder(
    parse_int=float, object_pairs_hook=_doubles_as_numbers
).decode
