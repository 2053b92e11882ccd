"""Parses one line of a history: from JSON text to checked fields."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self
from uuid import UUID

from dynamo_es.contracts.checks.payload import NotJsonError, check_json
from dynamo_es.contracts.stream_keys import stream_key, tenant_prefix
from dynamo_es.exceptions import IncompatibleUuidAndName, InvalidStreamIdError
from dynamo_es.values import DEFAULT_TENANT, StreamId

if TYPE_CHECKING:
    from dynamo_es.values import TenantId

MAX_LINE_BYTES: Final = 16 * 1024 * 1024
"""Longer lines are not parsed: a commit carries 4 MB, compressed."""

_SURELY_SHORT: Final = 128
"""Characters of a tenant and a category that make no key too long, whatever they are."""

_PARTS_OF_MICROSECONDS: Final = re.compile(r"[.,][0-9]{6}0*[1-9]")
_KINDS: Final = {bool: "true or false", str: "text", list: "an array", dict: "an object"}
_WANTED: Final = {**_KINDS, dict: "a JSON object", int: "an integer"}


class MalformedLineError(ValueError):
    """A line is not an event; the message is the reason.

    Attributes:
        stream: the stream the line belongs to; None if the line does not say.
    """

    def __init__(self, reason: str, stream: StreamOf | None = None) -> None:
        super().__init__(reason)
        self.stream = stream


@dataclass(frozen=True, slots=True)
class StreamOf:
    """A stream of a tenant."""

    tenant_id: TenantId
    id: StreamId
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Each line looks its stream up ten times.
        object.__setattr__(self, "_hash", hash((self.tenant_id, self.id)))

    def __hash__(self) -> int:
        return self._hash

    @classmethod
    def named(cls, tenant_id: TenantId, category: str | None, name: str) -> Self:
        """Return the stream whose UUID is derived from this name."""
        return cls(tenant_id, StreamId(name=name, category=category))

    def __str__(self) -> str:
        parts = (self.tenant_id, self.id.category, self.id.name or str(self.id))
        return "/".join(part for part in parts if part)


class Line(NamedTuple):
    """The event of a line."""

    number: int  # of the line in its file, 1-based
    size: int  # bytes of the line
    stream: StreamOf
    name: str  # type of the event
    created_at: datetime
    data: dict[str, Any]
    context: dict[str, Any]
    uuid: UUID | None = None  # None: derived from the content and the place in the stream
    version: int | None = None  # 1-based; None: the one after the stream's earlier lines
    versionless: bool = False  # whether the stream has no versions
    snapshot: bool = False  # whether it is the stream's snapshot at ``version``


@dataclass(frozen=True, slots=True)
class Defaults:
    """Tenant and category of lines where the field is missing or null."""

    tenant_id: TenantId = DEFAULT_TENANT
    category: str | None = None


def parse_line(text: bytes, number: int, defaults: Defaults) -> Line:
    """Return the event of a line.

    Args:
        text: the line, in UTF-8.
        number: the line's number, 1-based.
        defaults: for a line without tenant or category.

    Raises:
        MalformedLineError: The line is not such an event.
    """
    stream, reader = None, _of_thread.reader
    reader.problems = []
    try:
        fields = reader.read(text)
        stream = _stream(fields, defaults)
        _check_key(stream)
        if not reader.problems:
            return _line(fields, number, len(text), stream)
        reason = reader.problems[0]
    except MalformedLineError as error:
        reason = reader.problems[0] if reader.problems else str(error)
    raise MalformedLineError(reason, stream)


class _Reader:
    """Reads JSON past values that cannot be stored, because the stream may still be known.

    Each such value becomes 0, and damaged bytes become surrogates: neither can name a stream.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._decode = json.JSONDecoder(
            parse_int=self._integer,
            parse_float=self._float,
            parse_constant=lambda text: self._lost(f"not JSON: {text} is not a JSON value"),
            object_pairs_hook=self._object,
        ).decode

    def read(self, text: bytes) -> dict[str, Any]:
        if len(text) > MAX_LINE_BYTES:
            raise MalformedLineError(f"longer than {MAX_LINE_BYTES:,} bytes")
        try:
            decoded = text.decode()
        except UnicodeDecodeError as error:
            self.problems.append(f"not UTF-8 (byte {error.start + 1})")
            decoded = text.decode(errors="surrogateescape")
        try:
            fields: Any = self._decode(decoded)
        except json.JSONDecodeError as error:
            raise MalformedLineError(f"not JSON: {error.msg} (column {error.colno})") from None
        except RecursionError:
            raise MalformedLineError("not usable: nested too deep") from None
        if not isinstance(fields, dict):
            raise MalformedLineError(f"not a JSON object but {_kind(fields)}")
        return fields

    def _lost(self, problem: str) -> int:
        self.problems.append(problem)
        return 0

    def _integer(self, text: str) -> int:
        try:
            return int(text)
        except ValueError:
            return self._lost("not usable: an integer of more than 4,300 digits")

    def _float(self, text: str) -> float:
        number = float(text)
        # As text it is the same for most numbers. Infinity is refused with the place of the number.
        if repr(number) == text or not isfinite(number) or _is_same(number, text):
            return number
        return self._lost(
            "a number has more digits than a float keeps, so it would be rounded: shorten it, or "
            "write it as text"
        )

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields: dict[str, Any] = dict(pairs)
        if len(fields) < len(pairs):
            counts = Counter(key for key, _ in pairs)
            for key in [key for key, count in counts.items() if count > 1]:
                # repr, because a key may hold line breaks.
                fields[key] = self._lost(
                    f"an object has the key {key!r} twice, so one value would be lost"
                )
        return fields


class _OfThread(threading.local):
    """A reader for each thread: to make one for each line takes a fifth of the time to read it."""

    def __init__(self) -> None:
        self.reader = _Reader()


_of_thread: Final = _OfThread()


def _is_same(number: float, text: str) -> bool:
    try:
        return Decimal(repr(number)) == Decimal(text)
    except InvalidOperation:  # its exponent is out of every range
        return False


def _stream(fields: dict[str, Any], defaults: Defaults) -> StreamOf:
    tenant_id = _given(fields, "tenant", str, defaults.tenant_id)
    category = _given(fields, "category", str, defaults.category)
    if fields.get("stream_id") is None:
        return _named(tenant_id, category, _filled(fields, "stream"))
    uuid, name = _uuid(fields, "stream_id"), _given(fields, "stream", str)
    try:
        return StreamOf(tenant_id, StreamId(uuid, name, category=category))
    except IncompatibleUuidAndName:
        raise MalformedLineError(
            "the field 'stream_id' is not the UUID that the name in 'stream' derives: leave one out"
        ) from None


def _check_key(stream: StreamOf) -> None:
    """Raise `MalformedLineError` if no storage can have such a stream."""
    tenant_id, category = stream.tenant_id, stream.id.category or ""
    if len(tenant_id) + len(category) > _SURELY_SHORT:
        try:
            stream_key(tenant_prefix(tenant_id), stream.id)
        except InvalidStreamIdError as error:
            raise MalformedLineError(str(error)) from None


# Many lines are of the same streams, and a UUID takes a hash.
_named: Final = lru_cache(10_000)(StreamOf.named)


def _line(fields: dict[str, Any], number: int, size: int, stream: StreamOf) -> Line:
    name, at, data = _filled(fields, "type"), _time(fields), _value(fields, "data", dict)
    context = _given(fields, "context", dict, {})
    uuid = None if fields.get("id") is None else _uuid(fields, "id")
    versionless = _given(fields, "versionless", bool, default=False)
    snapshot = _given(fields, "snapshot", bool, default=False)
    version = _value(fields, "version", int) if snapshot else _given(fields, "version", int)
    if version is not None and version < 1:
        raise MalformedLineError(f"the field 'version' must be 1 or more, not {version}")
    return Line(number, size, stream, name, at, data, context, uuid, version, versionless, snapshot)


def _time(fields: dict[str, Any]) -> datetime:
    text = _value(fields, "at", str)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise MalformedLineError(f"the field 'at' is not an ISO 8601 time: {text!r}") from None
    if _PARTS_OF_MICROSECONDS.search(text):
        raise MalformedLineError(
            f"the field 'at' has more than six digits of a second, so it would be cut: {text!r}"
        )
    return at


def _uuid(fields: dict[str, Any], field: str) -> UUID:
    text = _value(fields, field, str)
    try:
        return UUID(text)
    except ValueError:
        raise MalformedLineError(f"the field {field!r} is not a UUID: {text!r}") from None


def _filled(fields: dict[str, Any], field: str) -> str:
    if text := _value(fields, field, str):
        return str(text)
    raise MalformedLineError(f"the field {field!r} is empty")


def _given(fields: dict[str, Any], field: str, kind: type, default: Any = None) -> Any:
    """Return a field that may be missing or null."""
    return default if fields.get(field) is None else _value(fields, field, kind)


def _value(fields: dict[str, Any], field: str, kind: type) -> Any:
    """Return a field of exactly this type."""
    if field not in fields:
        raise MalformedLineError(f"the field {field!r} is missing")
    value = fields[field]
    if type(value) is not kind:
        raise MalformedLineError(f"the field {field!r} must be {_WANTED[kind]}, not {_kind(value)}")
    try:
        check_json(value)
    except NotJsonError as error:
        place = field if kind is dict else f"the field {field!r}"
        raise MalformedLineError(error.describe(place)) from None
    return value


def _kind(value: object) -> str:
    return "null" if value is None else _KINDS.get(type(value), "a number")
