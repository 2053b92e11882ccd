"""Compares the log's pointers to some streams with the events table, commit by commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynamo_es.dynamodb.log.pages import read_page
from dynamo_es.dynamodb.log.pointers import find_pointer
from dynamo_es.dynamodb.log.requests import ANY_ITEM_OUTLINE
from dynamo_es.dynamodb.maintenance.ledger import name_commit
from dynamo_es.dynamodb.maintenance.repair import fetch_pages
from dynamo_es.dynamodb.streams.items import decode_events, generation_of, is_fence
from dynamo_es.dynamodb.streams.remembered.heads import FENCE_SECONDS
from dynamo_es.dynamodb.wire.steps import Request
from dynamo_es.exceptions import StoredItemError
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamo_es.dynamodb.log.markers import Marker
    from dynamo_es.dynamodb.log.pointers import Pointer
    from dynamo_es.dynamodb.maintenance.ledger import LedgerEntry
    from dynamo_es.dynamodb.wire.gateway import Gateway
    from dynamo_es.dynamodb.wire.steps import Item
    from dynamo_es.values import Position

_COMPARED = ("stream_name", "event_count", "event_names", "outbox", "versionless")


class Comparison:
    """Compares the pages of the log, read once more, with the streams.

    Args:
        gateway: sends the requests.
        table: name of the events table.
        doubtful: generations on which the two tables differ.
        note: called with each fault, a sentence.
        note_torn: called with position and pointer of each commit in the log that comes after the
            last commit of its stream in the events table.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        gateway: Gateway,
        table: str,
        doubtful: Mapping[Marker, LedgerEntry],
        note: Callable[[str], None],
        note_torn: Callable[[Position, Pointer], None],
        now: float,
    ) -> None:
        self._gateway = gateway
        self._table = table
        self._doubtful = doubtful
        self._note = note
        self._note_torn = note_torn
        self._now = now
        self._pointers: dict[Marker, list[tuple[Position, Pointer]]] = {
            marker: [] for marker in doubtful
        }

    def add(self, item: Item) -> None:
        """Add a page of the log."""
        try:
            page = read_page(item)
        except StoredItemError:
            return  # the first read of the pages has noted it
        position = page.first
        for pointer in page.pointers:
            marker = pointer.marker
            if marker in self._pointers:
                self._pointers[marker].append((position, pointer))
            position += pointer.event_count

    def finish(self) -> None:
        """Report every commit on which the two tables differ."""
        for marker, entry in self._doubtful.items():
            self._compare(entry, self._pointers[marker])

    def _compare(self, entry: LedgerEntry, pointers: list[tuple[Position, Pointer]]) -> None:
        read = self._read(entry)
        if read is None:
            return  # deleted after the table was scanned
        stored, damaged = read
        if not stored and not damaged and not self._is_young(entry):
            return  # deleted long ago
        for position, pointer in pointers:
            commit = stored.get(pointer.first_version)
            # The scan of the table has already noted commits that end after the log.
            if pointer.first_version not in damaged and (
                commit is None or commit.last_version <= entry.last
            ):
                self._check(position, pointer, commit)
                if commit is None and pointer.first_version > max([0, *stored, *damaged]):
                    self._note_torn(position, pointer)
        pointed_to = {pointer.first_version for _, pointer in pointers}
        for version, commit in stored.items():
            if version <= entry.last and version not in pointed_to and not _in_gap(entry, version):
                self._note(
                    f"Not in the log: {name_commit(commit)} although the log is at version "
                    f"{entry.last} of that stream. Another commit has those versions."
                )

    def _read(self, entry: LedgerEntry) -> tuple[dict[int, Pointer], set[int]] | None:
        """Return the stored commits by first version, and the versions that cannot be read.

        Returns:
            None if the generation has ended.
        """
        stored: dict[int, Pointer] = {}
        damaged: set[int] = set()
        for item in self._items_of(entry.stream_key):
            try:
                pointer = find_pointer(item)
                if is_fence(item) and generation_of(item) >= entry.generation:
                    return None
            except StoredItemError as error:
                if str(error.version).isdigit():
                    damaged.add(int(str(error.version)))
                continue
            if pointer is not None and pointer.generation > entry.generation:
                return None
            if pointer is not None and pointer.generation == entry.generation:
                stored[pointer.first_version] = pointer
        return stored, damaged

    def _check(self, position: Position, pointer: Pointer, commit: Pointer | None) -> None:
        if commit is None:
            self._note(
                f"Position {position} points to {name_commit(pointer)} which the events table does "
                "not have, and no deletion explains that. Were the tables restored to different "
                "times?"
            )
            return
        wrong = [name for name in _COMPARED if getattr(pointer, name) != getattr(commit, name)]
        if wrong:
            self._note(
                f"Position {position} points to {name_commit(pointer)} and differs from it in: "
                f"{', '.join(wrong)}."
            )

    def _is_young(self, entry: LedgerEntry) -> bool:
        """Return whether a deletion's fences would still exist."""
        return entry.generation / 1_000_000 + FENCE_SECONDS > self._now

    def _items_of(self, stream_key: str) -> list[Item]:
        def request(after: Item | None) -> Request:
            params: dict[str, Any] = {
                "TableName": self._table,
                "KeyConditionExpression": "stream_key = :key",
                "ProjectionExpression": ANY_ITEM_OUTLINE,
                "ExpressionAttributeValues": {":key": {"S": stream_key}},
                "ConsistentRead": True,
            }
            if after is not None:
                params["ExclusiveStartKey"] = after
            return Request("query", params)

        return [item for items in fetch_pages(self._gateway, "compare", request) for item in items]


def check_content(item: Item, pointer: Pointer, most_bytes: int) -> None:
    """Check that a commit's events agree with its count and names.

    Args:
        item: the commit as stored.
        pointer: the pointer to the commit.
        most_bytes: the most bytes of the events, uncompressed.

    Raises:
        StoredItemError: they do not agree. The error does not quote a value of an event.
    """
    events = decode_events(item, _NO_STREAM, None, most_bytes)
    reason = None
    if len(events) != pointer.event_count:
        reason = f"it has {len(events)} events, but its event_count is {pointer.event_count}."
    elif {event.name for event in events} != set(pointer.event_names):
        reason = "its event_names are not those of its events."
    if reason is not None:
        raise StoredItemError(pointer.stream_key, pointer.first_version, reason)


def _in_gap(entry: LedgerEntry, version: int) -> bool:
    return any(first <= version <= last for first, last in entry.gaps)


_NO_STREAM = StreamId(name="")
