"""Reads a boundary by its tag index: pages up to the checkpoint, and the tail above it.

The checkpoint is read first: pages read later have all events up to there. The tail is read after
the pages: it proves that the boundary is still the one that they are about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dynamo_es.contracts.boundaries import Matching, copied, refuse_unreached
from dynamo_es.dynamodb.streams.chain import events_of, named
from dynamo_es.dynamodb.streams.matching import read_after
from dynamo_es.dynamodb.tag_index import items
from dynamo_es.dynamodb.tag_index.commits import commits_at
from dynamo_es.dynamodb.wire.steps import good, together
from dynamo_es.values import StoredVersion, matches, matches_event

if TYPE_CHECKING:
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.tag_index.items import Checkpoint, Entry, IndexKeys
    from dynamo_es.dynamodb.wire.steps import Steps
    from dynamo_es.values import Query, QueryItem

_READ_UNIT: Final = 4096


def is_indexed(query: Query) -> bool:
    """Whether the index can answer a query: each alternative has a tag."""
    return all(item.tag_texts for item in query.items)


def fetch_by_index(
    stream: Stream, keys: IndexKeys, query: Query, after: int | None
) -> Steps[Matching | None]:
    """Return the matching events; None: the index does not help, so read the stream.

    Args:
        stream: the stream of the boundary.
        keys: its index.
        query: a query for which `is_indexed` holds.
        after: leave out the events up to this version; None: begin with the first one.
    """
    reply = yield items.get_checkpoint(keys)
    if "Item" not in reply:
        return None
    checkpoint = items.read_checkpoint(reply["Item"])
    if checkpoint.version <= int(after or 0):
        return None
    entries = yield from _entries(keys, checkpoint, query)
    wanted = {
        entry.version: entry.commit
        for entry in entries
        if int(after or 0) < entry.version <= checkpoint.version and _may_match(query, entry)
    }
    commits = set(wanted.values())
    if len(commits) / 2 > checkpoint.size / _READ_UNIT + 1:
        return None  # Half a unit for each commit: reading them all in a row costs less.
    newest, tail = yield from read_after(stream, checkpoint.version - 1, checkpoint.commit)
    if (
        newest is None
        or newest.versionless
        or newest.generation != checkpoint.generation
        or not tail
        or tail[0].uuid.hex != checkpoint.uuid
    ):
        return None
    head = StoredVersion(newest.last, newest.generation)
    refuse_unreached(stream.id, query, after, head)
    found = yield from commits_at(stream, newest.generation, commits)
    if found is None:
        return None
    stream_id = named(stream.id, [newest, *found])
    events = [
        event
        for commit in found
        for event in events_of(stream, stream_id, commit, 1, None)
        if event.version in wanted and matches_event(query, event)
    ]
    events += [copied(event) for event in tail[1:] if matches_event(query, event)]
    return Matching(tuple(events), head)


def _may_match(query: Query, entry: Entry) -> bool:
    """Whether a query may match an event: for sure, if the entry lists its tags."""
    if entry.tags is not None:
        return matches(query, entry.name, frozenset(entry.tags))
    return any(not item.types or entry.name in item.types for item in query.items)


def _entries(keys: IndexKeys, checkpoint: Checkpoint, query: Query) -> Steps[list[Entry]]:
    """Return the index's events for one tag of each alternative, the rarest."""
    several = [item for item in query.items if len(item.tag_texts) > 1]
    counts = yield from _counts(keys, checkpoint, {t for item in several for t in item.tag_texts})
    chosen = {_rarest(item, counts) for item in query.items}
    found: list[Entry] = []
    tags = sorted(tag for tag in chosen if counts.get(tag, 1))
    asked = [items.pages_of(keys, checkpoint.edition, tag) for tag in tags]
    while asked:
        replies = good([(yield asked[0])] if len(asked) == 1 else (yield from together(asked)))
        for reply in replies:
            for item in reply["Items"]:
                found += items.read_page(item).entries
        asked = [
            items.pages_of(keys, checkpoint.edition, tag, reply["LastEvaluatedKey"])
            for tag, reply in zip(tags, replies, strict=True)
            if "LastEvaluatedKey" in reply
        ]
        tags = [
            tag for tag, reply in zip(tags, replies, strict=True) if "LastEvaluatedKey" in reply
        ]
    return found


def _counts(keys: IndexKeys, checkpoint: Checkpoint, tags: set[str]) -> Steps[dict[str, int]]:
    """Return how many events have each of some tags."""
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
