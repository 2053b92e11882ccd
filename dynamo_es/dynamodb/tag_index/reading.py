"""Reads a boundary by its tag index: pages up to the checkpoint, and the tail after it.

The checkpoint is read first, so that pages that are read later have all events up to it. The tail
is read after the pages, and proves that they belong to the boundary's current generation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dynamo_es.contracts.boundaries.states import query_of
from dynamo_es.contracts.boundaries.strategy import Matching, copied, refuse_unreached
from dynamo_es.dynamodb.streams.boundaries.matching import read_after
from dynamo_es.dynamodb.streams.loading.chain import events_of, named
from dynamo_es.dynamodb.tag_index import items
from dynamo_es.dynamodb.tag_index.commits import commits_at
from dynamo_es.dynamodb.wire.steps import good, together
from dynamo_es.values import StoredVersion, matches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.contracts.boundaries.states import Part
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.tag_index.items import Checkpoint, Entry, IndexKeys
    from dynamo_es.dynamodb.wire.steps import Request, Steps
    from dynamo_es.values import Query, QueryItem

_READ_UNIT: Final = 4096


def is_indexed(query: Query) -> bool:
    """Return whether the index can answer a query: each alternative has a tag."""
    return all(item.tag_texts for item in query.items)


def fetch_by_index(
    stream: Stream, keys: IndexKeys, parts: Sequence[Part]
) -> Steps[Matching | None]:
    """Return the events of some parts; None: the index does not help, so read the stream.

    Args:
        stream: the stream of the boundary.
        keys: its index.
        parts: what to read. At least one query must be `is_indexed`; the events of the others come
            with the tail, which then begins earlier.
    """
    reply = yield items.get_checkpoint(keys)
    if "Item" not in reply:
        return None
    checkpoint = items.read_checkpoint(reply["Item"])
    indexed = [part for part in parts if is_indexed(part.query)]
    others = [part.floor for part in parts if not is_indexed(part.query)]
    lowest = min(part.floor for part in parts)
    if checkpoint.version <= lowest or lowest in others:
        return None
    floor = min([checkpoint.version - 1, *others])  # the tail has the event at the checkpoint
    entries = yield from _entries(keys, checkpoint, indexed)
    wanted = {
        entry.version: entry.commit
        for entry in entries
        if entry.version <= floor
        and any(entry.version > part.floor and _may_match(part.query, entry) for part in indexed)
    }
    commits = set(wanted.values())
    if len(commits) / 2 > checkpoint.size / _READ_UNIT + 1:
        return None  # At half a unit for each commit, reading the whole stream costs less.
    begins = checkpoint.commit if floor == checkpoint.version - 1 else floor + 1
    newest, tail = yield from read_after(stream, floor, begins)
    at = checkpoint.version - floor - 1
    if (
        newest is None
        or newest.versionless
        or newest.generation != checkpoint.generation
        or len(tail) <= at
        or tail[at].uuid.hex != checkpoint.uuid
    ):
        return None
    head = StoredVersion(newest.last, newest.generation)
    for part in parts:
        refuse_unreached(stream.id, query_of(parts), part.after, head)
    found = yield from commits_at(stream, newest.generation, commits)
    if found is None:
        return None
    stream_id = named(stream.id, [newest, *found])
    events = [
        event
        for commit in found
        for event in events_of(stream, stream_id, commit, 1, None)
        if event.version in wanted and any(part.wants(event) for part in indexed)
    ]
    events += [copied(event) for event in tail if any(part.wants(event) for part in parts)]
    return Matching(tuple(events), head)


def _may_match(query: Query, entry: Entry) -> bool:
    """Return whether a query may match an event. If the entry lists its tags, that is certain."""
    if entry.tags is not None:
        return matches(query, entry.name, frozenset(entry.tags))
    return any(not item.types or entry.name in item.types for item in query.items)


def _entries(keys: IndexKeys, checkpoint: Checkpoint, parts: Sequence[Part]) -> Steps[list[Entry]]:
    """Return the index's events with the rarest tag of each alternative."""
    several = {
        t
        for part in parts
        for item in part.query.items
        if len(item.tag_texts) > 1
        for t in item.tag_texts
    }
    counts = yield from _counts(keys, checkpoint, several)
    floors: dict[str, int] = {}
    for part in parts:
        for tag in (_rarest(item, counts) for item in part.query.items):
            floors[tag] = min(part.floor, floors.get(tag, part.floor))
    edition = checkpoint.edition
    asked: list[Request] = []
    for tag in sorted(floors):
        if counts.get(tag, 1) and floors[tag]:
            asked += items.pages_above(keys, edition, tag, floors[tag])
        elif counts.get(tag, 1):
            asked.append(items.pages_of(keys, edition, tag))
    found: list[Entry] = []
    while asked:
        replies = good([(yield asked[0])] if len(asked) == 1 else (yield from together(asked)))
        for reply in replies:
            for item in reply["Items"]:
                found += items.read_page(item).entries
        asked = [
            request._replace(
                params=request.params | {"ExclusiveStartKey": reply["LastEvaluatedKey"]}
            )
            for request, reply in zip(asked, replies, strict=True)
            if "LastEvaluatedKey" in reply and "Limit" not in request.params
        ]
    return found


def _counts(keys: IndexKeys, checkpoint: Checkpoint, tags: set[str]) -> Steps[dict[str, int]]:
    """Return how many events have each of the given tags."""
    ordered = sorted(tags)
    replies = yield from together(
        items.newest_page(keys, checkpoint.edition, tag) for tag in ordered
    )
    counts = dict.fromkeys(ordered, 0)
    for tag, reply in zip(ordered, good(replies), strict=True):
        for item in reply["Items"]:
            page = items.read_page(item)
            counts[tag] = page.earlier + len(page.entries)
    return counts


def _rarest(item: QueryItem, counts: dict[str, int]) -> str:
    return min(sorted(item.tag_texts), key=lambda tag: counts.get(tag, 0))
