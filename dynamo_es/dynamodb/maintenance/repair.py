"""Repairs the log: scans the events table for commits that the log lacks, and sequences them."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from dynamo_es.dynamodb.log import requests
from dynamo_es.dynamodb.log.logs import Logs
from dynamo_es.dynamodb.log.pages import MAX_POINTERS, page_item, read_any_page
from dynamo_es.dynamodb.log.pointers import Found, find_pointers
from dynamo_es.dynamodb.log.requests import scan_events
from dynamo_es.dynamodb.log.sequencing_by_log import Sequencing
from dynamo_es.dynamodb.log.set_aside import forget, list_set_aside
from dynamo_es.dynamodb.maintenance.all_logs import everywhere
from dynamo_es.dynamodb.table_stream.requests import describe_table
from dynamo_es.dynamodb.wire.errors import ConditionRefused
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.exceptions import InputError
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

    from dynamo_es.contracts import Observer
    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.log.keys import LogKeys
    from dynamo_es.dynamodb.log.pointers import Pointer
    from dynamo_es.dynamodb.log.sequencer import Tables
    from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
    from dynamo_es.dynamodb.log.sequencing_by_log import Sequenced
    from dynamo_es.dynamodb.log.set_aside import SetAside
    from dynamo_es.dynamodb.wire.steps import Item, Request, Response, Steps, T
    from dynamo_es.exceptions import ServiceError, StoredItemError
    from dynamo_es.values import TenantId

_log = logging.getLogger("dynamo_es")


@dataclass(frozen=True, slots=True)
class Repaired:
    """The results of a repair, complete or so far.

    Attributes:
        scanned: number of items of the events table that were read.
        expected: number of its items, as DynamoDB counted them in the last six hours.
        commits: number of commits among the items read.
        foreign: number of items that this library did not write.
        pages: number of pages put into the log.
        positions: number of assigned positions, one for each event.
        complete: whether the whole table was scanned.
        set_aside: number of commits, fences and snapshots that cannot be read.
        waiting: number of commits without a position because an earlier one is set aside.
        removed: number of impossible commits that were removed from the newest page.
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
    removed: int = 0


class Scanned(NamedTuple):
    """The items that one request of a scan has read.

    Attributes:
        items: the items as stored.
        found: the same items, sorted into commits, damaged and foreign ones.
    """

    items: list[Item]
    found: Found


def repair(  # noqa: PLR0913 - options, each by its name
    config: DynamoConfig,
    client: Callable[[], DynamoDBClient],
    observer: Observer | None = None,
    *,
    memory: SequencerMemory | None = None,
    tenant_id: TenantId | None = None,
    on_progress: Callable[[Repaired], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Repaired:
    """Give a position to every commit of the events table that has none.

    The existing log does not change. So you can stop a repair and run it again at any time, even
    during appends and while sequencers run. Commits get their positions in the order in which the
    scan finds them: streams in any order, the commits of a stream in the order of their versions.

    A commit that cannot be read is set aside (see `dynamo_es.dynamodb.log.set_aside`). A complete
    repair removes the entries of commits that can be read again or no longer exist. If every
    sequencer stops at the newest page, because the page points to an impossible commit, the page is
    repaired first.

    In a new log table, a repair rebuilds the logs from the streams. Positions then have the times
    of the repair (`LogStrategy.position_at`), because the scan does not follow the order of the
    appends. With one log for each tenant, a log that cannot be repaired does not stop the others;
    the first error is raised at the end.

    Args:
        config: names of the tables.
        client: returns the client for the tables.
        observer: called with a report of each operation; None: no reports.
        memory: the memory of this process; None: a new one.
        tenant_id: tenant whose log to repair, if each tenant has one; the whole events table is
            still read. None: all logs.
        on_progress: called with the results so far.
        stopped: called after each request of the scan; True ends the repair.

    Raises:
        ServiceError: AWS refused or did not answer. Run the repair again.
        InputError: a tenant is given, but one log holds all tenants' events.
        LogScopeError: the table was written with another ``log_scope``.

    Cost: the read units of the whole events table; 1 request for each 100 commits that are in the
    log; a page with its markers for each 100 that are not.
    """
    work = _Repair(config, client, observer, memory, tenant_id)
    done = Repaired(expected=count_items(config, client, observer), removed=work.begin())
    pending: list[Pointer] = []

    def give(hints: list[Pointer]) -> None:
        nonlocal done
        given = work.sequence(hints)
        done = replace(
            done,
            pages=done.pages + len(given.pages),
            positions=done.positions + given.positions,
            waiting=done.waiting + given.waiting,
        )

    for items, found in scan_commits(work.gateway, config.events_table):
        work.set_aside(found.damaged)
        done = replace(
            done,
            scanned=done.scanned + len(items),
            commits=done.commits + len(found.pointers),
            foreign=done.foreign + len(found.foreign),
            set_aside=done.set_aside + len(found.damaged),
        )
        pending += found.pointers
        # In parts, because each part has its own deadline.
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
    if done.complete:
        work.forget_readable()
    on_progress(done)
    if work.failure is not None:
        raise work.failure
    return done


class _Repair:
    """The logs that a repair works on, and the commits that were set aside in each before."""

    def __init__(
        self,
        config: DynamoConfig,
        client: Callable[[], DynamoDBClient],
        observer: Observer | None,
        memory: SequencerMemory | None,
        tenant_id: TenantId | None,
    ) -> None:
        self.gateway = Gateway(client, config, observer)
        self.failure: ServiceError | None = None
        self._logs = Logs.of(config)
        if tenant_id is not None and not self._logs.per_tenant:
            raise InputError(
                "A repair of one tenant needs one log for each tenant, but here one log holds the "
                "events of all tenants: repair it without a tenant."
            )
        self._only = None if tenant_id is None else self._logs.of_tenant(tenant_id)
        self._sequencing = Sequencing.over(config, self.gateway, memory)
        self._before: dict[Tables, list[SetAside]] = {}

    def begin(self) -> int:
        """Repair the newest pages, and read the commits set aside; return how many were removed."""
        removed = 0
        for tables in everywhere(self.gateway, self._logs):
            if self._only not in {None, tables}:
                continue
            if tables.prefix or not self._logs.per_tenant:
                new_id = self._sequencing.memory_of(tables).new_id
                removed += self._run("repair_page", repair_newest_page(tables.keys, new_id))
            self._before[tables] = self._run("set_aside", list_set_aside(tables.keys))
        return removed

    def sequence(self, hints: list[Pointer]) -> Sequenced:
        """Give commits their positions."""
        if self._only is not None:
            hints = self._logs.by_log(hints).get(self._only, [])
        given = self._sequencing.sequence(hints)
        self.failure = self.failure or given.failure
        return given

    def set_aside(self, damaged: list[StoredItemError]) -> None:
        """Set aside commits that cannot be read."""
        if self._only is not None:
            of_stream = self._logs.of_stream
            damaged = [one for one in damaged if of_stream(one.stream_key) == self._only]
        if damaged:
            self._sequencing.set_aside(damaged)

    def forget_readable(self) -> None:
        """Remove the entries of commits that can be read again or no longer exist."""
        for tables, before in self._before.items():
            unreadable = self._sequencing.memory_of(tables).set_aside
            if readable := [entry for entry in before if entry.place not in unreadable]:
                self._run("set_aside", forget(tables.keys, readable))

    def _run(self, operation: str, steps: Steps[T]) -> T:
        return self.gateway.run(operation, DEFAULT_TENANT, None, steps)


def repair_newest_page(log: LogKeys, new_id: Callable[[], str]) -> Steps[int]:
    """Remove impossible commits from the newest page; return their number.

    Such a commit (for example, with a version of 38 digits) cannot have a marker. A page is put
    only after the markers of the page before it, so every sequencer stops there. So it is always
    the newest page.

    The other commits are put again from the page's first position on. If there are none, the page
    is deleted. A page without impossible commits does not change.

    Args:
        log: the log.
        new_id: returns a new unique id for a page.

    Raises:
        StoredItemError: the item is not a page. Restore it.
        ServiceError: AWS refused or did not answer.

    Cost: 1 request, and 1 for a page that is repaired.
    """
    response = yield requests.newest_page(log)
    for item in response["Items"]:
        page = read_any_page(item)
        kept = tuple(pointer for pointer in page.pointers if pointer.can_have_marker)
        if page.pointers and len(kept) == len(page.pointers):
            return 0
        request = requests.delete_page(log, page.first, page.writer)
        if kept:
            repaired = page_item(page._replace(pointers=kept, writer=new_id()), log.prefix)
            request = requests.replace_page(log, repaired, page.writer)
        try:
            yield request
        except ConditionRefused:  # another repair was faster
            return 0
        removed = len(page.pointers) - len(kept)
        _log.warning(
            "Repaired the page at position %d: removed %d commits that no stream can have.",
            page.first,
            removed,
        )
        return removed
    return 0


def read_set_aside(
    config: DynamoConfig, client: Callable[[], DynamoDBClient], observer: Observer | None = None
) -> list[SetAside]:
    """Return the commits that are set aside, grouped by stream.

    Raises:
        ServiceError: AWS refused or did not answer.
    """
    gateway, logs = Gateway(client, config, observer), Logs.of(config)
    found: list[SetAside] = []
    for tables in everywhere(gateway, logs):
        found += gateway.run("set_aside", DEFAULT_TENANT, None, list_set_aside(tables.keys))
    return found


def scan_commits(gateway: Gateway, table: str, *, with_events: bool = False) -> Iterator[Scanned]:
    """Scan the events table; yield the items of each request, sorted by `find_pointers`.

    Raises:
        ServiceError: AWS refused or did not answer.
    """

    def request(after: Item | None) -> Request:
        return scan_events(table, after, with_events=with_events)

    for items in fetch_pages(gateway, "scan", request):
        yield Scanned(items, find_pointers(items))


def fetch_pages(
    gateway: Gateway, operation: str, request: Callable[[Item | None], Request]
) -> Iterator[list[Item]]:
    """Yield the items of each page of a query or a scan.

    Args:
        gateway: sends the requests.
        operation: name of the operation, for the observer.
        request: returns the request for the page after a ``LastEvaluatedKey``.
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
    """Return the approximate number of items of the events table, which DynamoDB counts every 6 h.

    Raises:
        ServiceError: AWS refused or did not answer.
    """
    # DescribeTable does not accept ReturnConsumedCapacity.
    gateway = Gateway(client, replace(config, report_capacity=False), observer)
    steps = _one(describe_table(config.events_table))
    return int(gateway.run("count", DEFAULT_TENANT, None, steps)["Table"].get("ItemCount", 0))


def _one(request: Request) -> Steps[Response]:
    return (yield request)
