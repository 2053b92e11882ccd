"""`Inspector`: reads the tables in bounded parts, for tools that show stored items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from dynamo_es.contracts.stream_keys import category_prefix, stream_key, tenant_prefix
from dynamo_es.dynamodb.log.listing import (
    beginnings,
    generations_of,
    some_categories,
    some_streams,
    with_name,
)
from dynamo_es.dynamodb.log.logs import Logs
from dynamo_es.dynamodb.log.pages import place_of, read_page
from dynamo_es.dynamodb.log.requests import newest_pages
from dynamo_es.dynamodb.maintenance.stored_items import StoredItem, stored_item
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.dynamodb.wire.steps import Request, number
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mypy_boto3_dynamodb import DynamoDBClient

    from dynamo_es.contracts import Observer
    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.log.keys import LogKeys
    from dynamo_es.dynamodb.log.listing import ListedStream, PartOfList
    from dynamo_es.dynamodb.log.markers import MarkedGeneration
    from dynamo_es.dynamodb.wire.steps import Response, Steps
    from dynamo_es.values import Position, StreamId, TenantId

T = TypeVar("T")

_PAGES_A_REQUEST: Final = 250
"""Pages of the log that one request reads: up to 25,000 commits."""


class FoundPosition(NamedTuple):
    """The result of a search for an event's position.

    Attributes:
        position: position of the event; None: not found so far.
        looked_back_to: the lowest position that was searched; 1: the whole log was.
    """

    position: Position | None
    looked_back_to: Position


class Inspector:
    """Reads lists of streams and the items of a stream, a part at a time.

    Each method sends a bounded number of requests, however large the tables are.

    Args:
        config: names of the tables.
        client: returns the client for the tables.
        observer: called with a report of each operation; None: no reports.
    """

    def __init__(
        self,
        config: DynamoConfig,
        client: Callable[[], DynamoDBClient],
        observer: Observer | None = None,
    ) -> None:
        self._config = config
        self._logs = Logs.of(config)
        self._tables = self._logs.shared
        self._gateway = Gateway(client, config, observer)

    def categories(
        self, after: str | None = None, *, most_requests: int = 20
    ) -> PartOfList[tuple[TenantId, str | None]]:
        """Return pairs of a tenant and one of its categories, in any order, from the log table.

        A tenant or category whose streams are all deleted may be among them.

        Args:
            after: ``next`` of the previous part; None: from the beginning.
            most_requests: the most requests to send.

        Raises:
            ServiceError: AWS refused or did not answer.

        Cost: a scan that skips the rest of a partition after each reply. So it takes 1 request for
        each MB, and at most 1 for each partition, of which a category has 16. The replies leave out
        known categories.
        """
        return some_categories(self._gateway, self._tables.log, after, most_requests)

    def streams(
        self,
        category: str | None,
        tenant_id: TenantId,
        *,
        after: str | None = None,
        id_prefix: str = "",
        limit: int = 50,
    ) -> PartOfList[ListedStream]:
        """Return streams of a category, including deleted ones, ordered by their last hex digit.

        Args:
            category: category of the streams; None: streams without one.
            tenant_id: tenant of the streams.
            after: ``next`` of the previous part; None: from the beginning.
            id_prefix: first characters of the UUIDs; empty: all streams.
            limit: the most streams, up to 100.

        Raises:
            InvalidStreamIdError: ``after`` does not come from a part of the list.
            ServiceError: AWS refused or did not answer.

        Cost: 1 request for the markers of the streams, and 1 more for each of the 16 partitions
        that it reaches; 1 request for their names.
        """
        return some_streams(
            self._gateway,
            self._tables,
            category,
            tenant_id,
            after=after,
            id_prefix=id_prefix,
            limit=limit,
        )

    def existing(
        self, streams: Iterable[tuple[TenantId, StreamId]]
    ) -> list[tuple[TenantId, StreamId]]:
        """Return the given streams that exist, with their names.

        Raises:
            InvalidStreamIdError: a tenant and a category make a key that is too long.
            ServiceError: AWS refused or did not answer.

        Cost: 1 request for each 100 streams.
        """
        keys = {stream_key(tenant_prefix(tenant), one): (tenant, one) for tenant, one in streams}
        steps = beginnings(self._tables.events, list(keys))
        found = self._run("streams", DEFAULT_TENANT, None, steps)
        return [
            (tenant, with_name(one, found[key].get("stream_name", {}).get("S")))
            for key, (tenant, one) in keys.items()
            if "generation" in found.get(key, {})
        ]

    def generations(self, tenant_id: TenantId, stream_id: StreamId) -> list[MarkedGeneration]:
        """Return the generations of a stream in the log, newest first, at most 100.

        Raises:
            ServiceError: AWS refused or did not answer.

        Cost: 1 request.
        """
        category_key = category_prefix(tenant_prefix(tenant_id), stream_id.category)
        steps = generations_of(self._tables.log, category_key, str(stream_id))
        return self._run("streams", tenant_id, stream_id, steps)

    def find_position(
        self,
        tenant_id: TenantId,
        stream_id: StreamId,
        *,
        generation: int,
        version: int,
        before: Position | None = None,
        most_requests: int = 4,
    ) -> FoundPosition:
        """Search for the position of an event, backward from a position or the end of the log.

        Args:
            tenant_id: tenant of the stream.
            stream_id: the event's stream.
            generation: generation of the event.
            version: version of the event; in a versionless stream, its number; 1-based.
            before: search only before this position (exclusive); None: from the end.
            most_requests: the most requests to send, each for about 1 MB of the log.

        Raises:
            ServiceError: AWS refused or did not answer.
            StoredItemError: a page of the log cannot be read.
        """
        wanted = stream_key(tenant_prefix(tenant_id), stream_id), generation, version
        log = self._logs.of_tenant(tenant_id).keys
        steps = _look_back(log, wanted, before, most_requests)
        return self._run("read_log", tenant_id, stream_id, steps)

    def items(
        self,
        tenant_id: TenantId,
        stream_id: StreamId,
        *,
        below: int | None = None,
        limit: int = 50,
    ) -> list[StoredItem]:
        """Return items of a stream, newest first: the snapshot, then commits and fences.

        Args:
            tenant_id: tenant of the stream.
            stream_id: the stream.
            below: only items whose ``place`` is below this one (exclusive); None: from the top.
            limit: the most items. There may be fewer, because a reply has at most 1 MB. Only an
                empty list means the end.

        Raises:
            InvalidStreamIdError: tenant and category make a key that is too long.
            ServiceError: AWS refused or did not answer.

        Cost: 1 request, and 1 read unit for each 4 KB.
        """
        key = stream_key(tenant_prefix(tenant_id), stream_id)
        request = _query_items(self._tables.events, key, below, limit)
        response = self._run("inspect", tenant_id, stream_id, _one(request))
        most = self._config.max_uncompressed_bytes
        return [stored_item(item, stream_id, most) for item in response["Items"]]

    def _run(
        self, operation: str, tenant_id: TenantId, stream_id: StreamId | None, steps: Steps[T]
    ) -> T:
        return self._gateway.run(operation, tenant_id, stream_id, steps)


def _one(request: Request) -> Steps[Response]:
    return (yield request)


def _look_back(
    log: LogKeys, wanted: tuple[str, int, int], before: Position | None, most_requests: int
) -> Steps[FoundPosition]:
    key, generation, version = wanted
    after = (
        None if before is None else {"log_key": {"S": log.pages}, "place": {"S": place_of(before)}}
    )
    lowest = before
    for _ in range(most_requests):
        response = yield newest_pages(log, _PAGES_A_REQUEST, after)
        for page in map(read_page, response["Items"]):
            position = lowest = page.first
            for pointer in page.pointers:
                if (
                    pointer.stream_key == key
                    and pointer.generation == generation
                    and pointer.first_version <= version <= pointer.last_version
                ):
                    return FoundPosition(position + version - pointer.first_version, page.first)
                position += pointer.event_count
        after = response.get("LastEvaluatedKey")
        if after is None:
            return FoundPosition(None, 1)
    return FoundPosition(None, lowest or 1)


def _query_items(table: str, key: str, below: int | None, limit: int) -> Request:
    params: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "stream_key = :key",
        "ExpressionAttributeValues": {":key": {"S": key}},
        "ScanIndexForward": False,
        "ConsistentRead": True,
        "Limit": limit,
    }
    if below is not None:
        params["KeyConditionExpression"] += " AND version < :below"
        params["ExpressionAttributeValues"][":below"] = number(below)
    return Request("query", params)
