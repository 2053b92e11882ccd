"""`look_at_end`: returns the end of the log, and the last versions of hinted streams there.

The first call reads the markers of the hinted streams. After a lost race, the pages that other
processes have put since then show what changed, so no marker is read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dynamo_es.dynamodb.log import requests
from dynamo_es.dynamodb.log.marking import (
    Stored,
    finish_page,
    read_markers,
    stored_in,
    versions_of,
)
from dynamo_es.dynamodb.log.pages import Page, place_of, read_page
from dynamo_es.dynamodb.wire.batches import fetch_all
from dynamo_es.dynamodb.wire.steps import good, together
from dynamo_es.exceptions import StoredItemError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dynamo_es.dynamodb.log.keys import LogKeys
    from dynamo_es.dynamodb.log.markers import Marker
    from dynamo_es.dynamodb.log.pointers import Pointer
    from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
    from dynamo_es.dynamodb.wire.steps import Item, Request, Response, Steps
    from dynamo_es.values import Position

_MOST_NEW_PAGES: Final = 8
"""The most new pages that a process reads. If there are more, it starts over with the newest."""


@dataclass(frozen=True, slots=True)
class EndOfLog:
    """The end of the log as a process sees it.

    Attributes:
        position: the position after the last one. The markers of all earlier pages are applied.
        stored: the version of each hinted stream's marker, if it exists.
        seen: all markers that the process knows, as of this position.
    """

    position: Position
    stored: Stored
    seen: dict[Marker, int]

    def keep(self, memory: SequencerMemory, page: Page | None = None) -> None:
        """Remember the markers, after those of the page that was put here are applied."""
        for marker, version in self.stored.items():
            if version is not None:
                self.seen[marker] = version
        if page is None:
            memory.keep_seen(self.position, self.seen)
        else:
            self.seen.update(versions_of(page))
            memory.keep_seen(page.following, self.seen)


def look_at_end(
    log: LogKeys, hints: Sequence[Pointer], memory: SequencerMemory, last: EndOfLog | None
) -> Steps[EndOfLog]:
    """Return the end of the log, after the markers of all pages are applied.

    Args:
        log: the log.
        hints: pointers to commits, at most 100.
        memory: the memory of this process.
        last: the result before a lost race; None: no race was lost.

    Raises:
        StoredItemError: the newest page is unreadable.
        ServiceError: AWS refused or did not answer.

    Cost: 1 request for the markers that this process does not know. If it did not put the last
    page, 1 more for new pages, and if there are any, 1 more for the markers of the newest.
    """
    markers = dict.fromkeys(hint.marker for hint in hints)
    if last is not None:
        end = yield from _look_from(log, last, [])
        known: Position | None = last.position
    else:
        memory.begin()
        known = memory.marked_below
        seen = memory.take_seen(known)
        stored: Stored = {marker: seen[marker] for marker in markers if marker in seen}
        missing = [marker for marker in markers if marker not in seen]
        end = None
        if known is not None and memory.alone:
            # If the log has grown since, the put of the next page is refused.
            stored |= yield from read_markers(log.table, missing)
            return EndOfLog(known, stored, seen)
        if known is not None:
            end = yield from _look_from(log, EndOfLog(known, stored, seen), missing)
    if end is None:
        end = yield from _look_at_newest(log, list(markers), known)
    memory.marked_below = end.position
    return end


def _look_from(log: LogKeys, last: EndOfLog, missing: Sequence[Marker]) -> Steps[EndOfLog | None]:
    """Read the pages after an earlier end, and unknown markers; None: there are too many pages.

    The reads may be carried out in any order. Pages before the earlier end can no longer change a
    marker. Of the pages after it, either all are read, or the put of the next page fails.
    """
    known = last.position
    asked = requests.pages_from(log, known, limit=_MOST_NEW_PAGES, consistent=True)
    stored = dict(last.stored)
    if missing:
        response, read = yield from _read_with_markers(log.table, asked, missing)
        stored |= read
    else:
        response = yield asked
    try:
        pages = [read_page(item) for item in response["Items"]]
    except StoredItemError:
        return None  # the newest page may still be readable
    if "LastEvaluatedKey" in response or not _follow(known, pages):
        return None
    if pages:
        # Its writer may have died before it applied the markers.
        _check_markers(log, pages[-1])
        yield from finish_page(log.table, pages[-1])
    for page in pages:
        stored.update(versions_of(page))
    return EndOfLog(pages[-1].following if pages else known, stored, last.seen)


def _look_at_newest(
    log: LogKeys, markers: Sequence[Marker], known: Position | None
) -> Steps[EndOfLog]:
    response = yield requests.newest_page(log)
    # Read markers after the newest page. An earlier read could miss changes of pages before it.
    for item in response["Items"]:
        page = read_page(item)
        if page.following == known:
            break
        _check_markers(log, page)
        versions = versions_of(page)
        stored = yield from read_markers(log.table, dict.fromkeys([*markers, *versions]))
        yield from finish_page(log.table, page, stored)
        stored.update(versions)
        return EndOfLog(page.following, stored, {})
    else:
        known = 1
    return EndOfLog(known, (yield from read_markers(log.table, markers)), {})


def _read_with_markers(
    table: str, asked: Request, markers: Sequence[Marker]
) -> Steps[tuple[Response, Stored]]:
    """Send a request and read markers at the same time."""
    keys: list[Item] = [marker.key for marker in markers]
    response, read = good((yield from together([asked, requests.get_markers(table, keys)])))
    items = list(read["Responses"].get(table, ()))
    left = read.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
    items += yield from fetch_all(table, left, lambda keys: requests.get_markers(table, keys))
    return response, stored_in(items)


def _follow(known: Position, pages: Iterable[Page]) -> bool:
    """Return whether pages follow each other from a position on, without a gap."""
    for page in pages:
        if page.first != known:
            return False
        known = page.following
    return True


def _check_markers(log: LogKeys, page: Page) -> None:
    """Check that every commit of a page can have a marker, so that a sequencer can continue.

    Raises:
        StoredItemError: a commit cannot have a marker.
    """
    if not all(pointer.can_have_marker for pointer in page.pointers):
        raise StoredItemError(
            log.pages,
            place_of(page.first),
            "it points to a commit that cannot exist in any stream. Run `dynamo-es log repair`.",
        )
