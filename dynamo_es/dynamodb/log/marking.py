"""Reads and raises markers, many at once.

A marker that was just read, and existed, is raised by an ``UPDATE`` under the condition that it is
lower; one that did not exist is made by an ``INSERT``. DynamoDB carries out each by itself. If one
is refused, another sequencer was faster, or an earlier attempt of this very statement was carried
out. The item that comes back with a refused ``UPDATE`` says so. Without one, the marker is read,
and raised if it is lower.
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
"""The version of each marker that exists; None: no version can be read from it."""

_LOOKS: Final = 3
"""Times that the markers of another's new page are read before this process raises them."""
_WAIT: Final = 0.008
"""Seconds to wait at most between two such looks: about the time of two requests."""


def versions_of(page: Page) -> dict[Marker, int]:
    """Return the version that each marker has to have once a page is in the log."""
    return {pointer.marker: pointer.last_version for pointer in page.pointers}


def read_markers(table: str, markers: Iterable[Marker]) -> Steps[Stored]:
    """Read markers, each once: those that exist."""
    keys = [marker.key for marker in markers]
    items = yield from fetch_all(table, keys, lambda left: requests.get_markers(table, left))
    return stored_in(items)


def stored_in(items: Iterable[Item]) -> Stored:
    """Return the versions of markers that were read."""
    return {
        Marker(item["log_key"]["S"], item["place"]["S"]): readable_version(item) for item in items
    }


def apply_markers(table: str, versions: Mapping[Marker, int], stored: Stored) -> Steps[None]:
    """Raise markers to versions, unless they are there already.

    Args:
        table: name of the log table.
        versions: of each marker.
        stored: what was read of these markers, if anything, since the page before was put.

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
    """Send a statement for each marker; return the versions of those that it did not raise.

    Raises:
        ServiceError: a statement failed, rather than being refused.
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
    """See to it that the markers of another's page are applied.

    Its writer applies them right now, unless it has died. So this looks, and waits, and looks
    again, before it raises those that are still lower.

    Args:
        table: name of the log table.
        page: the newest page.
        stored: what was just read of the page's markers; None: nothing.

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
            yield Pause(look + 1, within=_WAIT)
            stored = None
    yield from apply_markers(table, left, stored or {})


def _lower(versions: Mapping[Marker, int], stored: Stored) -> dict[Marker, int]:
    """Return the versions that the stored markers do not reach.

    A marker without a readable version cannot be raised. The next sequencer that reads it sets its
    stream aside.
    """
    lower: dict[Marker, int] = {}
    for marker, version in versions.items():
        found = stored.get(marker, 0)
        if found is not None and found < version:
            lower[marker] = version
    return lower
