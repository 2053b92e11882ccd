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
    """Takes the pages of the log in once more, then reads the streams to compare them with.

    Args:
        gateway: sends the requests.
        table: name of the events table.
        doubtful: generations on which the two tables differ.
        note: called with each fault, a sentence.
        note_torn: called with the position of, and the pointer to, each commit after the last one
            that the events table has of its stream.
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
        """Take a page in."""
        try:
            page = read_page(item)
        except StoredItemError:
            return  # noted when the pages were read first
        position = page.first
        for pointer in page.pointers:
            marker = pointer.marker
            if marker in self._pointers:
                self._pointers[marker].append((position, pointer))
            position += pointer.event_count

    def finish(self) -> None:
        """Note every commit on which the two tables differ."""
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
            # A commit that ends after the log was noted when the table was scanned.
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
                    f"Not in the log: {name_commit(commit)} though the log is at version "
                    f"{entry.last} of that stream: another commit has those versions."
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
                "moments?"
            )
            return
        wrong = [name for name in _COMPARED if getattr(pointer, name) != getattr(commit, name)]
        if wrong:
            self._note(
                f"Position {position} points to {name_commit(pointer)} and differs from it in: "
                f"{', '.join(wrong)}."
            )

    def _is_young(self, entry: LedgerEntry) -> bool:
        """Whether the fences of a deletion would not have expired yet."""
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
    """Check that a commit holds as many events, with the names, as its attributes say.

    Args:
        item: the commit as stored.
        pointer: to the commit.
        most_bytes: bytes that the events may take uncompressed.

    Raises:
        StoredItemError: the commit does not. The error has no value of an event in it.
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
