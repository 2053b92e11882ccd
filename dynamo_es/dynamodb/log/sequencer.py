"""Sequencing: gives commits their positions in the log, each exactly one.

What it is told (*hints*: this commit exists) may be late, repeated, out of order or
incomplete, and any number of sequencers may run at once or die at any request: what they
write does not depend on it. A page goes to the position after the last one, under the
condition that nothing is there, and only when the markers of all pages before it are
applied. So the markers that a sequencer has read are the truth whenever its page is taken,
and if they are not, another page was faster, and it begins again.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias
from uuid import uuid4

from dynamo_es.dynamodb.log import requests
from dynamo_es.dynamodb.log.hints import check_identity
from dynamo_es.dynamodb.log.items import (
    MAX_POINTERS,
    PAGES_KEY,
    Marker,
    Page,
    Pointer,
    fill_page,
    place_of,
    pointer_to,
    read_page,
)
from dynamo_es.dynamodb.log.set_aside import set_aside
from dynamo_es.dynamodb.wire.batches import fetch_all
from dynamo_es.dynamodb.wire.errors import ConditionRefused, OutcomeUnknown
from dynamo_es.dynamodb.wire.steps import Pause
from dynamo_es.exceptions import StoredItemError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dynamo_es.dynamodb.wire.steps import Item, Steps
    from dynamo_es.values import Position

Hint: TypeAlias = Pointer
"""That this commit was stored: never that it may have been."""

_MOST_PUTS: Final = 3
"""Of one page, while nobody can say whether it was stored."""


class _UnreadableError(Exception):
    """A commit before a hinted one cannot be read.

    Attributes:
        before: the commits that come before it, and after what the log has.
        error: what is wrong with it.
    """

    def __init__(self, before: list[Hint], error: StoredItemError) -> None:
        super().__init__(str(error))
        self.before = before
        self.error = error


class Tables(NamedTuple):
    """Names of the tables.

    Attributes:
        events: where the commits are.
        log: where pages and markers are.
    """

    events: str
    log: str


@dataclass(slots=True)
class SequencerMemory:
    """What a process knows of the log; however old, it is safe. Threads may share it.

    Attributes:
        new_id: makes up the id of a page, unlike every other.
        settled: the markers of all pages below this position are applied: a fact that lasts.
        alone: whether the last page below it is this process's own, put without a race: the
            log probably still ends there. If not, the put of the next page is refused.
        clock: seconds since the epoch.
        set_aside: places, in the log's table, of the commits that this process has set aside.
        waiting: how many hints it has left out, because a commit before them is set aside.
    """

    new_id: Callable[[], str] = field(default=lambda: uuid4().hex)
    settled: Position | None = None
    alone: bool = False
    clock: Callable[[], float] = time.time
    set_aside: set[str] = field(default_factory=set)
    waiting: int = 0


def hint_of(item: Item) -> Hint:
    """Return the hint that a commit exists, from its item as stored (or its stream record's image).

    Raises:
        StoredItemError: it is not a commit, but a fence or a snapshot.
    """
    return pointer_to(item)


def sequence(tables: Tables, hints: Iterable[Hint], memory: SequencerMemory) -> Steps[list[Page]]:
    """Give the hinted commits, and those before them in their streams, their positions.

    Args:
        tables: where they are.
        hints: commits that are stored, or were: in any order, repeated, or with some missing.
            Streams keep the order in which they are given here as far as versions allow.
        memory: of this process.

    Returns:
        The pages that this call has put, mostly one; not what was in the log already or what
        another sequencer was faster with. A commit that cannot be read gets no position, nor do
        those after it in its stream: it is set aside, and the others go on.

    Raises:
        StoredItemError: the newest page cannot be read: run `dynamo-es log repair`.
        ServiceError: AWS refused or did not answer; call again with the same hints. The log
            is sound at every request, and the next call goes on where this one ended.

    Cost: 3 requests and 1 for each stream of a page; 2 and 1 each where the last page is this
    process's own. 1 more for each stream whose commits before the hint are not in the log,
    and for each stream of a last page that a sequencer in trouble left without markers.
    """
    pages: list[Page] = []
    pending = _in_order(hints)
    while pending:
        page, left = yield from _sequence_some(tables, pending[:MAX_POINTERS], memory)
        if page is not None:
            pages.append(page)
        pending = left + pending[MAX_POINTERS:]
    return pages


def last_position(log_table: str) -> Steps[Position | None]:
    """Return the last position that a page holds; None before the first page."""
    response = yield requests.newest_page(log_table)
    for item in response["Items"]:
        return int(item["place"]["S"]) + int(item["count"]["N"]) - 1
    return None


def _in_order(hints: Iterable[Hint]) -> list[Hint]:
    """Return each hint once, those of a stream in the order of lives and versions.

    They share out the places that they had.
    """
    unique = {(hint.stream_key, hint.generation, hint.first_version): hint for hint in hints}
    of_stream: defaultdict[str, list[tuple[str, int, int]]] = defaultdict(list)
    for key in sorted(unique, reverse=True):
        of_stream[key[0]].append(key)
    return [unique[of_stream[key].pop()] for key, _, _ in unique]


def _sequence_some(
    tables: Tables, hints: Sequence[Hint], memory: SequencerMemory
) -> Steps[tuple[Page | None, list[Hint]]]:
    """Put one page; return it, if anything was to be put, and what did not fit in it."""
    lost = 0
    while True:
        first = yield from _end_of_log(tables, memory)
        fresh, waiting = yield from _not_in_log(tables, hints, memory)
        if not fresh:
            memory.waiting += waiting
            return None, []
        page, item = fill_page(first, fresh, memory.new_id())
        if (yield from _put(tables, page, item)):
            yield from _apply_markers(tables, page)
            memory.settled, memory.alone = page.following, not lost
            memory.waiting += waiting
            return page, fresh[len(page.pointers) :]
        memory.alone = False
        lost += 1
        yield Pause(lost)


def _end_of_log(tables: Tables, memory: SequencerMemory) -> Steps[Position]:
    """Return the position after the last one, all pages before it being settled."""
    # Read nothing where the guess is good. Where it is not, the put of the page will tell.
    if memory.alone and memory.settled is not None:
        return memory.settled
    response = yield requests.newest_page(tables.log)
    end = 1
    for item in response["Items"]:
        page = read_page(item)
        end = page.following
        if end != memory.settled:
            yield from _settle(tables, page)
    memory.settled = end
    return end


def _settle(tables: Tables, page: Page) -> Steps[None]:
    """Apply the markers of a page whose writer may have died before it did.

    Raises:
        StoredItemError: some of its commits can have no marker: the log ends there.
    """
    if not all(pointer.can_have_marker for pointer in page.pointers):
        raise StoredItemError(
            PAGES_KEY,
            place_of(page.first),
            "it points to what no stream can have. Run `dynamo-es log repair`.",
        )
    yield from _apply_markers(tables, page)


def _apply_markers(tables: Tables, page: Page) -> Steps[None]:
    upto = {Marker.of(pointer): pointer.last_version for pointer in page.pointers}
    for marker, version in upto.items():
        try:
            yield requests.raise_marker(tables.log, marker, version)
        except ConditionRefused:  # it is there already, or further
            continue


def _not_in_log(
    tables: Tables, hints: Sequence[Hint], memory: SequencerMemory
) -> Steps[tuple[list[Hint], int]]:
    """Return the hinted commits that are not in the log, and before each what it comes after.

    More than a page takes may come back: from there on, they are not looked into.

    Returns:
        The commits, and how many hints are left out because a commit before them is set aside.
    """
    upto = yield from _read_markers(tables.log, hints)
    fresh: list[Hint] = []
    damaged: list[StoredItemError] = []
    blocked: set[Marker] = set()
    waiting = 0
    for hint in hints:
        if len(fresh) >= MAX_POINTERS:
            fresh.append(hint)
            continue
        marker = Marker.of(hint)
        known = upto.get(marker, 0)
        if hint.last_version <= known:
            continue
        found: list[Hint] = []
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
        upto[marker] = known
    yield from set_aside(tables.log, damaged, memory)
    return fresh, waiting


def _read_markers(table: str, hints: Sequence[Hint]) -> Steps[dict[Marker, int]]:
    """Return the last version in the log of each hinted stream that has any there."""
    keys: list[Item] = [marker.key for marker in dict.fromkeys(map(Marker.of, hints))]
    items = yield from fetch_all(table, keys, lambda left: requests.get_markers(table, left))
    return {
        Marker(item["log_key"]["S"], item["place"]["S"]): int(item["upto"]["N"]) for item in items
    }


def _between(table: str, known: int, hint: Hint) -> Steps[list[Hint]]:
    """Return the commits after a version, up to the hinted one; not what was deleted since.

    A page full is enough: the hinted commit comes on a later one then, and so do the others.

    Raises:
        _UnreadableError: one of them cannot be read.
    """
    found: list[Hint] = []
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


def _overlapping(commit: Hint) -> StoredItemError:
    return StoredItemError(
        commit.stream_key,
        commit.first_version,
        "its first version is in another commit, which is in the log.",
    )


def _put(tables: Tables, page: Page, item: Item) -> Steps[bool]:
    """Put a page; return whether it is in the log, and not another one in its place.

    Raises:
        OutcomeUnknown: it is not there, and may still arrive; then it is a page like any other.
    """
    unknown: OutcomeUnknown | None = None
    for attempt in range(1, _MOST_PUTS + 1):
        try:
            yield requests.put_page(tables.log, item)
        except ConditionRefused as refused:
            if unknown is None and not refused.maybe_landed:
                return False
        except OutcomeUnknown as error:
            unknown = error
        else:
            return True
        response = yield requests.get_page(tables.log, page.first)
        if "Item" in response:
            return read_page(response["Item"]).writer == page.writer
        yield Pause(attempt)
    if unknown is None:
        return False
    raise unknown
