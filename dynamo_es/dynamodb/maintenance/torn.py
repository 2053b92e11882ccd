"""Cuts off the end of a log that points to commits that the events table does not have.

Two tables that were restored to different times contradict each other. A log of a later time has
positions of commits that are not stored, and consumers have handled them. A new commit at such a
version would never get a position. So the log is cut before the first such commit, and markers and
consumers are put back to its new end. Then a repair gives the stored commits after the new end
their positions again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dynamo_es.dynamodb.log import requests
from dynamo_es.dynamodb.log.keys import is_markers_key
from dynamo_es.dynamodb.log.logs import Logs
from dynamo_es.dynamodb.log.pages import Page, page_item, read_page
from dynamo_es.dynamodb.maintenance.all_logs import all_logs
from dynamo_es.dynamodb.maintenance.put_back import Ends, Head, PutBack, hash_of, put_back
from dynamo_es.dynamodb.maintenance.repair import fetch_pages, scan_commits
from dynamo_es.dynamodb.maintenance.verify import verify
from dynamo_es.dynamodb.wire.errors import ConditionRefused
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.dynamodb.wire.steps import Request
from dynamo_es.exceptions import ServiceError
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from dynamo_es.contracts import Observer
    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.log.keys import LogKeys
    from dynamo_es.dynamodb.log.sequencer import Tables
    from dynamo_es.dynamodb.wire.steps import Item, Response, Steps
    from dynamo_es.values import Position


@dataclass(frozen=True, slots=True)
class Cut:
    """The end of a log that is cut off.

    Attributes:
        log: partition key of the log's pages.
        end: the last position that stays (inclusive).
        last: the last position before the cut.
        commits: number of commits that lose their positions, stored or not.
    """

    log: str
    end: Position
    last: Position
    commits: int


@dataclass(frozen=True, slots=True)
class Truncation:
    """The plan of a truncation.

    Attributes:
        torn: number of commits of the log that the events table does not have.
        cuts: the cut of each log that is cut.
        put_back: markers and consumers that are after an end, with their new values.
        newest: for each log, its keys and its newest page, to notice a change.
        requests: the writes on the pages, in order.
    """

    torn: int
    cuts: tuple[Cut, ...]
    put_back: tuple[PutBack, ...]
    newest: tuple[tuple[LogKeys, Page | None], ...]
    requests: tuple[Request, ...]

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.cuts or self.put_back)


def plan_truncation(
    config: DynamoConfig,
    client: Callable[[], DynamoDBClient],
    observer: Observer | None = None,
    *,
    clock: Callable[[], float] = time.time,
) -> Truncation:
    """Plan a truncation. It only reads.

    Args:
        config: names of the tables.
        client: returns the client for the tables.
        observer: called with a report of each operation; None: no reports.
        clock: returns seconds since the epoch.

    Raises:
        StoredItemError: a page that stays cannot be read.
        LogScopeError: the table was written with another ``log_scope``.
        ServiceError: AWS refused or did not answer.

    Cost: the cost of a verification, and the read units of both whole tables once more.
    """
    report = verify(config, client, observer, clock=clock)
    return _Plan(config, Gateway(client, config, observer)).made(report.torn, report.torn_from)


def truncate(
    config: DynamoConfig,
    client: Callable[[], DynamoDBClient],
    plan: Truncation,
    observer: Observer | None = None,
) -> None:
    """Carry out a truncation. Nothing else may write to the tables at the same time.

    Consumers are put back first, then markers. Then the pages are deleted from the newest one down.
    So the next truncation finds and finishes an interrupted one.

    Raises:
        ReplicaWriteError: the tables are replicas.
        ServiceError: an item has changed since it was read, or AWS refused or did not answer. Stop
            writers, sequencers and consumers, and start over with a new plan.
    """
    config.refuse_in_replica("truncate")
    gateway = Gateway(client, config, observer)
    for keys, page in plan.newest:
        if _newest(gateway, keys) != page:
            raise _changed(config.log_table)
    in_order = sorted(plan.put_back, key=lambda one: one.kind == "marker")
    for request in [*(one.request for one in in_order), *plan.requests]:
        try:
            gateway.run("truncate", DEFAULT_TENANT, None, _one(request))
        except ConditionRefused:
            raise _changed(config.log_table) from None


class _Plan:
    def __init__(self, config: DynamoConfig, gateway: Gateway) -> None:
        self._gateway = gateway
        self._logs = Logs.of(config)
        self._cuts: list[Cut] = []
        self._newest: list[tuple[LogKeys, Page | None]] = []
        self._requests: list[Request] = []
        self._kept: dict[tuple[str, str], int] = {}

    def made(self, torn: int, torn_from: dict[str, Position]) -> Truncation:
        ends: dict[str, Position] = {}
        for tables in all_logs(self._gateway, self._logs):
            ends[tables.prefix] = self._cut(tables, torn_from.get(tables.prefix))
        heads = self._heads()
        hashed = {hash_of(key): key for key in heads}
        found = Ends(ends, self._kept, heads, hashed)
        return Truncation(
            torn,
            tuple(self._cuts),
            tuple(self._put_back(found, {cut.log for cut in self._cuts})),
            tuple(self._newest),
            tuple(self._requests),
        )

    def _cut(self, tables: Tables, torn_from: Position | None) -> Position:
        """Plan the cut of a log; return its last position afterwards."""
        keys, end, last, lost = tables.keys, 0, 0, 0
        pages: list[Request] = []
        page: Page | None = None
        for item in self._pages(keys):
            page = read_page(item)
            kept = []
            position = page.first
            for pointer in page.pointers:
                if torn_from is None or position < torn_from:
                    kept.append(pointer)
                    end = position + pointer.event_count - 1
                    self._kept[tuple(pointer.marker)] = pointer.last_version  # type: ignore[index]
                else:
                    lost += 1
                position += pointer.event_count
            last = page.following - 1
            if len(kept) == len(page.pointers):
                continue
            if kept:
                shorter = page_item(page._replace(pointers=tuple(kept)), keys.prefix)
                pages.append(requests.replace_page(keys, shorter, page.writer))
            else:
                pages.append(requests.delete_page(keys, page.first, page.writer))
        self._newest.append((keys, page))
        # Delete from the newest page down. The page of the first torn commit comes last.
        self._requests += reversed(pages)
        if lost:
            self._cuts.append(Cut(keys.pages, end, last, lost))
        return end

    def _pages(self, keys: LogKeys) -> list[Item]:
        def request(after: Item | None) -> Request:
            first = requests.pages_from(keys, 1, limit=None, consistent=True)
            if after is None:
                return first
            return Request(first.operation, {**first.params, "ExclusiveStartKey": after})

        return [
            item for items in fetch_pages(self._gateway, "read_pages", request) for item in items
        ]

    def _heads(self) -> dict[str, Head]:
        heads: dict[str, Head] = {}
        for _, found in scan_commits(self._gateway, self._logs.events):
            for pointer in found.pointers:
                head = Head(pointer.generation, pointer.last_version)
                heads[pointer.stream_key] = max(head, heads.get(pointer.stream_key, head))
        return heads

    def _put_back(self, ends: Ends, cut: set[str]) -> list[PutBack]:
        found: list[PutBack] = []
        for items in fetch_pages(self._gateway, "read_consumers", self._scan):
            for item in items:
                log_key = item["log_key"]["S"]
                if is_markers_key(log_key) and self._pages_of(log_key) not in cut:
                    continue
                if (one := put_back(self._logs.table, item, ends)) is not None:
                    found.append(one)
        return found

    def _pages_of(self, markers_key: str) -> str:
        return f"{markers_key.partition('#')[0]}#log" if self._logs.per_tenant else "log"

    def _scan(self, after: Item | None) -> Request:
        params: dict[str, Any] = {
            "TableName": self._logs.table,
            "FilterExpression": "attribute_not_exists(pointers)",
            "ConsistentRead": True,
        }
        if after is not None:
            params["ExclusiveStartKey"] = after
        return Request("scan", params)


def _newest(gateway: Gateway, keys: LogKeys) -> Page | None:
    reply = gateway.run("read_pages", DEFAULT_TENANT, None, _one(requests.newest_page(keys)))
    for item in reply["Items"]:
        return read_page(item)
    return None


def _changed(table: str) -> ServiceError:
    return ServiceError(
        "TruncateTorn",
        "Changed",
        "The log has changed in the meantime. Stop writers, sequencers and consumers, and start "
        "over.",
        table,
    )


def _one(request: Request) -> Steps[Response]:
    return (yield request)
