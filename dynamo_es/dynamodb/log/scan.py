"""Scans of the events table: to put into the log what no hint told of, and to verify it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dynamo_es.dynamodb.gateway import Gateway
from dynamo_es.dynamodb.log.hints import find_hint
from dynamo_es.dynamodb.log.items import MAX_POINTERS
from dynamo_es.dynamodb.log.sequencing import SequencerMemory, Tables, sequence
from dynamo_es.dynamodb.log.stream_requests import describe_table
from dynamo_es.dynamodb.requests import Request
from dynamo_es.exceptions import StoredItemError
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

    from dynamo_es.contracts import Observer
    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.items import Item
    from dynamo_es.dynamodb.log.sequencing import Hint
    from dynamo_es.dynamodb.requests import Response, Steps

# What a pointer is made of, and what tells a fence and a snapshot from a commit.
_OUTLINE: Final = (
    "stream_key, version, generation, event_count, event_names, stream_name, versionless, outbox, "
    "closed, snapshot_version"
)


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair came to, or has come to so far.

    Attributes:
        scanned: items of the events table that were looked at.
        expected: how many there are, as DynamoDB counted them some hours ago at most.
        commits: how many of them are commits.
        foreign: how many are nothing of this library's.
        pages: put into the log.
        positions: given, that is events.
        complete: whether the whole table was scanned.
    """

    scanned: int = 0
    expected: int = 0
    commits: int = 0
    foreign: int = 0
    pages: int = 0
    positions: int = 0
    complete: bool = False


class Scanned(NamedTuple):
    """What one request of a scan has found.

    Attributes:
        items: how many items.
        hints: the commits among them.
        foreign: keys of those that are nothing of this library's.
    """

    items: int
    hints: list[Hint]
    foreign: list[str]


def scan_events(table: str, after: Item | None = None) -> Request:
    """Scan the events table, consistently, without the events themselves."""
    params: dict[str, Any] = {
        "TableName": table,
        "ProjectionExpression": _OUTLINE,
        "ConsistentRead": True,
    }
    if after is not None:
        params["ExclusiveStartKey"] = after
    return Request("scan", params)


def repair(
    config: DynamoConfig,
    client: Callable[[], DynamoDBClient],
    observer: Observer | None = None,
    *,
    memory: SequencerMemory | None = None,
    on_progress: Callable[[Repaired], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Repaired:
    """Give every commit of the events table that has no position one.

    What is in the log stays as it is, so it may be stopped at any moment and run again, also
    beside appends and sequencers. The commits found come in the order in which the scan finds
    them: streams in no order, the commits of each in theirs.

    Args:
        config: names of the tables.
        client: makes the client for the tables, or hands it out.
        observer: told of each operation; None: nobody.
        memory: what the process knows of the log; None: one of its own.
        on_progress: called with what it has come to so far.
        stopped: asked after each request of the scan whether to end it.

    Raises:
        ServiceError: AWS refused or did not answer; run it again.

    Cost: the read units of the events table, all of it; a request for each hundred commits that
    are in the log, and a page with its markers for each hundred that are not.
    """
    tables = Tables(config.events_table, config.log_table)
    gateway = Gateway(client, config, observer)
    memory = memory or SequencerMemory()
    done = Repaired(expected=count_items(config, client, observer))
    pending: list[Hint] = []

    def give(hints: list[Hint]) -> None:
        nonlocal done
        pages = gateway.run("sequence", DEFAULT_TENANT, None, sequence(tables, hints, memory))
        positions = sum(page.following - page.first for page in pages)
        done = replace(done, pages=done.pages + len(pages), positions=done.positions + positions)

    for found in scan_commits(gateway, tables.events):
        done = replace(
            done,
            scanned=done.scanned + found.items,
            commits=done.commits + len(found.hints),
            foreign=done.foreign + len(found.foreign),
        )
        pending += found.hints
        # In parts: each has a deadline of its own.
        while len(pending) >= MAX_POINTERS:
            give(pending[:MAX_POINTERS])
            del pending[:MAX_POINTERS]
        on_progress(done)
        if stopped():
            break
    else:
        done = replace(done, complete=True)
    if pending:
        give(pending)
    on_progress(done)
    return done


def scan_commits(gateway: Gateway, table: str) -> Iterator[Scanned]:
    """Scan the events table; yield what each request has found.

    Raises:
        ServiceError: AWS refused or did not answer.
    """
    for items in fetch_pages(gateway, "scan", lambda after: scan_events(table, after)):
        hints: list[Hint] = []
        foreign: list[str] = []
        for item in items:
            try:
                hint = find_hint(item)
            except StoredItemError as error:
                foreign.append(f"{error.stream_key!r} at {error.version}")
            else:
                if hint is not None:
                    hints.append(hint)
        yield Scanned(len(items), hints, foreign)


def fetch_pages(
    gateway: Gateway, operation: str, request: Callable[[Item | None], Request]
) -> Iterator[list[Item]]:
    """Yield the items of each page of a query or a scan.

    Args:
        gateway: what sends the requests.
        operation: name of the operation, for the observer.
        request: makes the request for the page after ``LastEvaluatedKey``.
    """
    after: Item | None = None
    while True:
        response = gateway.run(operation, DEFAULT_TENANT, None, _one(request(after)))
        yield response["Items"]
        after = response.get("LastEvaluatedKey")
        if after is None:
            return


def count_items(
    config: DynamoConfig, client: Callable[[], DynamoDBClient], observer: Observer | None = None
) -> int:
    """Return about how many items the events table has: DynamoDB counts every six hours.

    Raises:
        ServiceError: AWS refused or did not answer.
    """
    # A table's description does not take ReturnConsumedCapacity.
    gateway = Gateway(client, replace(config, report_capacity=False), observer)
    steps = _one(describe_table(config.events_table))
    return int(gateway.run("count", DEFAULT_TENANT, None, steps)["Table"].get("ItemCount", 0))


def _one(request: Request) -> Steps[Response]:
    return (yield request)
