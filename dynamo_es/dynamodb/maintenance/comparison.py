"""Comparing what the log says of some streams with what the events table has, commit by commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynamo_es.dynamodb.log.hints import find_hint
from dynamo_es.dynamodb.log.items import Marker, read_page
from dynamo_es.dynamodb.log.requests import ANY_ITEM_OUTLINE
from dynamo_es.dynamodb.maintenance.repair import fetch_pages
from dynamo_es.dynamodb.streams.heads import FENCE_SECONDS
from dynamo_es.dynamodb.streams.items import decode_events, generation_of, is_fence
from dynamo_es.dynamodb.wire.steps import Request
from dynamo_es.exceptions import StoredItemError
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamo_es.dynamodb.log.items import Pointer
    from dynamo_es.dynamodb.maintenance.ledger import Life
    from dynamo_es.dynamodb.wire.gateway import Gateway
    from dynamo_es.dynamodb.wire.steps import Item
    from dynamo_es.values import Position

_COMPARED = ("stream_name", "event_count", "event_names", "outbox", "versionless")


class Comparison:
    """Takes the pages of the log in once more, then reads the streams they are compared with.

    Args:
        gateway: what sends the requests.
        table: the events table.
        doubtful: generations of streams of which the two tables do not say the same.
        note: called with each fault, a sentence.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        gateway: Gateway,
        table: str,
        doubtful: Mapping[Marker, Life],
        note: Callable[[str], None],
        now: float,
    ) -> None:
        self._gateway = gateway
        self._table = table
        self._doubtful = doubtful
        self._note = note
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
            marker = Marker.of(pointer)
            if marker in self._pointers:
                self._pointers[marker].append((position, pointer))
            position += pointer.event_count

    def finish(self) -> None:
        """Note every commit that the two tables do not say the same of."""
        for marker, life in self._doubtful.items():
            self._compare(life, self._pointers[marker])

    def _compare(self, life: Life, pointers: list[tuple[Position, Pointer]]) -> None:
        read = self._read(life)
        if read is None:
            return  # deleted since the table was scanned
        stored, damaged = read
        if not stored and not damaged and not self._is_young(life):
            return  # deleted long ago
        for position, pointer in pointers:
            commit = stored.get(pointer.first_version)
            # One that goes further than the log was noted when the table was scanned.
            if pointer.first_version not in damaged and (
                commit is None or commit.last_version <= life.last
            ):
                self._check(position, pointer, commit)
        pointed_to = {pointer.first_version for _, pointer in pointers}
        for version, commit in stored.items():
            if version <= life.last and version not in pointed_to and not _in_gap(life, version):
                self._note(
                    f"Not in the log: {_name(commit)} though the log is at version {life.last} of "
                    "that stream: another commit has its versions."
                )

    def _read(self, life: Life) -> tuple[dict[int, Pointer], set[int]] | None:
        """Return the stored commits by their versions, and the versions that cannot be read.

        None: the generation has ended.
        """
        stored: dict[int, Pointer] = {}
        damaged: set[int] = set()
        for item in self._items_of(life.stream_key):
            try:
                hint = find_hint(item)
                if is_fence(item) and generation_of(item) >= life.generation:
                    return None
            except StoredItemError as error:
                if str(error.version).isdigit():
                    damaged.add(int(str(error.version)))
                continue
            if hint is not None and hint.generation > life.generation:
                return None
            if hint is not None and hint.generation == life.generation:
                stored[hint.first_version] = hint
        return stored, damaged

    def _check(self, position: Position, pointer: Pointer, commit: Pointer | None) -> None:
        if commit is None:
            self._note(
                f"Position {position} points to {_name(pointer)} which the events table does not "
                "have, and no deletion explains it. Were the tables restored to different moments?"
            )
            return
        wrong = [name for name in _COMPARED if getattr(pointer, name) != getattr(commit, name)]
        if wrong:
            self._note(
                f"Position {position} points to {_name(pointer)} and differs from it in: "
                f"{', '.join(wrong)}."
            )

    def _is_young(self, life: Life) -> bool:
        """Whether a deletion would have left fences that are still there."""
        return life.generation / 1_000_000 + FENCE_SECONDS > self._now

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


def check_content(item: Item, hint: Pointer, most_bytes: int) -> None:
    """Check that a commit holds the events that its other attributes say.

    Args:
        item: as stored.
        hint: to it.
        most_bytes: what the events may take uncompressed.

    Raises:
        StoredItemError: says what is wrong, without any value of an event.
    """
    events = decode_events(item, _NO_STREAM, None, most_bytes)
    reason = None
    if len(events) != hint.event_count:
        reason = f"it has {len(events)} events, and says {hint.event_count}."
    elif {event.name for event in events} != set(hint.event_names):
        reason = "its event_names are not those of its events."
    if reason is not None:
        raise StoredItemError(hint.stream_key, hint.first_version, reason)


def _in_gap(life: Life, version: int) -> bool:
    return any(first <= version <= last for first, last in life.gaps)


def _name(pointer: Pointer) -> str:
    return (
        f"the commit at version {pointer.first_version} of {pointer.stream_key}, "
        f"generation {pointer.generation},"
    )


_NO_STREAM = StreamId(name="")
