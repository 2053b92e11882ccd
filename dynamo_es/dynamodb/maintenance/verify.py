"""Verification of the log: against itself, and against the events table."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.dynamodb.log.hints import find_hint
from dynamo_es.dynamodb.log.items import MAX_POINTERS, Marker, read_page
from dynamo_es.dynamodb.log.requests import get_markers, pages_from
from dynamo_es.dynamodb.maintenance.comparison import Comparison, check_content
from dynamo_es.dynamodb.maintenance.ledger import Account
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
    from dynamo_es.dynamodb.maintenance.repair import Scanned
    from dynamo_es.dynamodb.wire.steps import Item

MOST_FAULTS: Final = 100
"""That a report names; the others are counted."""


@dataclass(slots=True)
class Verified:
    """What a verification has found, or has found so far.

    Attributes:
        pages: of the log.
        positions: given, that is events.
        pointers: commits in the log.
        streams: lives of streams in the log: one that was deleted and made again has several.
        expected: items of the events table, as DynamoDB counted them some hours ago at most.
        scanned: items of the events table that were looked at.
        commits: how many of them are commits.
        in_log: how many commits are in the log, as it was when it was read.
        not_sequenced: how many come after what the log has of their streams. The log runs behind
            by design, so it is a fault only if it lasts.
        foreign: items that are nothing of this library's.
        fault_count: how many faults there are.
        faults: the first of them, a sentence each.
        set_aside: items of the events table that cannot be read: a commit among them has no
            position, or takes positions that every reader passes over.
        unreadable: the first of them, a sentence each.
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

    @property
    def deleted(self) -> int:
        """Commits of the log that are in the events table no more."""
        return self.pointers - self.in_log

    @property
    def sound(self) -> bool:
        """Whether there is no fault, and nothing is set aside."""
        return not self.fault_count and not self.set_aside

    def note(self, fault: str) -> None:
        """Take a fault in."""
        self.fault_count += 1
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(fault)

    def note_unreadable(self, error: StoredItemError) -> None:
        """Take an item in that cannot be read."""
        self.set_aside += 1
        if len(self.unreadable) < MOST_FAULTS:
            self.unreadable.append(str(error))


def scan_markers(table: str, after: Item | None = None) -> Request:
    """Scan the log's table for its markers, consistently."""
    params: dict[str, Any] = {
        "TableName": table,
        "FilterExpression": "begins_with(log_key, :streams)",
        "ProjectionExpression": "log_key, place, upto",
        "ExpressionAttributeValues": {":streams": {"S": "streams#"}},
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
    """Check that every commit has exactly one place in the log, and every stream its order.

    It reads only, and may run beside appends, deletions and sequencers. What it keeps in memory
    is a few hundred bytes for each stream, whatever its length, and more for the streams of
    which the two tables do not say the same.

    A commit of the log that the events table does not have was deleted, if its stream has a fence
    or a later generation. If neither is there, it is a fault: the tables were restored to
    different moments, say. Fences go after a week: a stream of which nothing is left at all
    counts as deleted if it was created more than a week ago.

    Args:
        config: names of the tables.
        client: makes the client for the tables, or hands it out.
        observer: told of each operation; None: nobody.
        on_progress: called with what it has found so far.
        clock: seconds since the epoch.

    Raises:
        ServiceError: AWS refused or did not answer.

    Cost: the read units of both tables, all of them, those of the log's pages twice; if the two
    do not say the same of some streams, those of the pages once more, and of these streams.
    """
    gateway = Gateway(client, config, observer)
    report = Verified(expected=count_items(config, client, observer))
    account = Account(report.note)
    # In this order, because all of it moves. A marker never gets ahead of the pages, so it must
    # not be ahead of pages read later; nor does a commit in the events table come before its
    # hint, so whatever is in the log was there.
    upto = _read_markers(gateway, config.log_table, report)
    for item in _pages(gateway, config.log_table):
        report.pages += 1
        try:
            page = read_page(item)
        except StoredItemError as error:
            report.note(str(error))
            account.skip_page()
        else:
            account.add(page)
            report.pointers += len(page.pointers)
            report.positions += page.following - page.first
        report.streams = len(account.lives)
        on_progress(report)
    account.check_ahead(upto)
    behind = account.behind(upto)
    account.check_behind(behind, _read_again(gateway, config.log_table, behind))
    for scanned in scan_commits(gateway, config.events_table, with_events=True):
        _take_in(report, account, scanned, config.max_uncompressed_bytes)
        on_progress(report)
    if doubtful := account.doubtful():
        comparison = Comparison(gateway, config.events_table, doubtful, report.note, clock())
        for item in _pages(gateway, config.log_table):
            comparison.add(item)
        comparison.finish()
    return report


def _take_in(report: Verified, account: Account, scanned: Scanned, most_bytes: int) -> None:
    items, found = scanned
    report.scanned += len(items)
    report.commits += len(found.hints)
    report.foreign += len(found.foreign)
    for error in found.damaged:
        report.note_unreadable(error)
    for hint in found.hints:
        account.note_end(hint.stream_key, hint.generation - 1)
        if account.is_new(hint):
            report.not_sequenced += 1
        elif account.has(hint):
            report.in_log += 1
    for item in items:
        try:
            if is_fence(item):
                account.note_end(item["stream_key"]["S"], generation_of(item))
                continue
            hint_or_none = find_hint(item)
        except StoredItemError:
            continue  # noted above
        try:
            if hint_or_none is not None:
                check_content(item, hint_or_none, most_bytes)
        except StoredItemError as error:
            report.note_unreadable(error)


def _pages(gateway: Gateway, table: str) -> Iterator[Item]:
    def request(after: Item | None) -> Request:
        first = pages_from(table, 0, limit=None, consistent=True)
        if after is None:
            return first
        return Request(first.operation, {**first.params, "ExclusiveStartKey": after})

    for items in fetch_pages(gateway, "read_pages", request):
        yield from items


def _read_markers(gateway: Gateway, table: str, report: Verified) -> dict[Marker, int]:
    upto: dict[Marker, int] = {}
    for items in fetch_pages(gateway, "read_markers", lambda after: scan_markers(table, after)):
        for item in items:
            marker = Marker(item["log_key"]["S"], item["place"]["S"])
            try:
                upto[marker] = int(item["upto"]["N"])
            except (KeyError, TypeError, ValueError):
                report.note(f"The marker {marker.log_key} / {marker.place} has no version.")
    return upto


def _read_again(gateway: Gateway, table: str, markers: list[Marker]) -> dict[Marker, int]:
    """Read markers once more, now that the pages are read: they must have followed."""
    upto: dict[Marker, int] = {}
    for begin in range(0, len(markers), MAX_POINTERS):
        keys = [marker.key for marker in markers[begin : begin + MAX_POINTERS]]
        steps = fetch_all(table, keys, lambda left: get_markers(table, left))
        for item in gateway.run("read_markers", DEFAULT_TENANT, None, steps):
            marker = Marker(item["log_key"]["S"], item["place"]["S"])
            upto[marker] = int(item.get("upto", {}).get("N", 0))
    return upto
