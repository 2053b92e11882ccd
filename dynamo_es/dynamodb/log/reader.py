"""`DynamoLogReader`: reads pages of pointers, and fetches only the commits that are selected."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from dynamo_es.contracts import CommitInLog, LogReader, Piece
from dynamo_es.dynamodb.log import requests
from dynamo_es.dynamodb.log.choosing import chooser
from dynamo_es.dynamodb.log.pages import MAX_POINTERS, read_page
from dynamo_es.dynamodb.log.pointers import units_of
from dynamo_es.dynamodb.log.records import records_of
from dynamo_es.dynamodb.log.registry import check_scope
from dynamo_es.dynamodb.streams.items import is_for_outbox
from dynamo_es.dynamodb.streams.keys import describe_key
from dynamo_es.dynamodb.wire.awaiting_arrival import await_arrival
from dynamo_es.dynamodb.wire.batches import fetch_all
from dynamo_es.dynamodb.wire.encoding.compression import MAX_TEXT_BYTES
from dynamo_es.dynamodb.wire.steps import number
from dynamo_es.exceptions import InvalidPositionError, StoredItemError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamo_es.contracts import Selection
    from dynamo_es.dynamodb.log.arrivals import Arrivals
    from dynamo_es.dynamodb.log.pages import Page
    from dynamo_es.dynamodb.log.pointers import Pointer
    from dynamo_es.dynamodb.log.sequencer import Tables
    from dynamo_es.dynamodb.wire.gateway import Gateway
    from dynamo_es.dynamodb.wire.steps import Item, Response, Steps
    from dynamo_es.values import Position, RecordedRaw

_log = logging.getLogger("dynamo_es")

_FIRST_PAGES: Final = 8
"""Pages of the first query. Each further query asks for twice as many."""
_MOST_PAGES: Final = 1024
"""Pages of the largest query with a limit. Later queries read as many as a reply holds."""


class _Placed(NamedTuple):
    """A pointer, the position of its first event, and when its page was put."""

    pointer: Pointer
    position: Position
    put_at: int | None

    @property
    def key(self) -> tuple[str, int]:
        return self.pointer.stream_key, self.pointer.first_version


class _Read(NamedTuple):
    """The selected events of some commits, the commits with their items, and how many to skip."""

    records: list[RecordedRaw]
    commits: list[tuple[_Placed, Item]]
    passed: int


class DynamoLogReader(LogReader):
    """A reader of the log on DynamoDB. `DynamoLog.reader` makes it.

    Reads are eventually consistent, at half the price. A missing page is always noticed, because
    positions have no gaps. Missing pages and commits are read again, consistently. In a replica
    region they may still be missing then. In that case the reader returns the events before them,
    and then waits for them.

    Args:
        tables: names of the tables of the log and the commits.
        gateway: sends the requests.
        after: position after which to begin (exclusive); 0 for the beginning.
        selection: selects the events to return.
        most_bytes: the most bytes of the events of a commit, uncompressed.
        arrivals: decides which missing commits have not arrived yet in a replica region; None: the
            tables are not replicas.
    """

    def __init__(
        self,
        tables: Tables,
        gateway: Gateway,
        after: Position,
        selection: Selection,
        most_bytes: int = MAX_TEXT_BYTES,
        *,
        arrivals: Arrivals | None = None,
    ) -> None:
        self._tables = tables
        self._gateway = gateway
        self._after = after
        self._chooses = chooser(selection)
        self._selection = selection
        self._most_bytes = most_bytes
        self._arrivals = arrivals
        self._passed_over = 0
        self._position = after
        self._next = after + 1  # first position of the next page
        self._pages = _FIRST_PAGES
        self._scope_known = not tables.prefix
        self._pending: deque[_Placed] = deque()

    @property
    def position(self) -> Position:
        """See `LogReader.position`."""
        return self._position

    @property
    def passed_over(self) -> int:
        """See `LogReader.passed_over`."""
        return self._passed_over

    def read(self) -> list[RecordedRaw]:
        """Return the next selected events; see `LogReader.read`."""
        return self._gateway.run("read_log", self._tables.tenant_id, None, self._read())

    def read_some(self, most_commits: int = MAX_POINTERS) -> Piece:
        """Return some events after a bounded number of requests; see `LogReader.read_some`."""
        steps = self._read_some(most_commits)
        return self._gateway.run("read_log", self._tables.tenant_id, None, steps)

    def begin(self) -> Steps[None]:
        """Find the page that holds the position after which to begin.

        Raises:
            InvalidPositionError: the log has not reached the position.
            ReplicaLagError: the log in this region has not reached the position by the deadline.
        """
        if self._after == 0:
            return
        tries = 0
        while True:
            response = yield requests.page_at(self._tables.keys, self._after)
            page = read_page(response["Items"][0]) if response["Items"] else None
            if page is not None and self._after < page.following:
                break
            tries += 1
            if self._arrivals is not None:
                yield from self._await(tries, "Query", self._after)
            elif page is None:
                yield from check_scope(self._tables.keys)
                raise InvalidPositionError(self._after, 0)
            else:
                raise InvalidPositionError(self._after, page.following - 1)
        self._take(page)
        self._next = page.following

    def _read(self) -> Steps[list[RecordedRaw]]:
        ended = False
        while True:
            if not ended and len(self._pending) < MAX_POINTERS:
                ended = yield from self._read_pages()
                continue
            if not self._pending:
                self._position = self._next - 1
                return []
            read = yield from self._read_next(MAX_POINTERS)
            if read.records:
                return read.records

    def _read_some(self, most_commits: int) -> Steps[Piece]:
        ended = False
        if len(self._pending) < most_commits:
            ended = yield from self._read_pages()
        read = yield from self._read_next(most_commits)
        commits = [
            CommitInLog(placed.position, placed.pointer.event_count, units_of(placed.pointer, item))
            for placed, item in read.commits
        ]
        return Piece(read.records, commits, ended and not self._pending)

    def _read_next(self, most: int) -> Steps[_Read]:
        """Read the next selected commits, at most ``most``, and advance the position."""
        chosen = [self._pending[i] for i in range(min(most, len(self._pending)))]
        read = yield from self._read_commits(chosen)
        for _ in range(read.passed):
            self._pending.popleft()
        # The position also moves past commits in between that are not selected.
        following = self._pending[0].position if self._pending else self._next
        self._position = max(self._position, following - 1)
        return read

    def _read_pages(self) -> Steps[bool]:
        """Read some pages; return whether the log ends with them."""
        limit = self._pages if self._pages <= _MOST_PAGES else None
        tries = 0
        while True:
            for consistent in (False, True):
                response = yield requests.pages_from(
                    self._tables.keys, self._next, limit=limit, consistent=consistent
                )
                if self._take_all([read_page(item) for item in response["Items"]]):
                    return (yield from self._have_read_pages(response))
            if self._arrivals is None:
                raise StoredItemError(
                    self._tables.keys.pages,
                    str(self._next),
                    f"no page begins at position {self._next}, but a later page exists. Positions "
                    "must have no gaps: run `dynamo-es log verify`.",
                )
            if self._pending:
                return True  # first return the events before the missing page
            tries += 1
            yield from self._await(tries, "Query", self._next)

    def _have_read_pages(self, response: Response) -> Steps[bool]:
        if self._next == 1 and not self._scope_known:
            self._scope_known = yield from check_scope(self._tables.keys)
        self._pages *= 2
        return "LastEvaluatedKey" not in response

    def _take_all(self, pages: list[Page]) -> bool:
        """Take pages until one leaves a gap; return whether there is no gap."""
        for page in pages:
            if page.first != self._next:
                return False
            self._take(page)
            self._next = page.following
        return True

    def _take(self, page: Page) -> None:
        position = page.first
        for pointer in page.pointers:
            following = position + pointer.event_count
            if following - 1 > self._after and self._chooses(pointer):
                placed = _Placed(pointer, position, page.put_at)
                # For an invalid key, DynamoDB would refuse the whole request.
                if pointer.can_have_marker and pointer.stream_key:
                    self._pending.append(placed)
                else:
                    self._pass_over(placed, "no stream can have such a commit.")
            position = following

    def _read_commits(self, chosen: list[_Placed]) -> Steps[_Read]:
        found = yield from self._fetch(chosen, consistent=False)
        missing = [placed for placed in chosen if not _is_there(placed, found)]
        there = chosen
        if missing:
            found |= yield from self._fetch(missing, consistent=True)
            if self._arrivals is not None:
                chosen = yield from self._until_missing(chosen, found, self._arrivals)
            there = [placed for placed in chosen if _is_there(placed, found)]
        records: list[RecordedRaw] = []
        read: list[tuple[_Placed, Item]] = []
        unreadable: list[tuple[_Placed, str]] = []
        for placed in there:
            try:
                item = found[placed.key]
                records += self._records(placed, item)
                read.append((placed, item))
            except StoredItemError as error:
                unreadable.append((placed, error.reason))
        # Count them only now: if a read above fails, the commits are read and counted again.
        for placed, reason in unreadable:
            self._pass_over(placed, reason)
        return _Read(records, read, len(chosen))

    def _until_missing(
        self, chosen: list[_Placed], found: dict[tuple[str, int], Item], arrivals: Arrivals
    ) -> Steps[list[_Placed]]:
        """Return the commits before the first one that has not arrived yet.

        If that is the very first commit, wait for it.
        """
        tries = 0
        while True:
            missing = [
                place
                for place, each in enumerate(chosen)
                if arrivals.is_to_come(each.pointer, found.get(each.key), each.put_at)
            ]
            if not missing:
                return chosen
            if missing[0] > 0:
                return chosen[: missing[0]]
            tries += 1
            yield from self._await(tries, "BatchGetItem", chosen[0].position)
            found |= yield from self._fetch([chosen[place] for place in missing], consistent=True)

    def _await(self, tries: int, operation: str, position: Position) -> Steps[None]:
        table = self._tables.events if operation == "BatchGetItem" else self._tables.log
        missing = f"The event at position {position}"
        yield from await_arrival(tries, operation, missing, f"table {table}")

    def _pass_over(self, placed: _Placed, reason: str) -> None:
        self._passed_over += 1
        _log.error(
            "Passed over position %d: the commit at version %d of stream %s cannot be read: %s "
            "Run `dynamo-es log verify` to list such commits.",
            placed.position,
            placed.pointer.first_version,
            describe_key(placed.pointer.stream_key),
            reason,
        )

    def _fetch(
        self, wanted: Iterable[_Placed], *, consistent: bool
    ) -> Steps[dict[tuple[str, int], Item]]:
        # Two generations of a stream may each have a commit at the same version.
        keys: list[Item] = [
            {"stream_key": {"S": key}, "version": number(version)}
            for key, version in dict.fromkeys(placed.key for placed in wanted)
        ]
        found: dict[tuple[str, int], Item] = {}
        table = self._tables.events
        items = yield from fetch_all(
            table, keys, lambda left: requests.get_commits(table, left, consistent=consistent)
        )
        for item in items:
            found[item["stream_key"]["S"], int(item["version"]["N"])] = item
        return found

    def _records(self, placed: _Placed, item: Item) -> list[RecordedRaw]:
        names, only_outbox = self._selection.event_names, self._selection.outbox
        records = records_of(placed.pointer, item, placed.position, self._most_bytes)
        if names is None and not only_outbox and placed.position > self._after:
            return records
        chosen: list[RecordedRaw] = []
        for index, record in enumerate(records):
            if (
                record.position > self._after
                and (names is None or record.entry.name in names)
                and (not only_outbox or is_for_outbox(item, index))
            ):
                chosen.append(record)
        return chosen


def _is_there(placed: _Placed, found: dict[tuple[str, int], Item]) -> bool:
    # After a deletion, the item is a fence (without a generation) or another generation's commit.
    item = found.get(placed.key)
    return item is not None and item.get("generation") == number(placed.pointer.generation)
