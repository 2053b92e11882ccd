"""Items of the tag index in the log table, and their requests, as pure functions.

``{tenant}#tags#{category}#{uuid}#{tag}`` holds the pages of one tag. The partition without the tag
holds the checkpoint of the boundary, and lists of the tags for which each run has written pages.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic_core import from_json, to_json

from dynamo_es.contracts.stream_keys import MAX_KEY_BYTES, SEPARATOR, escape
from dynamo_es.dynamodb.wire.encoding.compression import pack, unpack
from dynamo_es.dynamodb.wire.steps import Request, number
from dynamo_es.exceptions import StoredItemError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dynamo_es.dynamodb.wire.steps import Item

TAGS: Final = "tags"
"""The word after the tenant in the keys of the index."""

MAX_TEXT: Final = 200_000
"""The most bytes of JSON in an item, so that it fits however badly they compress. A single entry
may have more."""

_CHECKPOINT: Final = "checkpoint"
_DIGITS: Final = 19


class IndexKeys(NamedTuple):
    """The keys of the index of one boundary.

    Attributes:
        table: name of the log table.
        key: partition key of the checkpoint.
    """

    table: str
    key: str

    @classmethod
    def of(cls, table: str, stream_key: str) -> IndexKeys:
        """Return the index of a boundary, given the partition key of its stream."""
        tenant, _, rest = stream_key.partition(SEPARATOR)
        return cls(table, f"{tenant}{SEPARATOR}{TAGS}{SEPARATOR}{rest}")

    def pages(self, tag: str) -> str:
        """Return the partition key of a tag's pages. A long tag is replaced by its hash."""
        key = f"{self.key}{SEPARATOR}{escape(tag)}"
        if len(key.encode()) <= MAX_KEY_BYTES:
            return key
        # `escape` never returns text with "%h", so this is not the key of another tag.
        return f"{self.key}{SEPARATOR}%h{sha256(tag.encode()).hexdigest()}"


class Checkpoint(NamedTuple):
    """The version up to which an index is complete.

    Attributes:
        edition: random id of this index; each generation of the boundary gets a new one.
        generation: generation of the boundary.
        version: the index has all events up to this version (inclusive).
        commit: version of the first event of the commit that ends there; 0 at version 0.
        uuid: UUID of the event at that version, as hex; empty at version 0.
        size: number of bytes of the stored commits up to there.
        former: earlier editions whose items must still be deleted.
    """

    edition: str
    generation: int
    version: int = 0
    commit: int = 0
    uuid: str = ""
    size: int = 0
    former: tuple[str, ...] = ()


class Entry(NamedTuple):
    """An event in the index.

    Attributes:
        version: version of the event.
        commit: version of the first event of its commit.
        name: name of the event.
        tags: all tags of the event; None: there are too many, so its commit must be read.
    """

    version: int
    commit: int
    name: str
    tags: tuple[str, ...] | None


class TagPage(NamedTuple):
    """Some events that have a tag, in the order of their versions.

    Attributes:
        earlier: number of events in the earlier pages.
        entries: the events, one or more.
        size: number of bytes of the item; 0: unknown.
    """

    earlier: int
    entries: tuple[Entry, ...]
    size: int = 0

    @property
    def first(self) -> int:
        """Version of the first event."""
        return self.entries[0].version

    @property
    def last(self) -> int:
        """Version of the last event."""
        return self.entries[-1].version


def get_checkpoint(keys: IndexKeys) -> Request:
    """Read the checkpoint, consistently."""
    return Request(
        "get_item", {"TableName": keys.table, "Key": _key(keys.key, _CHECKPOINT)} | _CONSISTENT
    )


def read_checkpoint(item: Item) -> Checkpoint:
    """Return the checkpoint of an item.

    Raises:
        StoredItemError: this release cannot read the item.
    """
    try:
        return Checkpoint(
            item["edition"]["S"],
            int(item["generation"]["N"]),
            int(item["version"]["N"]),
            int(item["commit_version"]["N"]),
            item["event_uuid"]["S"],
            int(item["stored_bytes"]["N"]),
            tuple(sorted(item["former"]["SS"])) if "former" in item else (),
        )
    except (KeyError, TypeError, ValueError):
        raise _unreadable(item, "it is not the checkpoint of a tag index.") from None


def put_checkpoint(keys: IndexKeys, new: Checkpoint, before: Checkpoint | None) -> Request:
    """Put a checkpoint, if the previous one is unchanged; ``before`` is None without one."""
    item = _key(keys.key, _CHECKPOINT) | {
        "edition": {"S": new.edition},
        "generation": number(new.generation),
        "version": number(new.version),
        "commit_version": number(new.commit),
        "event_uuid": {"S": new.uuid},
        "stored_bytes": number(new.size),
    }
    if new.former:
        item["former"] = {"SS": list(new.former)}
    params: dict[str, Any] = {"TableName": keys.table, "Item": item}
    return Request("put_item", params | _unchanged(before))


def delete_checkpoint(keys: IndexKeys, before: Checkpoint) -> Request:
    """Delete a checkpoint, if it is unchanged."""
    params = {"TableName": keys.table, "Key": _key(keys.key, _CHECKPOINT)}
    return Request("delete_item", params | _unchanged(before))


def put_tags(
    keys: IndexKeys, edition: str, after: int, last: int, tags: Iterable[str]
) -> Iterator[Request]:
    """Put the list of the tags for which a run will write pages, usually in one item."""
    place = f"{edition}#{after:0{_DIGITS}d}#{last:0{_DIGITS}d}"
    for at, some in enumerate(_parts(sorted(tags))):
        item = _key(keys.key, f"{place}#{at}" if at else place)
        pack(item, "tags", to_json(some))
        yield Request("put_item", {"TableName": keys.table, "Item": item})


def _parts(tags: Sequence[str]) -> Iterator[list[str]]:
    """Yield the tags in lists, each of which fits into an item."""
    part: list[str] = []
    size = 0
    for tag in tags:
        own = len(to_json(tag)) + 1
        if part and size + own > MAX_TEXT:
            yield part
            part, size = [], 0
        part.append(tag)
        size += own
    if part:
        yield part


def tags_listed(keys: IndexKeys, edition: str, after: Item | None) -> Request:
    """Query the lists of tags of an edition."""
    return _query(keys.table, keys.key, edition, after=after)


def read_tags(item: Item) -> list[str]:
    """Return the tags of a list."""
    return [str(tag) for tag in from_json(unpack(item["tags"]))]


def newest_page(keys: IndexKeys, edition: str, tag: str) -> Request:
    """Query the newest page of a tag, consistently."""
    return _query(keys.table, keys.pages(tag), edition, limit=1)


def pages_of(keys: IndexKeys, edition: str, tag: str, after: Item | None = None) -> Request:
    """Query the pages of a tag, newest first, consistently.

    An eventually consistent read could miss pages up to the checkpoint.
    """
    return _query(keys.table, keys.pages(tag), edition, after=after)


def pages_above(keys: IndexKeys, edition: str, tag: str, version: int) -> list[Request]:
    """Query the pages of a tag that have events after a version, consistently; two requests.

    The last page that begins at or before the version may have later events too.
    """
    key = keys.pages(tag)
    at, end = f"{edition}#{version:0{_DIGITS}d}", f"{edition}#:"  # ":" sorts after all digits
    return [
        _between(keys.table, key, f"{edition}#", at, limit=1),
        _between(keys.table, key, f"{edition}#{version + 1:0{_DIGITS}d}", end),
    ]


def page_item(keys: IndexKeys, edition: str, tag: str, page: TagPage) -> tuple[Item, int]:
    """Return the item of a page, and its size in bytes."""
    item = _key(keys.pages(tag), f"{edition}#{page.first:0{_DIGITS}d}") | {
        "earlier": number(page.earlier),
        "last_version": number(page.last),
    }
    return item, pack(item, "entries", to_json([list(entry) for entry in page.entries]))


def put_page(keys: IndexKeys, item: Item, before: TagPage | None) -> Request:
    """Put a page, if the page that it extends is unchanged; ``before`` is None for a new page."""
    params: dict[str, Any] = {"TableName": keys.table, "Item": item}
    if before is None:
        return Request("put_item", params | _NEW)
    return Request(
        "put_item",
        params
        | {
            "ConditionExpression": "last_version = :last",
            "ExpressionAttributeValues": {":last": number(before.last)},
        },
    )


def read_page(item: Item, size: int = 0) -> TagPage:
    """Return the page of an item.

    Raises:
        StoredItemError: this release cannot read the item.
    """
    try:
        entries = tuple(
            Entry(int(version), int(commit), name, None if tags is None else tuple(tags))
            for version, commit, name, tags in from_json(unpack(item["entries"]))
        )
        page = TagPage(int(item["earlier"]["N"]), entries, size)
        if page.last == int(item["last_version"]["N"]):
            return page
    except (AttributeError, LookupError, TypeError, ValueError):
        pass
    raise _unreadable(item, "it is not a page of a tag index.")


def delete_item(keys: IndexKeys, item: Item) -> Request:
    """Delete an item of an edition that is no longer read."""
    key = {name: item[name] for name in ("log_key", "place")}
    return Request("delete_item", {"TableName": keys.table, "Key": key})


def get_commits(table: str, keys: Sequence[Item], *, consistent: bool) -> Request:
    """Read up to 100 commits with their events."""
    wanted: dict[str, Any] = {"Keys": list(keys), "ConsistentRead": consistent}
    return Request("batch_get_item", {"RequestItems": {table: wanted}})


def _query(
    table: str, key: str, edition: str, *, limit: int | None = None, after: Item | None = None
) -> Request:
    params: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "log_key = :key AND begins_with(place, :edition)",
        "ExpressionAttributeValues": {":key": {"S": key}, ":edition": {"S": f"{edition}#"}},
        "ScanIndexForward": False,
    }
    if limit is not None:
        params["Limit"] = limit
    if after is not None:
        params["ExclusiveStartKey"] = after
    return Request("query", params | _CONSISTENT)


def _between(
    table: str, key: str, lowest: str, highest: str, *, limit: int | None = None
) -> Request:
    params: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "log_key = :key AND place BETWEEN :lowest AND :highest",
        "ExpressionAttributeValues": {
            ":key": {"S": key},
            ":lowest": {"S": lowest},
            ":highest": {"S": highest},
        },
        "ScanIndexForward": False,
    }
    if limit is not None:
        params["Limit"] = limit
    return Request("query", params | _CONSISTENT)


def _unchanged(before: Checkpoint | None) -> dict[str, Any]:
    if before is None:
        return _NEW
    return {
        "ConditionExpression": "edition = :edition AND version = :version",
        "ExpressionAttributeValues": {
            ":edition": {"S": before.edition},
            ":version": number(before.version),
        },
    }


def _key(key: str, place: str) -> Item:
    return {"log_key": {"S": key}, "place": {"S": place}}


def _unreadable(item: Item, reason: str) -> StoredItemError:
    return StoredItemError(
        item.get("log_key", {}).get("S", "?"), item.get("place", {}).get("S"), reason
    )


_CONSISTENT: Final[dict[str, Any]] = {"ConsistentRead": True}
_NEW: Final[dict[str, Any]] = {"ConditionExpression": "attribute_not_exists(place)"}
