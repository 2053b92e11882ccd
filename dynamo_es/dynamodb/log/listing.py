"""Lists tenants, categories and streams from the log's markers.

`all_categories` and `all_streams` yield whole lists, for `DynamoLog`. `some_categories` and
`some_streams` return a part of a list, in a limited number of requests, for the stream browser.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final, Generic, TypeVar
from uuid import UUID

from dynamo_es.contracts import StreamInLog
from dynamo_es.contracts.stream_keys import category_prefix, tenant_prefix
from dynamo_es.dynamodb.log.keys import is_markers_key, markers_key
from dynamo_es.dynamodb.log.markers import (
    Marker,
    category_of,
    is_uuid,
    newest_of,
    read_marker,
)
from dynamo_es.dynamodb.log.requests import get_beginnings, markers_of, scan_marker_keys
from dynamo_es.dynamodb.streams.keys import describe_key, parse_stream_key
from dynamo_es.dynamodb.wire.batches import MAX_KEYS, fetch_all
from dynamo_es.dynamodb.wire.steps import number
from dynamo_es.exceptions import InvalidStreamIdError
from dynamo_es.values import DEFAULT_TENANT, StreamId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dynamo_es.dynamodb.log.markers import MarkedGeneration
    from dynamo_es.dynamodb.log.sequencer import Tables
    from dynamo_es.dynamodb.wire.gateway import Gateway
    from dynamo_es.dynamodb.wire.steps import Item, Request, Response, Steps
    from dynamo_es.values import TenantId

T = TypeVar("T")

_log = logging.getLogger("dynamo_es")

_DIGITS: Final = "0123456789abcdef"
"""A category's markers are in 16 partitions, one for each last hex digit of a UUID."""
# Sorts after all generations of a UUID, and before those of the next UUID.
_AFTER_GENERATIONS: Final = "$"
_LEFT_OUT: Final = 80
"""The most categories that a filter excludes, because an expression has at most 4 KB."""
_FIRST_ITEMS: Final = (300, 600, 1_200)
_AFTER_ALL: Final = "\U0010ffff" * 256


@dataclass(frozen=True, slots=True)
class ListedStream:
    """A stream in the log.

    Attributes:
        stream_id: its id, with its name if it has one; without the name if it was deleted.
        version: version of its last event that has a position.
        generation: number of its newest generation in the log.
        exists: whether it exists; False: it was deleted.
    """

    stream_id: StreamId
    version: int
    generation: int
    exists: bool


@dataclass(frozen=True, slots=True)
class PartOfList(Generic[T]):
    """A part of a list.

    Attributes:
        items: the items.
        next: where the next part begins, for the argument ``after``; None: the list ends here.
    """

    items: list[T]
    next: str | None


# --- categories, each with its tenant


def all_categories(gateway: Gateway, table: str) -> Iterator[tuple[TenantId, str | None]]:
    """Yield tenant and category of each partition of markers in the log table.

    A category comes more than once. Damaged keys are logged and left out.

    Cost: 1 request for each MB of the table, sent as the iterator gets there.
    """
    after: Item | None = None
    while True:
        response = _scan_keys(gateway, scan_marker_keys(table, after))
        for log_key in _partitions_in(response):
            named = category_of(log_key)
            if named is None:
                _log.error(
                    "Left out the markers with the key %s in table %s: the key cannot be read.",
                    table,
                    log_key,
                )
            else:
                yield named
        after = response.get("LastEvaluatedKey")
        if after is None:
            return


def some_categories(
    gateway: Gateway, table: str, after: str | None, most_requests: int
) -> PartOfList[tuple[TenantId, str | None]]:
    """Return tenants with their categories from a part of the log table, without repetitions.

    Damaged keys are left out; `dynamo-es log verify` reports them. `Inspector.categories` documents
    the arguments and the cost.
    """
    found: dict[tuple[TenantId, str | None], None] = {}
    known: dict[str, None] = {}
    key = None if after is None else _key_after_partition(after)
    for count in range(most_requests):
        response = _scan_keys(gateway, scan_for_categories(table, key, list(known), count))
        for log_key in _partitions_in(response):
            known[log_key[:-1]] = None
            if (named := category_of(log_key)) is not None:
                found[named] = None
        last = response.get("LastEvaluatedKey")
        if last is None:
            return PartOfList(list(found), None)
        key = _key_after_partition(last["log_key"]["S"])
    return PartOfList(list(found), None if key is None else key["log_key"]["S"])


def scan_for_categories(
    table: str, after: Item | None, known: Sequence[str], count: int
) -> Request:
    """Scan the log table for partitions of markers, except those of known categories.

    Args:
        table: name of the log table.
        after: key after which to continue (exclusive); None: from the beginning.
        known: prefixes of partition keys to exclude. Only the first ones are excluded, because an
            expression has a limit.
        count: number of requests before this one. The first ones read few items, because these
            already name most categories.
    """
    request = scan_marker_keys(table, after)
    if count < len(_FIRST_ITEMS):
        request.params["Limit"] = _FIRST_ITEMS[count]
    for place, key in enumerate(known[:_LEFT_OUT]):
        request.params["FilterExpression"] += f" AND NOT begins_with(log_key, :k{place})"
        request.params["ExpressionAttributeValues"][f":k{place}"] = {"S": key}
    return request


def _scan_keys(gateway: Gateway, request: Request) -> Response:
    return gateway.run("list_categories", DEFAULT_TENANT, None, _one(request))


def _one(request: Request) -> Steps[Response]:
    return (yield request)


def _partitions_in(response: Response) -> Iterable[str]:
    keys = (item["log_key"]["S"] for item in response["Items"])
    return dict.fromkeys(filter(is_markers_key, keys))


def _key_after_partition(log_key: str) -> Item:
    """Return a key after the last item of a partition, so that a scan can skip the partition."""
    return {"log_key": {"S": log_key}, "place": {"S": _AFTER_ALL}}


# --- streams of a category


def all_streams(
    gateway: Gateway, tables: Tables, category: str | None, tenant_id: TenantId
) -> Iterator[StreamInLog]:
    """Yield the existing streams of a category. Damaged markers are logged and left out.

    Cost: 16 requests, for the 16 partitions of a category's markers; 1 more for each MB (about
    10,000 streams) in them; 1 for every 100 streams.
    """
    category_key = category_prefix(tenant_prefix(tenant_id), category)
    for digit in _DIGITS:
        markers = _all_markers(gateway, tables.log, markers_key(category_key, digit), tenant_id)
        newest = newest_of(markers)
        while some := list(islice(newest, MAX_KEYS)):
            steps = _existing(tables.events, category_key, some)
            yield from gateway.run("streams", tenant_id, None, steps)


def some_streams(  # noqa: PLR0913 - options, each by its name
    gateway: Gateway,
    tables: Tables,
    category: str | None,
    tenant_id: TenantId,
    *,
    after: str | None,
    id_prefix: str,
    limit: int,
) -> PartOfList[ListedStream]:
    """Return streams of a category, including deleted ones, ordered by their last hex digit.

    Damaged markers are left out; `dynamo-es log verify` reports them. `Inspector.streams` documents
    the arguments, the errors and the cost.
    """
    category_key = category_prefix(tenant_prefix(tenant_id), category)
    steps = _markers_after(tables.log, category_key, after, id_prefix, min(limit, MAX_KEYS))
    marked, following = gateway.run("streams", tenant_id, None, steps)
    listing = _listed(tables.events, category_key, category, marked)
    return PartOfList(gateway.run("streams", tenant_id, None, listing), following)


def generations_of(table: str, category_key: str, uuid: str) -> Steps[list[MarkedGeneration]]:
    """Return the newest generations of a stream in the log, newest first."""
    marker = Marker.at(category_key, uuid, 0)
    span = (f"{uuid}#", f"{uuid}{_AFTER_GENERATIONS}")
    request = markers_of(table, marker.log_key, span=span, limit=MAX_KEYS)
    request.params["ScanIndexForward"] = False
    response = yield request
    return [found for found in map(read_marker, response["Items"]) if found is not None]


def beginnings(table: str, keys: Sequence[str]) -> Steps[dict[str, Item]]:
    """Return the first items of streams, by their partition keys."""
    wanted: list[Item] = [{"stream_key": {"S": key}, "version": number(1)} for key in keys]
    items = yield from fetch_all(table, wanted, lambda left: get_beginnings(table, left))
    return {item["stream_key"]["S"]: item for item in items}


def with_name(stream_id: StreamId, name: str | None) -> StreamId:
    """Return a stream's id with its stored name, unless the name belongs to another id."""
    if name is None:
        return stream_id
    try:
        return StreamId(UUID(int=stream_id.int), name, category=stream_id.category)
    except InvalidStreamIdError:
        return stream_id


def _all_markers(
    gateway: Gateway, table: str, log_key: str, tenant_id: TenantId
) -> Iterator[MarkedGeneration]:
    after: Item | None = None
    while True:
        request = markers_of(table, log_key, after)
        response = gateway.run("streams", tenant_id, None, _one(request))
        for item in response["Items"]:
            if (marked := read_marker(item)) is not None:
                yield marked
                continue
            _log.error(
                "Left out a marker that cannot be read: table %s, key %s / %s.",
                table,
                log_key,
                item["place"]["S"],
            )
        after = response.get("LastEvaluatedKey")
        if after is None:
            return


def _markers_after(
    table: str, category_key: str, after: str | None, id_prefix: str, limit: int
) -> Steps[tuple[list[MarkedGeneration], str | None]]:
    """Return the newest generations of some streams in the log, and where to continue."""
    first = 0 if after is None else _DIGITS.index(_uuid_before(after)[-1])
    found: list[MarkedGeneration] = []
    for digit in _DIGITS[first:]:
        low = id_prefix or "0"
        if after is not None and after[-1] == digit:
            low = max(low, f"{after}{_AFTER_GENERATIONS}")
        span = (low, f"{id_prefix}~")
        unfinished: list[MarkedGeneration] = []
        key: Item | None = None
        while True:
            most = limit + 1 if key is None else None
            log_key = markers_key(category_key, digit)
            response = yield markers_of(table, log_key, key, span=span, limit=most)
            marked = filter(None, map(read_marker, response["Items"]))
            newest = list(newest_of([*unfinished, *marked]))
            key = response.get("LastEvaluatedKey")
            # The next reply may have later generations of the last stream.
            unfinished = [] if key is None else newest[-1:]
            found += newest[: len(newest) - len(unfinished)]
            if len(found) >= limit:
                return found[:limit], found[limit - 1].uuid
            if key is None:
                break
    return found, None


def _uuid_before(after: str) -> str:
    if not is_uuid(after):
        raise InvalidStreamIdError(f"after must be a lower-case UUID, not {after[:40]!r}.")
    return after


def _existing(
    table: str, category_key: str, marked: list[MarkedGeneration]
) -> Steps[list[StreamInLog]]:
    """Return, in order, the streams whose first commit is of the newest generation in the log."""
    keys = {one: f"{category_key}#{one.uuid}" for one in marked}
    found = yield from beginnings(table, list(keys.values()))
    existing = []
    for one, key in keys.items():
        item = found.get(key, {})
        if not _exists(item, one):
            continue
        try:
            _, category, uuid = parse_stream_key(key)
            name = item["stream_name"]["S"] if "stream_name" in item else None
            stream_id = StreamId(uuid, name, category=category)
        except (KeyError, ValueError):
            _log.error(
                "Left out stream %s: its name in table %s cannot be read.",
                describe_key(key),
                table,
            )
        else:
            existing.append(StreamInLog(stream_id, one.version))
    return existing


def _listed(
    table: str, category_key: str, category: str | None, marked: list[MarkedGeneration]
) -> Steps[list[ListedStream]]:
    """Return the streams of some markers, with their names and whether they exist."""
    keys = {one: f"{category_key}#{one.uuid}" for one in marked}
    found = yield from beginnings(table, list(keys.values()))
    listed = []
    for one, key in keys.items():
        item = found.get(key, {})
        exists = _exists(item, one)
        stream_id = StreamId(UUID(one.uuid), category=category)
        if exists:
            stream_id = with_name(stream_id, item.get("stream_name", {}).get("S"))
        listed.append(ListedStream(stream_id, one.version, one.generation, exists))
    return listed


def _exists(item: Item, marked: MarkedGeneration) -> bool:
    """Return whether a stream's first item is of its newest generation in the log."""
    return bool(item.get("generation") == number(marked.generation))
