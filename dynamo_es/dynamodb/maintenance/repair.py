"""Scans of the events table: to put into the log what no hint told of, and to verify it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from dynamo_es.dynamodb.log.hints import Found, find_hints
from dynamo_es.dynamodb.log.items import MAX_POINTERS
from dynamo_es.dynamodb.log.requests import scan_events
from dynamo_es.dynamodb.log.sequencer import SequencerMemory, Tables, sequence
from dynamo_es.dynamodb.log.set_aside import forget, list_set_aside, set_aside
from dynamo_es.dynamodb.maintenance.stuck_page import mend_newest_page
from dynamo_es.dynamodb.table_stream.requests import describe_table
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

    from dynamo_es.contracts import Observer
    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.log.sequencer import Hint
    from dynamo_es.dynamodb.log.set_aside import SetAside
    from dynamo_es.dynamodb.wire.steps import Item, Request, Response, Steps


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
        set_aside: commits, fences and snapshots that cannot be read.
        waiting: commits that have no position because one before them is set aside.
        mended: commits taken out of the newest page, because no stream can have them.
    """

    scanned: int = 0
    expected: int = 0
    commits: int = 0
    foreign: int = 0
    pages: int = 0
    positions: int = 0
    complete: bool = False
    set_aside: int = 0
    waiting: int = 0
    mended: int = 0


class Scanned(NamedTuple):
    """What one request of a scan has found.

    Attributes:
        items: as stored.
        found: what they are.
    """

    items: list[Item]
    found: Found

    @property
    def hints(self) -> list[Hint]:
        """The commits among them."""
        return self.found.hints


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

    What cannot be read is set aside (see `dynamo_es.dynamodb.log.set_aside`), and what was set
    aside and can be read by now, or is gone, is not any more. A newest page at which every
    sequencer stops, because no stream can have what it points to, is mended first.

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
    mended = gateway.run("mend", DEFAULT_TENANT, None, mend_newest_page(tables.log, memory.new_id))
    done = replace(done, mended=mended)
    run = partial(gateway.run, "set_aside", DEFAULT_TENANT, None)
    before = run(list_set_aside(tables.log))
    waiting = memory.waiting

    def give(hints: list[Hint]) -> None:
        nonlocal done
        pages = gateway.run("sequence", DEFAULT_TENANT, None, sequence(tables, hints, memory))
        done = replace(
            done,
            pages=done.pages + len(pages),
            positions=done.positions + sum(page.following - page.first for page in pages),
            waiting=memory.waiting - waiting,
        )

    for items, found in scan_commits(gateway, tables.events):
        if found.damaged:
            run(set_aside(tables.log, found.damaged, memory))
        done = replace(
            done,
            scanned=done.scanned + len(items),
            commits=done.commits + len(found.hints),
            foreign=done.foreign + len(found.foreign),
            set_aside=done.set_aside + len(found.damaged),
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
    readable = [entry for entry in before if entry.place not in memory.set_aside]
    if done.complete and readable:
        run(forget(tables.log, readable))
    on_progress(done)
    return done


def read_set_aside(
    config: DynamoConfig, client: Callable[[], DynamoDBClient], observer: Observer | None = None
) -> list[SetAside]:
    """Return the commits that are set aside, those of a stream together.

    Raises:
        ServiceError: AWS refused or did not answer.
    """
    gateway = Gateway(client, config, observer)
    return gateway.run("set_aside", DEFAULT_TENANT, None, list_set_aside(config.log_table))


def scan_commits(gateway: Gateway, table: str, *, with_events: bool = False) -> Iterator[Scanned]:
    """Scan the events table; yield what each request has found.

    Raises:
        ServiceError: AWS refused or did not answer.
    """

    def request(after: Item | None) -> Request:
        return scan_events(table, after, with_events=with_events)

    for items in fetch_pages(gateway, "scan", request):
        yield Scanned(items, find_hints(items))


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
