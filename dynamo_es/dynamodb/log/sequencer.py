"""The sequencer: gives every commit its positions in the log, each exactly once.

A sequencer is given *hints*: pointers that say that a commit exists. Hints may be late, repeated,
out of order or incomplete, and any number of sequencers may run at once or die at any request: the
log that they write is the same.

Two rules make it so. A page is put at the position after the last one, on the condition that no
page is there. And it is put only after the markers of all earlier pages are applied. So if the put
succeeds, the markers that the sequencer has read are true. If another page was faster, the put is
refused, and the sequencer begins again.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from dynamo_es.dynamodb.log import requests
from dynamo_es.dynamodb.log.keys import LogKeys
from dynamo_es.dynamodb.log.markers import Marker, marked_version
from dynamo_es.dynamodb.log.pages import (
    MAX_POINTERS,
    Page,
    fill_page,
    place_of,
    read_page,
    refuse_scope,
)
from dynamo_es.dynamodb.log.pointers import Pointer, check_identity, pointer_to
from dynamo_es.dynamodb.log.registry import check_scope, register
from dynamo_es.dynamodb.log.set_aside import set_aside
from dynamo_es.dynamodb.wire.batches import fetch_all
from dynamo_es.dynamodb.wire.errors import ConditionRefused, OutcomeUnknown
from dynamo_es.dynamodb.wire.steps import Pause
from dynamo_es.exceptions import StoredItemError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
    from dynamo_es.dynamodb.wire.steps import Item, Steps
    from dynamo_es.values import Position

_MOST_PUTS: Final = 3
"""Times that a page is put while it is unknown whether it was stored."""


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
    """What one step of a sequencer has done.

    Attributes:
        pages: the page that it put; empty if the log had everything.
        left: the commits that did not fit in the page.
    """

    pages: list[Page]
    left: list[Pointer]


class _Fresh(NamedTuple):
    """Commits that the log lacks.

    Attributes:
        commits: in the order in which they get their positions.
        waiting: number of hints left out because an earlier commit of their stream is set aside.
    """

    commits: list[Pointer]
    waiting: int


class Tables(NamedTuple):
    """A log, and the table of the commits that it points to.

    Attributes:
        events: the table of the commits.
        log: the table of pages and markers.
        prefix: what the keys of the log's pages begin with; see `LogKeys`.
    """

    events: str
    log: str
    prefix: str = ""

    @property
    def keys(self) -> LogKeys:
        """The log."""
        return LogKeys(self.log, self.prefix)


def sequence(
    tables: Tables, hints: Iterable[Pointer], memory: SequencerMemory
) -> Steps[list[Page]]:
    """Give the hinted commits, and earlier ones of their streams, their positions in the log.

    A commit that cannot be read is set aside: it gets no position, nor do later commits of its
    stream. Other streams go on.

    Args:
        tables: names of the tables.
        hints: pointers to commits that are stored, or were, in any order. They may repeat
            themselves or leave commits out. Streams keep the order of the hints as far as
            versions allow.
        memory: of this process.

    Returns:
        The pages that this call has put, usually one. Commits that were in the log before, or
        that another sequencer put there, are not in them.

    Raises:
        LogScopeError: the table is in use with another ``log_scope``.
        StoredItemError: the newest page is unreadable. Run `dynamo-es log repair`.
        ServiceError: AWS refused or did not answer. The log is sound: call again with the same
            hints.

    Cost: 3 requests, and 1 for each stream of a page. If this process put the last page, 2 and 1
    for each. 1 more for each stream with commits before the hint that the log lacks, and for each
    stream of a last page whose sequencer died before it applied the markers.
    """
    pages: list[Page] = []
    pending = _in_order(hints)
    while pending:
        step = yield from _sequence_some(tables, pending[:MAX_POINTERS], memory)
        pages += step.pages
        pending = step.left + pending[MAX_POINTERS:]
    return pages


def last_position(log: LogKeys) -> Steps[Position | None]:
    """Return the last position that a page holds; None before the first page."""
    response = yield requests.newest_page(log)
    for item in response["Items"]:
        refuse_scope(item)
        return int(item["place"]["S"]) + int(item["count"]["N"]) - 1
    yield from check_scope(log)
    return None


def _in_order(hints: Iterable[Pointer]) -> list[Pointer]:
    """Return each hint once, with the hints of a stream in the order of generation and version.

    The hints of a stream keep the places of that stream: of b2 a b1 it makes b1 a b2.
    """
    unique = {(hint.stream_key, hint.generation, hint.first_version): hint for hint in hints}
    of_stream: defaultdict[str, list[tuple[str, int, int]]] = defaultdict(list)
    for key in sorted(unique, reverse=True):
        of_stream[key[0]].append(key)
    return [unique[of_stream[key].pop()] for key, _, _ in unique]


def _sequence_some(
    tables: Tables, hints: Sequence[Pointer], memory: SequencerMemory
) -> Steps[_Step]:
    """Put one page, or none if the log holds all that is hinted."""
    lost = 0
    while True:
        first = yield from _end_of_log(tables, memory)
        fresh = yield from _not_in_log(tables, hints, memory)
        if not fresh.commits:
            memory.waiting += fresh.waiting
            return _Step([], [])
        page, item = fill_page(first, fresh.commits, memory.new_id(), tables.prefix)
        if (yield from _put(tables, page, item)):
            yield from _apply_markers(tables, page)
            memory.marked_below, memory.alone = page.following, not lost
            memory.waiting += fresh.waiting
            return _Step([page], fresh.commits[len(page.pointers) :])
        memory.alone = False
        lost += 1
        yield Pause(lost)


def _end_of_log(tables: Tables, memory: SequencerMemory) -> Steps[Position]:
    """Return the position after the last one, once the markers of all pages are applied."""
    # A process that wrote the last page reads nothing. If the log goes on there, the put of the
    # next page is refused.
    if memory.alone and memory.marked_below is not None:
        return memory.marked_below
    response = yield requests.newest_page(tables.keys)
    end = 1
    for item in response["Items"]:
        page = read_page(item)
        end = page.following
        if end != memory.marked_below:
            yield from _apply_markers_again(tables, page)
    if end == 1:
        yield from register(tables.keys)
    memory.marked_below = end
    return end


def _apply_markers_again(tables: Tables, page: Page) -> Steps[None]:
    """Apply the markers of another's page: its writer may have died before it did.

    Raises:
        StoredItemError: a commit cannot, so no sequencer can go on after this page.
    """
    if not all(pointer.can_have_marker for pointer in page.pointers):
        raise StoredItemError(
            tables.keys.pages,
            place_of(page.first),
            "it points to a commit that no stream can have. Run `dynamo-es log repair`.",
        )
    yield from _apply_markers(tables, page)


def _apply_markers(tables: Tables, page: Page) -> Steps[None]:
    last_versions = {pointer.marker: pointer.last_version for pointer in page.pointers}
    for marker, version in last_versions.items():
        try:
            yield requests.raise_marker(tables.log, marker, version)
        except ConditionRefused:  # the marker is at this version already, or at a later one
            continue


def _not_in_log(tables: Tables, hints: Sequence[Pointer], memory: SequencerMemory) -> Steps[_Fresh]:
    """Return the hinted commits that the log lacks, each after the earlier ones of its stream.

    More commits than a page takes may come back. The surplus is returned as hinted, not looked up.
    """
    last_versions = yield from _read_markers(tables.log, hints)
    fresh: list[Pointer] = []
    damaged: list[StoredItemError] = []
    blocked: set[Marker] = set()
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


def _read_markers(table: str, hints: Sequence[Pointer]) -> Steps[dict[Marker, int]]:
    """Return the last version that the log holds of each hinted stream; nothing if it has none."""
    keys: list[Item] = [marker.key for marker in dict.fromkeys(hint.marker for hint in hints)]
    items = yield from fetch_all(table, keys, lambda left: requests.get_markers(table, left))
    return {
        Marker(item["log_key"]["S"], item["place"]["S"]): marked_version(item) for item in items
    }


def _between(table: str, known: int, hint: Pointer) -> Steps[list[Pointer]]:
    """Return the commits after a version and before the hinted one, as far as they are stored.

    A page of them is enough: the others, and the hinted one, go into a later page.

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
        "its first version belongs to another commit, which is in the log already.",
    )


def _put(tables: Tables, page: Page, item: Item) -> Steps[bool]:
    """Put a page; return whether it is in the log, rather than another page at its position.

    Raises:
        OutcomeUnknown: the page is not in the log so far, and may still arrive. It is sound then.
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
