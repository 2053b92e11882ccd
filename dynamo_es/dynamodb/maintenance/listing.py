"""Lists the categories and streams that the log knows, in bounded pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

from dynamo_es.dynamodb.log.markers import Marker, marked_version
from dynamo_es.dynamodb.log.requests import get_beginnings, scan_marker_keys
from dynamo_es.dynamodb.streams.keys import parse_stream_key
from dynamo_es.dynamodb.wire.batches import MAX_KEYS, fetch_all
from dynamo_es.dynamodb.wire.steps import Request, number
from dynamo_es.exceptions import InvalidStreamIdError
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.dynamodb.wire.steps import Item, Steps
    from dynamo_es.values import TenantId

_DIGITS: Final = "0123456789abcdef"
# After every place of a marker with the same UUID, and before those of the next UUID.
_AFTER_GENERATIONS: Final = "$"
_LEFT_OUT: Final = 80
"""Categories that a filter leaves out: an expression has at most 4 KB."""
_FIRST_ITEMS: Final = (300, 600, 1_200)
_AFTER_ALL: Final = "\U0010ffff" * 256


@dataclass(frozen=True, slots=True)
class ListedStream:
    """A stream that the log knows.

    Attributes:
        stream_id: its id, with its name if it has one; a deleted stream has none.
        version: of its last event that has a position.
        generation: number of its newest generation in the log.
        exists: whether it exists; False: it was deleted.
    """

    stream_id: StreamId
    version: int
    generation: int
    exists: bool


class MarkedGeneration(NamedTuple):
    """A generation of a stream that the log knows.

    Attributes:
        uuid: the stream's UUID.
        generation: number of the generation.
        version: of its last event that has a position.
    """

    uuid: str
    generation: int
    version: int


def key_after_partition(log_key: str) -> Item:
    """Return a key after the last item of a partition: a scan that goes on there jumps over it."""
    return {"log_key": {"S": log_key}, "place": {"S": _AFTER_ALL}}


def scan_for_categories(
    table: str, after: Item | None, known: Sequence[str], count: int
) -> Request:
    """Scan the log's table for partitions of markers, other than those of known categories.

    Args:
        table: name of the log's table.
        after: key to go on after; None: from the beginning.
        known: beginnings of partition keys that the reply leaves out. It leaves out the first
            ones only, because an expression has a limit.
        count: requests before this one. The first ones read few items, which name most
            categories.
    """
    request = scan_marker_keys(table, after)
    if count < len(_FIRST_ITEMS):
        request.params["Limit"] = _FIRST_ITEMS[count]
    for place, key in enumerate(known[:_LEFT_OUT]):
        request.params["FilterExpression"] += f" AND NOT begins_with(log_key, :k{place})"
        request.params["ExpressionAttributeValues"][f":k{place}"] = {"S": key}
    return request


def category_of_markers(log_key: str) -> tuple[TenantId, str | None] | None:
    """Return tenant and category of the markers in a partition; None if the key is damaged."""
    try:
        # Before its last hex digit, it is a stream's key without the UUID.
        tenant_id, category, _ = parse_stream_key(f"{log_key[len('streams#') : -1]}{UUID(int=0)}")
    except ValueError:
        return None  # `dynamo-es log verify` reports such a marker
    return tenant_id, category


def marked_after(
    table: str, category_key: str, after: str | None, id_prefix: str, limit: int
) -> Steps[tuple[list[MarkedGeneration], str | None]]:
    """Return the newest generations of some streams in the log, and where to go on."""
    limit = min(limit, MAX_KEYS)
    first = 0 if after is None else _DIGITS.index(_uuid_text(after)[-1])
    found: list[MarkedGeneration] = []
    for digit in _DIGITS[first:]:
        low = id_prefix or "0"
        if after is not None and after[-1] == digit:
            low = max(low, f"{after}{_AFTER_GENERATIONS}")
        newest: MarkedGeneration | None = None
        key: Item | None = None
        while True:
            span = (low, f"{id_prefix}~")
            log_key = f"streams#{category_key}#{digit}"
            most = limit + 1 if key is None else None
            response = yield _query_markers(table, log_key, span, most, key)
            for marked in filter(None, map(_marked, response["Items"])):
                # A stream's generations come in order, so the last one is the newest.
                if newest is not None and newest.uuid != marked.uuid:
                    found.append(newest)
                    if len(found) == limit:
                        return found, newest.uuid
                newest = marked
            key = response.get("LastEvaluatedKey")
            if key is None:
                break
        if newest is not None:
            found.append(newest)
            if len(found) == limit:
                return found, newest.uuid
    return found, None


def generations_of(table: str, category_key: str, uuid: str) -> Steps[list[MarkedGeneration]]:
    """Return the newest generations of a stream that the log knows, newest first."""
    marker = Marker.at(category_key, uuid, 0)
    span = (f"{uuid}#", f"{uuid}{_AFTER_GENERATIONS}")
    request = _query_markers(table, marker.log_key, span, MAX_KEYS, None)
    request.params["ScanIndexForward"] = False
    response = yield request
    return [found for found in map(_marked, response["Items"]) if found is not None]


def _query_markers(
    table: str, log_key: str, span: tuple[str, str], limit: int | None, after: Item | None
) -> Request:
    params: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "log_key = :markers AND place BETWEEN :low AND :high",
        "ExpressionAttributeValues": {
            ":markers": {"S": log_key},
            ":low": {"S": span[0]},
            ":high": {"S": max(span)},
        },
    }
    if limit is not None:
        params["Limit"] = limit
    if after is not None:
        params["ExclusiveStartKey"] = after
    return Request("query", params)


def _marked(item: Item) -> MarkedGeneration | None:
    uuid, _, generation = item["place"]["S"].partition("#")
    try:
        return MarkedGeneration(_uuid_text(uuid), int(generation), marked_version(item))
    except (KeyError, TypeError, ValueError):
        return None  # `dynamo-es log verify` reports such a marker


def _uuid_text(text: str) -> str:
    try:
        if str(UUID(text)) == text:
            return text
    except ValueError:
        pass
    raise InvalidStreamIdError("A list of streams goes on after a UUID in lower case.")


def beginnings(table: str, keys: Sequence[str]) -> Steps[dict[str, Item]]:
    """Return the first items of streams, by their partition keys."""
    wanted: list[Item] = [{"stream_key": {"S": key}, "version": number(1)} for key in keys]
    items = yield from fetch_all(table, wanted, lambda left: get_beginnings(table, left))
    return {item["stream_key"]["S"]: item for item in items}


def look_up(
    table: str, category_key: str, category: str | None, marked: list[MarkedGeneration]
) -> Steps[list[ListedStream]]:
    """Return the streams of some markers, with their names, and whether they exist."""
    keys = {one: f"{category_key}#{one.uuid}" for one in marked}
    found = yield from beginnings(table, list(keys.values()))
    listed = []
    for one, key in keys.items():
        item = found.get(key, {})
        exists = item.get("generation") == number(one.generation)
        stream_id = StreamId(UUID(one.uuid), category=category)
        if exists:
            stream_id = with_name(stream_id, item.get("stream_name", {}).get("S"))
        listed.append(ListedStream(stream_id, one.version, one.generation, exists))
    return listed


def with_name(stream_id: StreamId, name: str | None) -> StreamId:
    """Return a stream's id with its stored name, unless that name is another stream's."""
    if name is None:
        return stream_id
    try:
        return StreamId(UUID(int=stream_id.int), name, category=stream_id.category)
    except InvalidStreamIdError:
        return stream_id
