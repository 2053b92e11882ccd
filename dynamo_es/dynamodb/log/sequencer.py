"""The sequencer: gives every commit its positions in the log, each exactly once.

A sequencer gets *hints*: pointers that say that a commit exists. Hints may be late, repeated, out
of order or incomplete, and any number of sequencers may run at once or die at any request. Each
commit still gets its positions exactly once.

Two rules ensure that. A page is put at the position after the last one, on the condition that there
is no page. And it is put only after the markers of all earlier pages are applied. So if the put
succeeds, the markers that the sequencer has read are up to date. If another page was faster, the
put is refused, and the sequencer starts over.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from dynamo_es.contracts.stream_keys import unescape
from dynamo_es.dynamodb.log import requests
from dynamo_es.dynamodb.log.end_of_log import EndOfLog, look_at_end
from dynamo_es.dynamodb.log.keys import LogKeys
from dynamo_es.dynamodb.log.marking import Stored, apply_markers, versions_of
from dynamo_es.dynamodb.log.minutes import microseconds, note_minute
from dynamo_es.dynamodb.log.pages import MAX_POINTERS, Page, fill_page, read_page, refuse_scope
from dynamo_es.dynamodb.log.pointers import Pointer, check_identity, pointer_to
from dynamo_es.dynamodb.log.registry import check_scope, register
from dynamo_es.dynamodb.log.set_aside import set_aside
from dynamo_es.dynamodb.wire.errors import ConditionRefused, OutcomeUnknown
from dynamo_es.dynamodb.wire.steps import Pause
from dynamo_es.exceptions import StoredItemError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
    from dynamo_es.dynamodb.wire.steps import Item, Steps
    from dynamo_es.values import Position, TenantId

_MOST_PUTS: Final = 3
"""How often a page is put while it is unknown whether it was stored."""
_FIRST_WAIT: Final = 0.016
"""The longest wait after the first lost race, in seconds. The winner works in the meantime."""
_LONGEST_WAIT: Final = 0.064


class _UnreadableError(Exception):
    """A commit before a hinted one cannot be read.

    Attributes:
        before: the commits between the end of the log and the unreadable one.
        error: the reason.
    """

    def __init__(self, before: list[Pointer], error: StoredItemError) -> None:
        super().__init__(str(error))
        self.before = before
        self.error = error


class _Step(NamedTuple):
    """The result of one step of a sequencer.

    Attributes:
        pages: the page that it put; empty if the log already had all commits.
        left: the commits that did not fit into the page.
    """

    pages: list[Page]
    left: list[Pointer]


class _Fresh(NamedTuple):
    """Commits that the log lacks.

    Attributes:
        commits: the commits, in the order in which they get their positions.
        waiting: number of hints left out because an earlier commit of their stream is set aside.
    """

    commits: list[Pointer]
    waiting: int


class Tables(NamedTuple):
    """A log, and the table of the commits that it points to.

    Attributes:
        events: name of the table of the commits.
        log: name of the table of pages and markers.
        prefix: prefix of the keys of the log's pages; see `LogKeys`.
    """

    events: str
    log: str
    prefix: str = ""

    @property
    def keys(self) -> LogKeys:
        """The log."""
        return LogKeys(self.log, self.prefix)

    @property
    def tenant_id(self) -> TenantId:
        """The tenant of the log, for reports; the default tenant for the log of all tenants."""
        return unescape(self.prefix[:-1])


def sequence(
    tables: Tables, hints: Iterable[Pointer], memory: SequencerMemory
) -> Steps[list[Page]]:
    """Give the hinted commits, and earlier ones of their streams, their positions in the log.

    A commit that cannot be read is set aside: it gets no position, nor do later commits of its
    stream. Other streams continue.

    Args:
        tables: names of the tables.
        hints: pointers to commits that are or were stored, in any order. They may be repeated or
            leave commits out. The order of the hints is kept as far as versions allow.
        memory: the memory of this process.

    Returns:
        The pages that this call has put, usually one. They do not have commits that were already in
        the log, or that another sequencer put there.

    Raises:
        LogScopeError: the table is in use with another ``log_scope``.
        StoredItemError: the newest page is unreadable. Run `dynamo-es log repair`.
        ServiceError: AWS refused or did not answer. The log is undamaged: call again with the same
            hints.

    Cost: for each page, 3 requests, and 1 for each 25 of its streams. 1 less if this process put
    the last page, and 1 less if it remembers the markers of all streams. 1 more for each stream
    with commits before the hint that the log lacks. 3 more for each race that another sequencer
    wins. 2 more for the first page of a tenant's log. 1 more a minute, for the minute's item.
    """
    pages: list[Page] = []
    pending = _in_order(hints)
    while pending:
        step = yield from _sequence_some(tables, pending[:MAX_POINTERS], memory)
        pages += step.pages
        pending = step.left + pending[MAX_POINTERS:]
    return pages


def last_position(log: LogKeys) -> Steps[Position | None]:
    """Return the last position in the log; None before the first page."""
    response = yield requests.newest_page(log)
    for item in response["Items"]:
        refuse_scope(item)
        return int(item["place"]["S"]) + int(item["count"]["N"]) - 1
    yield from check_scope(log)
    return None


def _in_order(hints: Iterable[Pointer]) -> list[Pointer]:
    """Return the hints without repetitions, each stream's ordered by generation and version.

    A stream keeps its places in the list: b2 a b1 becomes b1 a b2.
    """
    unique = {(hint.stream_key, hint.generation, hint.first_version): hint for hint in hints}
    of_stream: defaultdict[str, list[tuple[str, int, int]]] = defaultdict(list)
    for key in sorted(unique, reverse=True):
        of_stream[key[0]].append(key)
    return [unique[of_stream[key].pop()] for key, _, _ in unique]


def _sequence_some(
    tables: Tables, hints: Sequence[Pointer], memory: SequencerMemory
) -> Steps[_Step]:
    """Put one page, or none if the log holds all hinted commits."""
    end: EndOfLog | None = None
    lost = 0
    while True:
        end = yield from look_at_end(tables.keys, hints, memory, end)
        fresh = yield from _not_in_log(tables, hints, end.stored, memory)
        if end.position == 1:
            yield from (register(tables.keys) if fresh.commits else check_scope(tables.keys))
        if not fresh.commits:
            end.keep(memory)
            memory.waiting += fresh.waiting
            return _Step([], [])
        now = memory.clock()
        page, item = fill_page(
            end.position, fresh.commits, memory.new_id(), tables.prefix, microseconds(now)
        )
        alone, memory.alone = not lost, False  # until the markers are applied
        if (yield from _put(tables, page, item)):
            yield from apply_markers(tables.log, versions_of(page), end.stored)
            end.keep(memory, page)
            memory.marked_below, memory.alone = page.following, alone
            memory.waiting += fresh.waiting
            yield from note_minute(tables.keys, page, memory, now)
            return _Step([page], fresh.commits[len(page.pointers) :])
        lost += 1
        yield Pause(lost, within=_wait_after(lost))


def _not_in_log(
    tables: Tables, hints: Sequence[Pointer], stored: Stored, memory: SequencerMemory
) -> Steps[_Fresh]:
    """Return the hinted commits that the log lacks, each after the earlier ones of its stream.

    It may return more commits than fit into a page. The surplus is returned unchecked.
    """
    last_versions = {marker: version for marker, version in stored.items() if version is not None}
    unreadable = {
        hint.marker: hint for hint in reversed(hints) if stored.get(hint.marker, 0) is None
    }
    fresh: list[Pointer] = []
    damaged = list(map(_without_version, unreadable.values()))
    blocked = set(unreadable)
    waiting = 0
    for hint in hints:
        if len(fresh) >= MAX_POINTERS:
            fresh.append(hint)
            continue
        marker = hint.marker
        known = last_versions.get(marker, 0)
        if hint.last_version <= known:
            continue
        found: list[Pointer] = []
        if hint.first_version > known + 1 and marker not in blocked:
            try:
                found = yield from _between(tables.events, known, hint)
            except _UnreadableError as unreadable:
                found = unreadable.before
                damaged.append(unreadable.error)
                blocked.add(marker)
        if marker in blocked:
            waiting += 1
        else:
            found.append(hint)
        for commit in found:
            if commit.first_version > known:
                known = commit.last_version
                fresh.append(commit)
            else:
                damaged.append(_overlapping(commit))
        last_versions[marker] = known
    yield from set_aside(tables.keys, damaged, memory)
    return _Fresh(fresh, waiting)


def _between(table: str, known: int, hint: Pointer) -> Steps[list[Pointer]]:
    """Return the stored commits after a version and before the hinted one.

    As many as fit into a page are enough. The others, and the hinted one, go into a later page.

    Raises:
        _UnreadableError: a commit cannot be read.
    """
    found: list[Pointer] = []
    after: Item | None = None
    while len(found) < MAX_POINTERS:
        response = yield requests.commits_before(table, hint, known + 1, after)
        key = {"S": hint.stream_key}
        for item in response["Items"]:
            try:
                commit = pointer_to({**item, "stream_key": key})
                if commit.stream_name not in {None, hint.stream_name}:
                    check_identity(commit)
            except StoredItemError as error:
                raise _UnreadableError(found, error) from None
            found.append(commit)
        after = response.get("LastEvaluatedKey")
        if after is None:
            break
    return found


def _overlapping(commit: Pointer) -> StoredItemError:
    return StoredItemError(
        commit.stream_key,
        commit.first_version,
        "its first version belongs to another commit, which is already in the log.",
    )


def _without_version(hint: Pointer) -> StoredItemError:
    return StoredItemError(
        hint.stream_key,
        hint.first_version,
        "the log's marker of its stream has no readable version.",
    )


def _wait_after(lost: int) -> float:
    """Return the longest wait in seconds after some lost races, which separates the losers."""
    return min(_FIRST_WAIT * lost, _LONGEST_WAIT)


def _put(tables: Tables, page: Page, item: Item) -> Steps[bool]:
    """Put a page; return True if it is in the log, False if another page has its position.

    Raises:
        OutcomeUnknown: the page is not in the log so far, but may still arrive, which does no harm.
    """
    unknown: OutcomeUnknown | None = None
    for attempt in range(1, _MOST_PUTS + 1):
        try:
            yield requests.put_page(tables.keys, item)
        except ConditionRefused as refused:
            if unknown is None and not refused.maybe_landed:
                return False
        except OutcomeUnknown as error:
            unknown = error
        else:
            return True
        response = yield requests.get_page(tables.keys, page.first)
        if "Item" in response:
            return read_page(response["Item"]).writer == page.writer
        yield Pause(attempt)
    if unknown is None:
        return False
    raise unknown
