"""Reads notifications: the events of an application, by their positions in the log."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from dynamo_es.dynamodb.log import requests
from dynamo_es.dynamodb.log.choosing import chooser
from dynamo_es.dynamodb.log.pages import MAX_POINTERS, read_page
from dynamo_es.dynamodb.log.records import records_of
from dynamo_es.dynamodb.log.registry import check_scope
from dynamo_es.dynamodb.wire.batches import fetch_all
from dynamo_es.dynamodb.wire.steps import number
from dynamo_es.exceptions import StoredItemError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.contracts import Selection
    from dynamo_es.dynamodb.log.keys import LogKeys
    from dynamo_es.dynamodb.log.pages import Page
    from dynamo_es.dynamodb.log.pointers import Pointer
    from dynamo_es.dynamodb.log.sequencer import Tables
    from dynamo_es.dynamodb.wire.steps import Item, Steps
    from dynamo_es.values import Position, RecordedRaw

_log = logging.getLogger("dynamo_es")

_MOST_PAGES: Final = 1024


def read_records(
    tables: Tables, start: Position, limit: int, stop: Position | None, selection: Selection
) -> Steps[list[RecordedRaw]]:
    """Return the first selected events from a position on, inclusive.

    Pages are read consistently, so that all events that were stored before are found. Commits are
    first read with eventual consistency, at half the price; if one is missing, they are read
    consistently.

    Args:
        tables: names of the tables.
        start: first position, inclusive.
        limit: most events.
        stop: last position, inclusive; None: read to the end.
        selection: selects the events.
    """
    found: list[RecordedRaw] = []
    if limit < 1 or (stop is not None and stop < start):
        return found
    chooses = chooser(selection)
    following = start
    if start > 1:
        response = yield requests.page_at(tables.keys, start)
        pages = [read_page(item) for item in response["Items"]]
    else:
        following = 1
        pages = yield from _pages(tables.keys, following, limit)
    while pages:
        placed = [
            (pointer, position)
            for page in pages
            for pointer, position in _placed(page)
            if position + pointer.event_count > start
            and (stop is None or position <= stop)
            and chooses(pointer)
        ]
        while placed and len(found) < limit:
            some = _enough(placed, limit - len(found))
            del placed[: len(some)]
            for record in (yield from _records(tables.events, some)):
                names = selection.event_names
                if (
                    record.position >= start
                    and (stop is None or record.position <= stop)
                    and (names is None or record.entry.name in names)
                ):
                    found.append(record)
        following = pages[-1].following
        if len(found) >= limit or (stop is not None and following > stop) or following < start:
            break
        pages = yield from _pages(tables.keys, following, limit - len(found))
    return found[:limit]


def last_selected(log: LogKeys, selection: Selection) -> Steps[Position | None]:
    """Return the last position of a selected commit; None if no commit is selected.

    Cost: 1 request; more only if the newest page has no such commit.
    """
    chooses = chooser(selection)
    after: Item | None = None
    pages = 1
    while True:
        response = yield requests.newest_pages(log, pages, after)
        for item in response["Items"]:
            for pointer, position in reversed(_placed(read_page(item))):
                if chooses(pointer):
                    return position + pointer.event_count - 1
        after = response.get("LastEvaluatedKey")
        if after is None:
            break
        pages = _MOST_PAGES
    if not response["Items"]:
        yield from check_scope(log)
    return None


def _pages(log: LogKeys, first: Position, limit: int) -> Steps[list[Page]]:
    """Return the next pages; each has at least one event."""
    response = yield requests.pages_from(log, first, limit=min(limit, _MOST_PAGES), consistent=True)
    pages = [read_page(item) for item in response["Items"]]
    for page in pages:
        if page.first != first:
            raise StoredItemError(
                log.pages,
                str(first),
                "no page begins there, but a later page exists. Positions must have no gaps: "
                "run `dynamo-es log verify`.",
            )
        first = page.following
    return pages


def _placed(page: Page) -> list[tuple[Pointer, Position]]:
    placed: list[tuple[Pointer, Position]] = []
    position = page.first
    for pointer in page.pointers:
        placed.append((pointer, position))
        position += pointer.event_count
    return placed


def _enough(
    placed: Sequence[tuple[Pointer, Position]], wanted: int
) -> list[tuple[Pointer, Position]]:
    """Return the first commits that have the wanted number of events, at most one request's."""
    some: list[tuple[Pointer, Position]] = []
    for pointer, position in placed:
        if wanted <= 0 or len(some) == MAX_POINTERS:
            break
        some.append((pointer, position))
        wanted -= pointer.event_count
    return some


def _records(table: str, placed: Sequence[tuple[Pointer, Position]]) -> Steps[list[RecordedRaw]]:
    found: dict[tuple[str, int], Item] = {}
    for consistent in (False, True):
        missing = [pointer for pointer, _ in placed if not _is_there(pointer, found)]
        keys: list[Item] = [
            {"stream_key": {"S": key}, "version": number(version)}
            for key, version in dict.fromkeys((p.stream_key, p.first_version) for p in missing)
        ]
        if not keys:
            break
        request = partial(requests.get_commits, table, consistent=consistent)
        items = yield from fetch_all(table, keys, request)
        for item in items:
            found[item["stream_key"]["S"], int(item["version"]["N"])] = item
    records: list[RecordedRaw] = []
    for pointer, position in placed:
        if _is_there(pointer, found):  # if not, the stream was deleted
            item = found[pointer.stream_key, pointer.first_version]
            try:
                records += records_of(pointer, item, position)
            except StoredItemError as error:  # no reader can read it: it must not stop the others
                _log.error("Position %d is passed over: %s", position, error)
    return records


def _is_there(pointer: Pointer, found: dict[tuple[str, int], Item]) -> bool:
    item = found.get((pointer.stream_key, pointer.first_version), {})
    return bool(item.get("generation") == number(pointer.generation))
