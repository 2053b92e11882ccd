"""Searches for stored commits that have no position in the log yet.

The search takes a few requests for tables of any size, so it cannot find everything.
`LogStrategy.unsequenced` documents what you can rely on.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dynamo_es.dynamodb.log import requests
from dynamo_es.dynamodb.log.markers import Marker, readable_version
from dynamo_es.dynamodb.log.pages import read_page
from dynamo_es.dynamodb.log.pointers import find_pointer
from dynamo_es.dynamodb.log.requests import scan_events
from dynamo_es.dynamodb.streams.items import decode_events
from dynamo_es.dynamodb.streams.keys import parse_stream_key
from dynamo_es.dynamodb.wire.batches import fetch_all
from dynamo_es.dynamodb.wire.steps import number
from dynamo_es.exceptions import StoredItemError
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from dynamo_es.contracts.hooks import AppendedCommit
    from dynamo_es.dynamodb.log.pages import Page
    from dynamo_es.dynamodb.log.pointers import Pointer
    from dynamo_es.dynamodb.log.sequencer import Tables
    from dynamo_es.dynamodb.wire.steps import Item, Request, Steps

_NEWEST_STREAMS: Final = 8
"""The most streams of the newest page whose next commit is read."""
_SCANNED: Final = 25
"""The most items of the events table that are read while the log is empty."""
_LATE: Final = 5.0
"""A commit without a position is late at this age, in seconds. Clocks may differ a little."""


class Unsequenced(NamedTuple):
    """The result of a search.

    Attributes:
        found: whether events without a position are stored.
        missed: whether no sequencer seems to run: the log is empty, this process appended the
            events itself, or a running sequencer would already have handled them.
    """

    found: bool
    missed: bool


_NOTHING: Final = Unsequenced(found=False, missed=False)
_MISSED: Final = Unsequenced(found=True, missed=True)


def look(tables: Tables, own: AppendedCommit | None, now: float) -> Steps[Unsequenced]:
    """Search for stored commits that have no position in the log.

    Args:
        tables: names of the tables of the commits and the log.
        own: the commit that this process appended last; None: it has appended none.
        now: seconds since the epoch.

    Cost: 2 requests; up to 4 if this process has appended.
    """
    response = yield requests.newest_page(tables.keys)
    if not response["Items"]:
        if not tables.prefix:
            return _MISSED if (yield from _is_anything_stored(tables.events)) else _NOTHING
        # Stored events of other tenants prove nothing about this log.
        return _MISSED if own is not None and (yield from _is_left_out(tables, own)) else _NOTHING
    if own is not None and (yield from _is_left_out(tables, own)):
        return _MISSED
    page = read_page(response["Items"][0])
    following = yield from _following(tables.events, page)
    if not following:
        return _NOTHING
    return Unsequenced(found=True, missed=any(_is_late(item, now) for item in following))


def _is_anything_stored(table: str) -> Steps[bool]:
    request = scan_events(table)
    request.params["Limit"] = _SCANNED
    response = yield request
    return any(_is_commit(item) for item in response["Items"])


def _is_commit(item: Item) -> bool:
    try:
        return find_pointer(item) is not None
    except StoredItemError:
        return False


def _is_left_out(tables: Tables, own: AppendedCommit) -> Steps[bool]:
    """Return whether a commit is still stored but not in the log."""
    category, _, uuid = own.stream_key.rpartition("#")
    marker = Marker.at(category, uuid, own.generation)
    # Not in a batch, because a consumer's IAM policy only allows reads of single log items.
    response = yield requests.get_marker(tables.log, marker)
    if "Item" in response:
        version = readable_version(response["Item"])
        if version is not None and version >= own.version:
            return False
    found = yield from fetch_all(
        tables.events,
        [_key(own.stream_key, own.version)],
        lambda left: requests.get_commits(tables.events, left, consistent=True),
    )
    return any(item.get("generation") == number(own.generation) for item in found)


def _following(table: str, page: Page) -> Steps[list[Item]]:
    """Return the next stored commit of each stream in the newest page."""
    newest: dict[str, Pointer] = {}
    for pointer in reversed(page.pointers):
        if len(newest) < _NEWEST_STREAMS:
            newest.setdefault(pointer.stream_key, pointer)
    keys = [_key(key, pointer.last_version + 1) for key, pointer in newest.items()]

    def request(left: Any) -> Request:
        return requests.get_commits(table, left, consistent=False)

    found = yield from fetch_all(table, keys, request)
    return [
        item
        for item in found
        if item.get("generation") == number(newest[item["stream_key"]["S"]].generation)
    ]


def _is_late(item: Item, now: float) -> bool:
    """Return whether a commit is too old to be still without a position; False if unreadable."""
    try:
        _, category, uuid = parse_stream_key(item["stream_key"]["S"])
        first = decode_events(item, StreamId(uuid, category=category), None)[0]
    except (StoredItemError, ValueError, LookupError):
        return False
    created_at = first.created_at
    if created_at.tzinfo is None:
        created_at = created_at.replace(tzinfo=UTC)
    return (datetime.fromtimestamp(now, UTC) - created_at).total_seconds() >= _LATE


def _key(stream_key: str, version: int) -> Item:
    return {"stream_key": {"S": stream_key}, "version": number(version)}
