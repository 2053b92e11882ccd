"""`DynamoLog`: the log of all streams on DynamoDB, as consumers see it."""

from __future__ import annotations

import logging
import time
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from dynamo_es.contracts import EVERYTHING, LogReader, LogStrategy, Selection, StreamInLog
from dynamo_es.contracts.checks import check_kind, check_position, check_tenant
from dynamo_es.contracts.stream_keys import category_prefix, tenant_prefix
from dynamo_es.dynamodb.log import requests
from dynamo_es.dynamodb.log.markers import marked_version
from dynamo_es.dynamodb.log.reader import DynamoLogReader
from dynamo_es.dynamodb.log.sequencer import last_position
from dynamo_es.dynamodb.log.unsequenced import look
from dynamo_es.dynamodb.streams.keys import describe_key, parse_stream_key
from dynamo_es.dynamodb.wire.batches import MAX_KEYS, fetch_all
from dynamo_es.dynamodb.wire.compression import MAX_TEXT_BYTES
from dynamo_es.dynamodb.wire.steps import number
from dynamo_es.exceptions import EventStoreError, InvalidSubscriptionError
from dynamo_es.values import DEFAULT_TENANT, StreamId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dynamo_es.contracts import AppendHooks
    from dynamo_es.dynamodb.log.sequencer import Tables
    from dynamo_es.dynamodb.wire.gateway import Gateway
    from dynamo_es.dynamodb.wire.steps import Item, Request, Response, Steps, T
    from dynamo_es.values import Position, TenantId

_log = logging.getLogger("dynamo_es")


class DynamoLog(LogStrategy):
    """The log of all streams and tenants on DynamoDB. Safe to share between threads.

    Args:
        tables: names of the tables of the log and the commits.
        gateway: sends the requests.
        hooks: of the storages, which know what this process appended. None: it appends nothing.
        clock: returns seconds since the epoch.
        most_bytes: bytes that the events of a commit may take uncompressed.
    """

    def __init__(
        self,
        tables: Tables,
        gateway: Gateway,
        hooks: AppendHooks | None = None,
        clock: Callable[[], float] = time.time,
        *,
        most_bytes: int = MAX_TEXT_BYTES,
    ) -> None:
        self._tables = tables
        self._gateway = gateway
        self._hooks = hooks
        self._clock = clock
        self._most_bytes = most_bytes
        self._warned = False

    @property
    def last_position(self) -> Position | None:
        """The last position assigned; see `LogStrategy.last_position`."""
        steps = last_position(self._tables.log)
        return self._gateway.run("position", DEFAULT_TENANT, None, steps)

    def reader(self, after: Position, selection: Selection = EVERYTHING) -> LogReader:
        """Return a reader of the events after a position; see `LogStrategy.reader`.

        Cost: 1 request, or none for position 0.
        """
        check_kind("selection", selection, Selection, InvalidSubscriptionError)
        check_position(after)
        reader = DynamoLogReader(self._tables, self._gateway, after, selection, self._most_bytes)
        self._gateway.run("read_log", DEFAULT_TENANT, None, reader.begin())
        return reader

    def unsequenced(self) -> bool:
        """Whether stored events have no position yet; see `LogStrategy.unsequenced`.

        Cost: 2 requests; up to 4 where this process has appended.
        """
        own = None if self._hooks is None else self._hooks.last_commit
        steps = look(self._tables, own, self._clock())
        try:
            seen = self._gateway.run("look_further", DEFAULT_TENANT, None, steps)
        except EventStoreError:
            _log.debug("Looking for events after the end of the log failed", exc_info=True)
            return False
        if seen.missed and not self._warned:
            self._warned = True
            _log.warning(
                "The table %s has events without a position in the log %s, so no consumer gets "
                "them. If this lasts longer than a second or two, no sequencer runs: start "
                "`dynamo-es sequence`, deploy the sequencer's Lambda function, or set "
                "DYNAMO_ES_SEQUENCING=inline where you append. Then run `dynamo-es log repair` for "
                "the events that are stored already.",
                self._tables.events,
                self._tables.log,
            )
        return seen.found

    def tenants(self) -> Iterator[TenantId]:
        """Yield the tenants in the log; see `LogStrategy.tenants`.

        Cost: 1 request for each MB of the log's table, as the iterator gets there.
        """
        return _unique(tenant_id for tenant_id, _ in self._categories())

    def categories(self, tenant_id: TenantId) -> Iterator[str | None]:
        """Yield a tenant's categories in the log; see `LogStrategy.categories`.

        Cost: as `tenants`.
        """
        check_tenant(tenant_id)
        return _unique(category for owner, category in self._categories() if owner == tenant_id)

    def _categories(self) -> Iterator[tuple[TenantId, str | None]]:
        """Yield tenant and category of each marker in the log's table."""
        after: Item | None = None
        while True:
            steps = _one(requests.scan_marker_keys(self._tables.log, after))
            response = self._gateway.run("list_categories", DEFAULT_TENANT, None, steps)
            for log_key in dict.fromkeys(item["log_key"]["S"] for item in response["Items"]):
                try:
                    yield _category_of(log_key)
                except ValueError:
                    _log.error(
                        "Markers in table %s with the key %s are left out: they cannot be read.",
                        self._tables.log,
                        log_key,
                    )
            after = response.get("LastEvaluatedKey")
            if after is None:
                return

    def streams(self, category: str | None, tenant_id: TenantId) -> Iterator[StreamInLog]:
        """Yield the streams of a category that exist; see `LogStrategy.streams`.

        Cost: 16 requests, for the 16 partitions of a category's markers; 1 more for each MB
        (about 10,000 streams) in them; 1 for every hundred streams; and those of `unsequenced`,
        which is called at the end.
        """
        category_key = category_prefix(tenant_prefix(tenant_id), category)
        for digit in "0123456789abcdef":
            marked = self._newest_generations(f"streams#{category_key}#{digit}", tenant_id)
            while some := list(islice(marked, MAX_KEYS)):
                steps = _existing(self._tables.events, category_key, some)
                yield from self._gateway.run("streams", tenant_id, None, steps)
        self.unsequenced()

    def _newest_generations(self, log_key: str, tenant_id: TenantId) -> Iterator[_Marked]:
        """Yield the newest generation of each stream that has a marker in a partition."""
        newest: _Marked | None = None
        after: Item | None = None
        while True:
            steps = _markers(self._tables.log, log_key, after)
            items, after = self._gateway.run("streams", tenant_id, None, steps)
            for item in items:
                uuid, _, generation = item["place"]["S"].partition("#")
                try:
                    marked = _Marked(uuid, int(generation), marked_version(item))
                except (KeyError, ValueError):
                    _log.error(
                        "A marker is left out: table %s, key %s / %s cannot be read.",
                        self._tables.log,
                        log_key,
                        item["place"]["S"],
                    )
                    continue
                # The query returns the generations of a stream in order, so the last is the newest.
                if newest is not None and newest.uuid != marked.uuid:
                    yield newest
                newest = marked
            if after is None:
                break
        if newest is not None:
            yield newest


class _Marked(NamedTuple):
    """A marker: the version that the log has reached in a generation of a stream."""

    uuid: str
    generation: int
    version: int


def _category_of(log_key: str) -> tuple[TenantId, str | None]:
    """Return tenant and category of a marker's partition key.

    Raises:
        ValueError: it is not the key of a marker.
    """
    # Before its last hex digit, it is a stream's key without the UUID.
    tenant_id, category, _ = parse_stream_key(f"{log_key[len('streams#') : -1]}{UUID(int=0)}")
    return tenant_id, category


def _unique(items: Iterable[T]) -> Iterator[T]:
    seen: set[T] = set()
    for item in items:
        if item not in seen:
            seen.add(item)
            yield item


def _one(request: Request) -> Steps[Response]:
    return (yield request)


def _markers(table: str, log_key: str, after: Item | None) -> Steps[tuple[list[Item], Item | None]]:
    response = yield requests.markers_of(table, log_key, after)
    return response["Items"], response.get("LastEvaluatedKey")


def _existing(table: str, category_key: str, marked: list[_Marked]) -> Steps[list[StreamInLog]]:
    """Return the streams whose first commit is of the generation that the log knows, in order."""
    keys: list[Item] = [
        {"stream_key": {"S": f"{category_key}#{one.uuid}"}, "version": number(1)} for one in marked
    ]
    items = yield from fetch_all(table, keys, lambda left: requests.get_beginnings(table, left))
    found = {item["stream_key"]["S"]: item for item in items}
    existing = []
    for one in marked:
        key = f"{category_key}#{one.uuid}"
        item = found.get(key, {})
        if item.get("generation") == number(one.generation):
            try:
                _, category, uuid = parse_stream_key(key)
                name = item["stream_name"]["S"] if "stream_name" in item else None
                stream_id = StreamId(uuid, name, category=category)
            except (KeyError, ValueError):
                _log.error(
                    "Stream %s is left out: its name in table %s cannot be read.",
                    describe_key(key),
                    table,
                )
            else:
                existing.append(StreamInLog(stream_id, one.version))
    return existing
