"""Finds log table items that are ahead of restored tables, and plans the writes that put them back.

These are pure functions: from an item and the ends of logs and streams they make a `PutBack`.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from dynamo_es.contracts.stream_keys import SEPARATOR
from dynamo_es.dynamodb.consumers.failures import FORGET
from dynamo_es.dynamodb.consumers.finder import CURSOR
from dynamo_es.dynamodb.consumers.outbox_requests import OUTBOX
from dynamo_es.dynamodb.consumers.parked_requests import PARKED, SKIPPED
from dynamo_es.dynamodb.log.keys import is_markers_key
from dynamo_es.dynamodb.wire.steps import Request, number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamo_es.dynamodb.wire.steps import Item
    from dynamo_es.values import Position

Kind: TypeAlias = Literal["checkpoint", "cursor", "entry", "marker", "outbox", "parked", "skipped"]

_CHECKPOINT: Final = "checkpoint"


class Head(NamedTuple):
    """The last event of a stream in the events table.

    Attributes:
        generation: the newest generation.
        version: the last version.
    """

    generation: int
    version: int


class Ends(NamedTuple):
    """The ends of the logs and of the streams.

    Attributes:
        log: last position of each log, by the prefix of its keys.
        markers: last version of each generation in the log, by the key of its marker; generations
            that are not in the log are missing.
        heads: the last event of each stream, by the stream's key.
        hashed: the keys of the streams, by the hashes that replace long keys.
    """

    log: Mapping[str, Position]
    markers: Mapping[tuple[str, str], int]
    heads: Mapping[str, Head]
    hashed: Mapping[str, str]


class PutBack(NamedTuple):
    """An item that is ahead of the tables, and the write that puts it back or removes it.

    Attributes:
        kind: kind of the item.
        log_key: its partition key.
        place: its sort key.
        before: the position or version that it has.
        after: the position or version that it gets; None: it is removed.
        request: puts it back, if it has not changed since it was read.
    """

    kind: Kind
    log_key: str
    place: str
    before: int
    after: int | None
    request: Request


def put_back(table: str, item: Item, ends: Ends) -> PutBack | None:  # noqa: PLR0911 - one a kind
    """Return how to put an item back; None: it is not after an end, or of another kind.

    Raises:
        KeyError, ValueError: the item cannot be read.
    """
    kind = _kind_of(item)
    if kind == "marker":
        key = item["log_key"]["S"], item["place"]["S"]
        return _lowered(table, item, kind, "last_version", ends.markers.get(key, 0) or None)
    if kind == "cursor":
        return _cursor(table, item, ends)
    if kind in {"parked", "skipped"} and item["order"]["S"] != "log":
        return _of_stream(table, item, kind, ends)
    end = None if kind is None else ends.log.get(_log_of(item, ends))
    if end is None:
        return None
    match kind:
        case "checkpoint" | "outbox":
            return _lowered(table, item, kind, "checkpoint", end)
        case "entry":
            position = int(item["place"]["S"].removeprefix("dead#"))
            return _removed(table, item, kind, position) if position > end else None
        case "parked":
            return _parked(table, item, end)
        case "skipped":
            position = int(item["number"]["N"])
            return _removed(table, item, kind, position) if position > end else None
    return None


def _kind_of(item: Item) -> Kind | None:  # noqa: PLR0911 - one a kind
    place = item["place"]["S"]
    if is_markers_key(item["log_key"]["S"]):
        return "marker" if "last_version" in item else None
    match item["log_key"]["S"].split(SEPARATOR):
        case [_, word, _, _, _] if word == CURSOR and place == CURSOR:
            return "cursor"
        case [_, word] if word == CURSOR and {"generation", "version"} <= item.keys():
            return "cursor"
        case [word, _] | [_, word, _] if word == _CHECKPOINT and _CHECKPOINT in item:
            return "checkpoint"
        case [word, _] | [_, word, _] if word == OUTBOX:
            return "outbox" if place == CURSOR else "entry"
        case [word, _] | [_, word, _] if word == PARKED and "first" in item:
            return "parked"
        case [word, _] | [_, word, _] if word == SKIPPED and "number" in item:
            return "skipped"
    return None


def _log_of(item: Item, ends: Ends) -> str:
    """Return the prefix of the keys of an item's log."""
    tenant = item["log_key"]["S"].partition(SEPARATOR)[0] + SEPARATOR
    return tenant if tenant in ends.log else ""


def _cursor(table: str, item: Item, ends: Ends) -> PutBack | None:
    tenant, _, *rest = item["log_key"]["S"].split(SEPARATOR)
    if rest:
        stream_key: str | None = SEPARATOR.join([tenant, *rest[1:]])
    else:
        stream_key = ends.hashed.get(item["place"]["S"].rpartition(SEPARATOR)[2])
    head = ends.heads.get(stream_key or "")
    if head is None:
        return None  # if the stream is created again, the cursor starts over in a later generation
    generation, version = int(item["generation"]["N"]), int(item["version"]["N"])
    if generation <= head.generation and (
        version <= head.version or 0 < generation < head.generation
    ):
        return None
    values = {":head": number(head.version), ":generation": number(max(0, head.generation))}
    request = _update(
        table,
        item,
        f"SET version = :head, generation = :generation REMOVE {FORGET}",
        "version",
        values,
    )
    return _result(item, "cursor", version, head.version, request)


def _parked(table: str, item: Item, end: int) -> PutBack | None:
    """Return how to put back a parked stream, in the order of a log or of a stream."""
    first, seen = int(item["first"]["N"]), int(item["seen"]["N"])
    if seen <= end:
        return None
    if first > end:
        return _removed(table, item, "parked", first)
    request = _update(table, item, "SET seen = :end", "seen", {":end": number(end)})
    return _result(item, "parked", seen, end, request)


def _of_stream(table: str, item: Item, kind: Kind, ends: Ends) -> PutBack | None:
    head = ends.heads.get(item["stream_key"]["S"])
    name = "generation" if kind == "skipped" else "first_generation"
    if head is None or int(item[name]["N"]) != head.generation:
        return None
    if kind == "parked":
        return _parked(table, item, head.version)
    version = int(item["number"]["N"])
    return _removed(table, item, kind, version) if version > head.version else None


def _lowered(table: str, item: Item, kind: Kind, attribute: str, end: int | None) -> PutBack | None:
    before = int(item[attribute]["N"])
    if before <= (end or 0):
        return None
    if end is None:
        return _removed(table, item, kind, before, attribute)
    update = f"SET {attribute} = :end"
    if kind == "checkpoint":
        update += f" REMOVE {FORGET}"
    request = _update(table, item, update, attribute, {":end": number(end)})
    return _result(item, kind, before, end, request)


def _removed(
    table: str, item: Item, kind: Kind, before: int, attribute: str | None = None
) -> PutBack:
    params: dict[str, Any] = {"TableName": table, "Key": _key(item)}
    if attribute is not None:
        params["ConditionExpression"] = f"{attribute} = :before"
        params["ExpressionAttributeValues"] = {":before": item[attribute]}
    return _result(item, kind, before, None, Request("delete_item", params))


def _update(table: str, item: Item, update: str, attribute: str, values: dict[str, Any]) -> Request:
    """Return an update on the condition that an attribute is unchanged since it was read."""
    return Request(
        "update_item",
        {
            "TableName": table,
            "Key": _key(item),
            "UpdateExpression": update,
            "ConditionExpression": f"{attribute} = :before",
            "ExpressionAttributeValues": {**values, ":before": item[attribute]},
        },
    )


def _key(item: Item) -> Item:
    return {"log_key": item["log_key"], "place": item["place"]}


def _result(item: Item, kind: Kind, before: int, after: int | None, request: Request) -> PutBack:
    return PutBack(kind, item["log_key"]["S"], item["place"]["S"], before, after, request)


def hash_of(stream_key: str) -> str:
    """Return the hash that replaces a stream's key if the key is too long."""
    return sha256(stream_key.encode()).hexdigest()
