"""Finds the position that the log had at a time.

Each page holds the time at which it was put, by its writer's clock. These times are enough for a
search. To narrow the search, a sequencer also stores one item each minute, with the last position
at that time. A missing or wrong item costs requests, but never changes the result.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.dynamodb.log import requests
from dynamo_es.dynamodb.log.pages import Page, place_of, read_any_page
from dynamo_es.dynamodb.log.registry import check_scope
from dynamo_es.dynamodb.wire.errors import ConditionRefused, OutcomeUnknown
from dynamo_es.dynamodb.wire.steps import Request, good, number, together
from dynamo_es.exceptions import EventStoreError, StoredItemError

if TYPE_CHECKING:
    from dynamo_es.dynamodb.log.keys import LogKeys
    from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
    from dynamo_es.dynamodb.wire.steps import Response, Steps
    from dynamo_es.values import Position

_log = logging.getLogger("dynamo_es")

_MINUTE: Final = 60
_MICROSECONDS: Final = 1_000_000
_BY: Final = {True: "<", False: ">"}


def microseconds(seconds: float) -> int:
    """Return a time in whole microseconds, as in pages."""
    return round(seconds * _MICROSECONDS)


def note_minute(log: LogKeys, page: Page, memory: SequencerMemory, now: float) -> Steps[None]:
    """Store the last position of a page that was put, at most once a minute.

    A process begins a minute after its first page. It raises no error, because the page is in the
    log; after a failure the next attempt comes a minute later.

    Args:
        log: the log.
        page: the page that this process has put.
        memory: the memory of this process.
        now: when the page was put, in seconds since the epoch.

    Cost: none, but once a minute 1 request and 1 write unit.
    """
    if memory.noted_at is not None and 0 <= now - memory.noted_at < _MINUTE:
        return
    first, memory.noted_at = memory.noted_at is None, now
    if first:
        return
    try:
        yield put_minute(log, microseconds(now), page.following - 1)
    except ConditionRefused:
        pass  # another sequencer stored a later position in this minute
    except (EventStoreError, OutcomeUnknown) as error:
        _log.debug("Could not store the position of this minute: %s", error)


def position_at(log: LogKeys, moment: int) -> Steps[Position]:
    """Return the last position of the pages that were put before a time; 0: there are none.

    Args:
        log: the log.
        moment: the time (exclusive), in microseconds since the epoch.

    Raises:
        StoredItemError: a damaged page. Run `dynamo-es log repair`.
        LogScopeError: the table is in use with another ``log_scope``.
        ServiceError: AWS refused or did not answer.

    Cost: 3 requests at once, and 1 for each halving of the pages between the closest minutes with
    an item before and after that of the time.
    """
    asked = [requests.newest_page(log)]
    asked += [minute_beside(log, moment, before=before) for before in _BY]
    newest, *minutes = good((yield from together(asked)))
    if not newest["Items"]:
        yield from check_scope(log)
        return 0
    page = read_any_page(newest["Items"][0])
    low, high = _narrowed(log, 0, page.following - 1, page, moment)
    probes = [position for reply in minutes for position in _positions_in(reply)]
    while low < high:
        position = probes.pop() if probes else (low + high + 1) // 2
        if low < position <= high:
            page = yield from _page_with(log, position)
            low, high = _narrowed(log, low, high, page, moment)
    return low


def put_minute(log: LogKeys, moment: int, position: Position) -> Request:
    """Put the last position of a minute, unless the item already has a later one."""
    return Request(
        "put_item",
        {
            "TableName": log.table,
            "Item": {
                "log_key": {"S": log.minutes},
                "place": {"S": minute_of(moment)},
                "last_position": number(position),
            },
            "ConditionExpression": "attribute_not_exists(place) OR last_position < :position",
            "ExpressionAttributeValues": {":position": number(position)},
        },
    )


def minute_beside(log: LogKeys, moment: int, *, before: bool) -> Request:
    """Query the last minute before the minute of a time, or the first minute after it."""
    return Request(
        "query",
        {
            "TableName": log.table,
            "KeyConditionExpression": f"log_key = :minutes AND place {_BY[before]} :moment",
            "ExpressionAttributeValues": {
                ":minutes": {"S": log.minutes},
                ":moment": {"S": minute_of(moment)},
            },
            "ScanIndexForward": not before,
            "Limit": 1,
        },
    )


def minute_of(moment: int) -> str:
    """Return the sort key of a time's minute, in UTC: ``2026-03-01T12:00Z``."""
    when = datetime.fromtimestamp(moment // _MICROSECONDS, UTC)
    return f"{when.isoformat()[:16]}Z"  # strftime does not pad years


def _narrowed(
    log: LogKeys, low: Position, high: Position, page: Page, moment: int
) -> tuple[Position, Position]:
    """Return the narrowed range of positions for the result, given a page in the old range."""
    if page.put_at is None:
        raise _unreadable(log, page.first, "it has no time. Run `dynamo-es log repair`.")
    if page.put_at < moment:
        return page.following - 1, high
    return low, page.first - 1


def _page_with(log: LogKeys, position: Position) -> Steps[Page]:
    response = yield requests.page_at(log, position)
    for item in response["Items"]:
        page = read_any_page(item)
        if page.first <= position < page.following:
            return page
    raise _unreadable(log, position, "no page holds this position. Run `dynamo-es log verify`.")


def _positions_in(reply: Response) -> list[Position]:
    """Return the position in the item of a minute; empty without an item or a position."""
    found: list[Any] = [item.get("last_position", {}).get("N", "") for item in reply["Items"]]
    return [int(text) for text in found if text.isdecimal()]


def _unreadable(log: LogKeys, position: Position, reason: str) -> StoredItemError:
    return StoredItemError(log.pages, place_of(position), reason)
