"""Parses one line of a history: from JSON text to checked fields."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, Self
from uuid import UUID

from dynamo_es.contracts.payload import NotJsonError, check_json, check_text
from dynamo_es.exceptions import IncompatibleUuidAndName
from dynamo_es.values import DEFAULT_TENANT, StreamId

if TYPE_CHECKING:
    from dynamo_es.values import TenantId

MAX_LINE_BYTES: Final = 16 * 1024 * 1024
"""Longer lines are not parsed: a commit carries 4 MB, compressed."""

_PARTS_OF_MICROSECONDS: Final = re.compile(r"[.,][0-9]{6}0*[1-9]")
_KINDS: Final = {bool: "true or false", str: "text", list: "an array", dict: "an object"}


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

    @classmethod
    def named(cls, tenant_id: TenantId, category: str | None, name: str) -> Self:
        """Return the stream whose UUID is derived from this name."""
        return cls(tenant_id, StreamId(name=name, category=category))

    def __str__(self) -> str:
        parts = (self.tenant_id, self.id.category, self.id.name or str(self.id))
        return "/".join(part for part in parts if part)


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
        context: its metadata.
        uuid: its id; None: the id is derived from the content and the place in the stream.
        version: its place in the stream, 1-based; None: after the stream's earlier lines.
        versionless: whether its stream has no versions.
        snapshot: whether it is the stream's snapshot at ``version``.
    """

    number: int
    size: int
    stream: StreamOf
    name: str
    created_at: datetime
    data: dict[str, Any]
    context: dict[str, Any] = field(default_factory=dict)
    uuid: UUID | None = None
    version: int | None = None
    versionless: bool = False
    snapshot: bool = False


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
    stream, reader = None, _Reader()
    try:
        fields = reader.read(text)
        stream = _stream(fields, defaults)
        if not reader.problems:
            return Line(
                number,
                len(text),
                stream,
                _text(fields, "type", empty=False),
                _time(fields),
                _object(fields, "data"),
                {} if fields.get("context") is None else _object(fields, "context"),
                None if fields.get("id") is None else _uuid(fields, "id"),
                _version(fields),
                fields.get("versionless") is True,
                fields.get("snapshot") is True,
            )
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

    def read(self, text: bytes) -> dict[str, Any]:
        if len(text) > MAX_LINE_BYTES:
            raise MalformedLineError(f"longer than {MAX_LINE_BYTES:,} bytes")
        try:
            decoded = text.decode()
        except UnicodeDecodeError as error:
            self.problems.append(f"not UTF-8 (byte {error.start + 1})")
            decoded = text.decode(errors="surrogateescape")
        try:
            fields = json.loads(
                decoded,
                parse_int=self._integer,
                parse_float=self._float,
                parse_constant=lambda text: self._lost(f"not JSON: {text} is not a JSON value"),
                object_pairs_hook=self._object,
            )
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
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:  # repr, because a key may hold line breaks
                    fields[key] = self._lost(
                        f"an object has the key {key!r} twice, so one value would be lost"
                    )
                seen.add(key)
        return fields


def _is_same(number: float, text: str) -> bool:
    try:
        return Decimal(repr(number)) == Decimal(text)
    except InvalidOperation:  # its exponent is out of every range
        return False


def _stream(fields: dict[str, Any], defaults: Defaults) -> StreamOf:
    tenant_id, category = defaults.tenant_id, defaults.category
    if fields.get("tenant") is not None:
        tenant_id = _text(fields, "tenant")
    if fields.get("category") is not None:
        category = _text(fields, "category")
    if fields.get("stream_id") is None:
        return StreamOf.named(tenant_id, category, _text(fields, "stream", empty=False))
    name = None if fields.get("stream") is None else _text(fields, "stream")
    try:
        return StreamOf(tenant_id, StreamId(_uuid(fields, "stream_id"), name, category=category))
    except IncompatibleUuidAndName:
        raise MalformedLineError(
            "the field 'stream_id' is not the UUID that the name in 'stream' derives: leave one out"
        ) from None


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


def _object(fields: dict[str, Any], field: str) -> dict[str, Any]:
    value = _required(fields, field)
    if not isinstance(value, dict):
        raise MalformedLineError(f"the field {field!r} must be a JSON object, not {_kind(value)}")
    try:
        check_json(value)
    except NotJsonError as error:
        raise MalformedLineError(error.describe(field)) from None
    return value


def _uuid(fields: dict[str, Any], field: str) -> UUID:
    text = _text(fields, field)
    try:
        return UUID(text)
    except ValueError:
        raise MalformedLineError(f"the field {field!r} is not a UUID: {text!r}") from None


def _version(fields: dict[str, Any]) -> int | None:
    version = fields.get("version")
    if version is None and fields.get("snapshot") is not True:
        return None
    if type(version) is not int or version < 1:
        raise MalformedLineError("the field 'version' must be an integer of 1 or more")
    return version


def _required(fields: dict[str, Any], field: str) -> Any:
    try:
        return fields[field]
    except KeyError:
        raise MalformedLineError(f"the field {field!r} is missing") from None


def _kind(value: object) -> str:
    return "null" if value is None else _KINDS.get(type(value), "a number")
