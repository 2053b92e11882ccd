"""Reads and raises markers, many at once.

An ``UPDATE`` raises a marker that was just read, on the condition that it is lower. An ``INSERT``
creates one that did not exist. DynamoDB carries out each statement separately. If it refuses one,
either another sequencer was faster, or an earlier attempt of this statement was carried out. The
item that comes back with a refused ``UPDATE`` shows the version. Without an item, the marker is
read, and raised if it is lower.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from dynamo_es.dynamodb.log import requests
from dynamo_es.dynamodb.log.markers import Marker, readable_version
from dynamo_es.dynamodb.wire.batches import execute_all, fetch_all
from dynamo_es.dynamodb.wire.errors import ConditionRefused
from dynamo_es.dynamodb.wire.steps import Pause

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dynamo_es.dynamodb.log.pages import Page
    from dynamo_es.dynamodb.wire.steps import Item, Steps

Stored: TypeAlias = "dict[Marker, int | None]"
"""The version of each existing marker; None: it has no readable version."""

_LOOKS: Final = 4
"""How often the markers of another process's new page are read before this process raises them."""
_WAIT: Final = 0.008
"""The longest wait after the first read, in seconds: the time of two requests. It then doubles."""


def versions_of(page: Page) -> dict[Marker, int]:
    """Return the version that each marker must have after a page is in the log."""
    return {pointer.marker: pointer.last_version for pointer in page.pointers}


def read_markers(table: str, markers: Iterable[Marker]) -> Steps[Stored]:
    """Read markers; return those that exist."""
    keys = [marker.key for marker in markers]
    items = yield from fetch_all(table, keys, lambda left: requests.get_markers(table, left))
    return stored_in(items)


def stored_in(items: Iterable[Item]) -> Stored:
    """Return the versions of markers that were read."""
    return {
        Marker(item["log_key"]["S"], item["place"]["S"]): readable_version(item) for item in items
    }


def apply_markers(table: str, versions: Mapping[Marker, int], stored: Stored) -> Steps[None]:
    """Raise markers to versions, unless they are already as high.

    Args:
        table: name of the log table.
        versions: the version for each marker.
        stored: the versions of these markers, read after the previous page was put.

    Raises:
        ServiceError: AWS refused or did not answer. Some markers may be raised.
        ContentionError: markers kept changing until the deadline.
    """
    left = dict(versions)
    attempt = 0
    while left:
        refused = yield from _apply_some(table, left, stored)
        if not refused:
            return
        stored = yield from read_markers(table, refused)
        left = _lower(refused, stored)
        if left:
            attempt += 1
            yield Pause(attempt)


def _apply_some(
    table: str, versions: Mapping[Marker, int], stored: Stored
) -> Steps[dict[Marker, int]]:
    """Send a statement for each marker; return the versions of the markers that were not raised.

    Raises:
        ServiceError: a statement failed for another reason than its condition.
    """
    outcomes = yield from execute_all(
        [
            requests.raise_marker(table, marker, version)
            if marker in stored
            else requests.insert_marker(table, marker, version)
            for marker, version in versions.items()
        ],
        table,
    )
    refused: dict[Marker, int] = {}
    for (marker, version), outcome in zip(versions.items(), outcomes, strict=True):
        if isinstance(outcome, ConditionRefused):
            (item,) = outcome.items
            if item is None or readable_version(item) is None:
                refused[marker] = version
        elif outcome is not None:
            raise outcome
    return refused


def finish_page(table: str, page: Page, stored: Stored | None = None) -> Steps[None]:
    """Wait until another process has raised the markers of its page; if it does not, raise them.

    The writer of the page is raising them, unless it has died. So this reads them several times
    with waits in between, and in the end raises those that are still lower.

    Args:
        table: name of the log table.
        page: the newest page.
        stored: the versions of the page's markers, just read; None: they were not read.

    Raises:
        ServiceError: AWS refused or did not answer.
    """
    left = versions_of(page)
    for look in range(_LOOKS):
        if stored is None:
            stored = yield from read_markers(table, left)
        left = _lower(left, stored)
        if not left:
            return
        if look < _LOOKS - 1:
            yield Pause(look + 1, within=_WAIT * 2**look)
            stored = None
    yield from apply_markers(table, left, stored or {})


def _lower(versions: Mapping[Marker, int], stored: Stored) -> dict[Marker, int]:
    """Return the markers that are below their versions, with these versions.

    A marker without a readable version cannot be raised. The next sequencer that reads it sets the
    stream aside.
    """
    lower: dict[Marker, int] = {}
    for marker, version in versions.items():
        found = stored.get(marker, 0)
        if found is not None and found < version:
            lower[marker] = version
    return lower
