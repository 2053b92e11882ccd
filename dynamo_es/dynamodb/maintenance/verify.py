"""Verifies the log against itself, and against the events table."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.contracts.checks.functions import check_injected
from dynamo_es.dynamodb.log.keys import MARKERS, is_markers_key
from dynamo_es.dynamodb.log.logs import Logs
from dynamo_es.dynamodb.log.markers import Marker, marked_version
from dynamo_es.dynamodb.log.pages import MAX_POINTERS, read_page
from dynamo_es.dynamodb.log.pointers import find_pointer
from dynamo_es.dynamodb.log.requests import get_markers, pages_from
from dynamo_es.dynamodb.maintenance.all_logs import all_logs
from dynamo_es.dynamodb.maintenance.comparison import Comparison, check_content
from dynamo_es.dynamodb.maintenance.ledger import Ledgers
from dynamo_es.dynamodb.maintenance.repair import count_items, fetch_pages, scan_commits
from dynamo_es.dynamodb.streams.items import generation_of, is_fence
from dynamo_es.dynamodb.wire.batches import fetch_all
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.dynamodb.wire.steps import Request
from dynamo_es.exceptions import StoredItemError
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

    from dynamo_es.contracts import Observer
    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.log.keys import LogKeys
    from dynamo_es.dynamodb.log.pointers import Pointer
    from dynamo_es.dynamodb.maintenance.repair import Scanned
    from dynamo_es.dynamodb.wire.steps import Item
    from dynamo_es.values import Position

MOST_FAULTS: Final = 100
"""The most faults that a report names. Further faults are only counted."""


@dataclass(slots=True)
class Verified:
    """The findings of a verification, complete or so far.

    Attributes:
        pages: number of pages of the log.
        positions: number of assigned positions, one for each event.
        pointers: number of commits in the log.
        streams: number of generations of streams in the log. A stream that was deleted and created
            again has several.
        expected: number of items of the events table, as DynamoDB counted them in the last six
            hours.
        scanned: number of items of the events table that were read.
        commits: number of commits among the items read.
        in_log: number of these commits that are in the log.
        not_sequenced: number of commits after the last version of their stream in the log. The log
            always lags a little, so they are a fault only if they stay.
        foreign: number of items that this library did not write.
        fault_count: number of faults.
        faults: the first faults, a sentence each.
        set_aside: number of items of the events table that cannot be read. Either a commit among
            them has no position, or readers skip its positions.
        unreadable: the first of these items, a sentence each.
        torn: number of commits of the log that the events table does not have although no deletion
            explains that, each after the last commit of its stream there. The tables were restored
            to different times. They are counted as faults too.
        torn_from: the position of the first torn commit in each log, by the prefix of the log's
            keys; the prefix is empty for the log of all tenants.
    """

    pages: int = 0
    positions: int = 0
    pointers: int = 0
    streams: int = 0
    expected: int = 0
    scanned: int = 0
    commits: int = 0
    in_log: int = 0
    not_sequenced: int = 0
    foreign: int = 0
    fault_count: int = 0
    faults: list[str] = field(default_factory=list)
    set_aside: int = 0
    unreadable: list[str] = field(default_factory=list)
    torn: int = 0
    torn_from: dict[str, Position] = field(default_factory=dict)

    @property
    def deleted(self) -> int:
        """The number of commits of the log that are no longer in the events table."""
        return self.pointers - self.in_log

    @property
    def sound(self) -> bool:
        """Whether no fault was found, and every item can be read."""
        return not self.fault_count and not self.set_aside

    def note(self, fault: str) -> None:
        """Count a fault, and name it if it is among the first."""
        self.fault_count += 1
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(fault)

    def note_torn(self, prefix: str, position: Position) -> None:
        """Count a commit that the events table lost, because the tables are of different times."""
        self.torn += 1
        self.torn_from[prefix] = min(position, self.torn_from.get(prefix, position))

    def note_unreadable(self, error: StoredItemError) -> None:
        """Count an item that cannot be read, and name it if it is among the first."""
        self.set_aside += 1
        if len(self.unreadable) < MOST_FAULTS:
            self.unreadable.append(str(error))


def scan_markers(table: str, after: Item | None = None) -> Request:
    """Scan the log table for its markers, consistently."""
    params: dict[str, Any] = {
        "TableName": table,
        "FilterExpression": "contains(log_key, :streams)",
        "ProjectionExpression": "log_key, place, last_version",
        "ExpressionAttributeValues": {":streams": {"S": f"#{MARKERS}#"}},
        "ConsistentRead": True,
    }
    if after is not None:
        params["ExclusiveStartKey"] = after
    return Request("scan", params)


def verify(
    config: DynamoConfig,
    client: Callable[[], DynamoDBClient],
    observer: Observer | None = None,
    *,
    on_progress: Callable[[Verified], None] = lambda _: None,
    clock: Callable[[], float] = time.time,
) -> Verified:
    """Check that the log has every commit exactly once, and every stream in order.

    A verification only reads. You can run it during appends and deletions, while sequencers run. It
    keeps a few hundred bytes in memory for each stream of any length, and more for the streams on
    which the two tables differ.

    If the events table lacks a commit of the log, a fence or a later generation of the stream shows
    that it was deleted. Without either, it is a fault. For example, the tables were restored to
    different times. Fences expire after a week, so a stream without any item counts as deleted if
    it was created more than a week ago.

    Args:
        config: names of the tables.
        client: returns the client for the tables.
        observer: called with a report of each operation; None: no reports.
        on_progress: called with the findings so far.
        clock: returns seconds since the epoch.

    Raises:
        LogScopeError: the table was written with another ``log_scope``.
        ServiceError: AWS refused or did not answer.

    Cost: the read units of both whole tables, and of the log's pages a second time. If the tables
    differ on some streams, also those of the pages a third time, and of these streams.
    """
    check_injected(on_progress=on_progress, clock=clock)
    gateway = Gateway(client, config, observer)
    report = Verified(expected=count_items(config, client, observer))
    ledgers = Ledgers(Logs.of(config), report.note)
    # The order matters, because appends and sequencers do not stop. A marker is never ahead of the
    # pages, so read the markers before the pages. A commit is stored before its hint exists, so
    # read the events table last: it then has every commit of the log.
    versions = _read_markers(gateway, config.log_table, report)
    logs = all_logs(gateway, ledgers.logs)
    ledgers.check_registry(logs, versions)
    for tables in logs:
        ledger = ledgers.of(tables)
        for item in _pages(gateway, tables.keys):
            report.pages += 1
            try:
                page = read_page(item)
            except StoredItemError as error:
                report.note(str(error))
                ledger.skip_page()
            else:
                ledger.add(page)
                report.pointers += len(page.pointers)
                report.positions += page.following - page.first
            report.streams = ledgers.streams
            on_progress(report)
        ledger.check_leading(ledgers.markers_of(tables, versions))
        lagging = ledger.lagging(versions)
        ledger.check_lagging(lagging, _read_again(gateway, config.log_table, lagging))
    for scanned in scan_commits(gateway, config.events_table, with_events=True):
        _take_in(report, ledgers, scanned, config.max_uncompressed_bytes)
        on_progress(report)
    if doubtful := ledgers.doubtful():

        def note_torn(position: Position, pointer: Pointer) -> None:
            report.note_torn(ledgers.logs.of_stream(pointer.stream_key).prefix, position)

        comparison = Comparison(
            gateway, config.events_table, doubtful, report.note, note_torn, clock()
        )
        for tables in logs:
            for item in _pages(gateway, tables.keys):
                comparison.add(item)
        comparison.finish()
    return report


def _take_in(report: Verified, ledgers: Ledgers, scanned: Scanned, most_bytes: int) -> None:
    items, found = scanned
    report.scanned += len(items)
    report.commits += len(found.pointers)
    report.foreign += len(found.foreign)
    for error in found.damaged:
        report.note_unreadable(error)
    for pointer in found.pointers:
        ledger = ledgers.of_stream(pointer.stream_key)
        ledger.note_end(pointer.stream_key, pointer.generation - 1)
        if ledger.is_new(pointer):
            report.not_sequenced += 1
        elif ledger.has(pointer):
            report.in_log += 1
    for item in items:
        try:
            if is_fence(item):
                key = item["stream_key"]["S"]
                ledgers.of_stream(key).note_end(key, generation_of(item))
                continue
            pointer_or_none = find_pointer(item)
        except StoredItemError:
            continue  # already noted above
        try:
            if pointer_or_none is not None:
                check_content(item, pointer_or_none, most_bytes)
        except StoredItemError as error:
            report.note_unreadable(error)


def _pages(gateway: Gateway, log: LogKeys) -> Iterator[Item]:
    def request(after: Item | None) -> Request:
        # Begin at 0, because a page below position 1 is a fault.
        first = pages_from(log, 0, limit=None, consistent=True)
        if after is None:
            return first
        return Request(first.operation, {**first.params, "ExclusiveStartKey": after})

    for items in fetch_pages(gateway, "read_pages", request):
        yield from items


def _read_markers(gateway: Gateway, table: str, report: Verified) -> dict[Marker, int]:
    versions: dict[Marker, int] = {}
    for items in fetch_pages(gateway, "read_markers", lambda after: scan_markers(table, after)):
        for item in items:
            marker = Marker(item["log_key"]["S"], item["place"]["S"])
            if not is_markers_key(marker.log_key):
                continue
            try:
                versions[marker] = marked_version(item)
            except (KeyError, TypeError, ValueError):
                report.note(f"The marker {marker.log_key} / {marker.place} has no version.")
    return versions


def _read_again(gateway: Gateway, table: str, markers: list[Marker]) -> dict[Marker, int]:
    """Read markers again after the pages, when they must have caught up."""
    versions: dict[Marker, int] = {}
    for begin in range(0, len(markers), MAX_POINTERS):
        keys = [marker.key for marker in markers[begin : begin + MAX_POINTERS]]
        steps = fetch_all(table, keys, lambda left: get_markers(table, left))
        for item in gateway.run("read_markers", DEFAULT_TENANT, None, steps):
            marker = Marker(item["log_key"]["S"], item["place"]["S"])
            versions[marker] = int(item.get("last_version", {}).get("N", 0))
    return versions
