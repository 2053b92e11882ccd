"""Writes the tag index of a boundary, some events at a time. Any number of writers may run at once.

Each run first lists its tags, then writes their pages, then moves the checkpoint. A crash at any
request may leave pages that are ahead of the checkpoint. The next run reads the newest page of each
tag and adds only what is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import uuid4

from pydantic_core import to_json

from dynamo_es.dynamodb.streams.items import generation_of, is_fence
from dynamo_es.dynamodb.streams.loading.chain import events_of
from dynamo_es.dynamodb.streams.requests import query_up
from dynamo_es.dynamodb.tag_index import items
from dynamo_es.dynamodb.tag_index.commits import commits_from
from dynamo_es.dynamodb.tag_index.items import Checkpoint, Entry, TagPage
from dynamo_es.dynamodb.wire.errors import ConditionRefused, OutcomeUnknown
from dynamo_es.dynamodb.wire.sizes import item_size
from dynamo_es.dynamodb.wire.steps import Pause, good, together
from dynamo_es.values import tags_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dynamo_es.dynamodb.streams.items import Commit
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.tag_index.items import IndexKeys
    from dynamo_es.dynamodb.wire.steps import Request, Steps

_EXTENDED_BYTES: Final = 1024
"""A page below this size takes more events. A larger one does not, as each change rewrites it."""

_PAGE_ENTRIES: Final = 500
"""The most events of a page."""

_LISTED_TAGS: Final = 16
_LISTED_TEXT: Final = 1024
"""An entry lists the event's tags only up to these numbers of tags and characters. Each tag has an
entry for the event, so the size of long lists would grow with the square of their length."""

_AT_ONCE: Final = 100


def index_tags(stream: Stream, keys: IndexKeys, most: int) -> Steps[int]:
    """Index about ``most`` further events; return their number; 0: the index is complete."""
    before = yield from _checkpoint(keys)
    reached = 0 if before is None else before.version
    newest, commits = yield from commits_from(stream, max(reached, 1), reached + most + 1)
    if newest is None or newest.versionless:
        if before is not None:
            yield from _remove(keys, before)
        return 0
    if before is None or not _continues(stream, before, newest, commits):
        former = () if before is None else (*before.former, before.edition)
        begun = Checkpoint(uuid4().hex, newest.generation, former=former)
        if not (yield from _if_met(items.put_checkpoint(keys, begun, before))):
            yield Pause(1)
        return (yield from index_tags(stream, keys, most))
    if before.former:
        yield from _clean(keys, before)
        before = before._replace(former=())
    new = [commit for commit in commits if commit.last > before.version]
    if not new:
        return 0
    yield from _write(stream, keys, before, new)
    return new[-1].last - before.version


def remove_index(stream: Stream, keys: IndexKeys) -> Steps[None]:
    """Delete the index of a deleted boundary, but not the index of a later generation.

    Cost: 1 request if there is no index.
    """
    before = yield from _checkpoint(keys)
    if before is None:
        return
    # A deletion replaces version 1 last, and each generation begins there.
    reply = yield query_up(stream.table, stream.key, lowest=1, highest=1, limit=1)
    live = {generation_of(item) for item in reply["Items"] if not is_fence(item)}
    if before.generation not in live:
        yield from _remove(keys, before)


def _checkpoint(keys: IndexKeys) -> Steps[Checkpoint | None]:
    reply = yield items.get_checkpoint(keys)
    return items.read_checkpoint(reply["Item"]) if "Item" in reply else None


def _continues(
    stream: Stream, checkpoint: Checkpoint, newest: Commit, commits: Sequence[Commit]
) -> bool:
    """Return whether an index still belongs to the stream, after a deletion or a restore."""
    if newest.generation != checkpoint.generation or newest.last < checkpoint.version:
        return False
    if checkpoint.version == 0:
        return True
    events = events_of(stream, stream.id, commits[0], checkpoint.version, checkpoint.version + 1)
    return bool(events) and events[0].uuid.hex == checkpoint.uuid


def _write(
    stream: Stream, keys: IndexKeys, before: Checkpoint, commits: Sequence[Commit]
) -> Steps[None]:
    tagged: dict[str, list[Entry]] = {}
    size = before.size
    uuid = before.uuid
    for commit in commits:
        size += item_size(commit.item)
        for event in events_of(stream, stream.id, commit, 1, None):
            version = event.version or 0
            uuid = event.uuid.hex
            tags = tuple(sorted(tags_of(event)))
            entry = Entry(version, commit.version, event.name, _listed(tags))
            if version > before.version:
                for tag in tags:
                    tagged.setdefault(tag, []).append(entry)
    last, first = commits[-1].last, commits[-1].version
    if tagged:
        yield from items.put_tags(keys, before.edition, before.version, last, tagged)
        yield from _write_pages(keys, before.edition, tagged)
    new = before._replace(version=last, commit=first, uuid=uuid, size=size)
    if not (yield from _if_met(items.put_checkpoint(keys, new, before))):
        now = yield from _checkpoint(keys)
        if now is None or now.edition != before.edition:
            # The boundary was deleted in the meantime, and its index may already be cleaned up.
            # Another late run may remove the lists of this one, so remove the pages here.
            yield from _clean_pages(keys, before.edition, tagged)
            yield from _clean_edition(keys, before.edition)


def _write_pages(
    keys: IndexKeys, edition: str, tagged: Mapping[str, Sequence[Entry]]
) -> Steps[None]:
    left = sorted(tagged)
    attempt = 0
    while left:
        chosen, left = left[:_AT_ONCE], left[_AT_ONCE:]
        replies = good(
            (yield from together(items.newest_page(keys, edition, tag) for tag in chosen))
        )
        puts: list[tuple[str, Request]] = []
        again: list[str] = []
        for tag, reply in zip(chosen, replies, strict=True):
            stored = [items.read_page(item, item_size(item)) for item in reply["Items"]]
            put, complete = _next_put(
                keys, edition, tag, stored[0] if stored else None, tagged[tag]
            )
            if put is not None:
                puts.append((tag, put))
            if not complete:
                again.append(tag)
        outcomes = yield from together(put for _, put in puts)
        lost = [
            tag
            for (tag, _), outcome in zip(puts, outcomes, strict=True)
            if isinstance(outcome, ConditionRefused | OutcomeUnknown)
        ]
        good(one for one in outcomes if not isinstance(one, ConditionRefused | OutcomeUnknown))
        left = [*dict.fromkeys([*lost, *again]), *left]
        if lost:
            attempt += 1
            yield Pause(attempt)


def _next_put(
    keys: IndexKeys, edition: str, tag: str, stored: TagPage | None, entries: Sequence[Entry]
) -> tuple[Request | None, bool]:
    """Return the next put for a tag (None: no put), and whether it completes the tag."""
    new = [entry for entry in entries if stored is None or entry.version > stored.last]
    if not new:
        return None, True
    extended = stored if stored is not None and stored.size < _EXTENDED_BYTES else None
    first = () if extended is None else extended.entries
    if extended is not None:
        earlier = extended.earlier
    else:
        earlier = 0 if stored is None else stored.earlier + len(stored.entries)
    fitting = _fitting(new)
    item, _ = items.page_item(keys, edition, tag, TagPage(earlier, (*first, *fitting)))
    return items.put_page(keys, item, extended), len(fitting) == len(new)


def _fitting(entries: Sequence[Entry]) -> Sequence[Entry]:
    size = 0
    for place, entry in enumerate(entries[:_PAGE_ENTRIES]):
        size += len(to_json(entry)) + 1
        if size > items.MAX_TEXT and place:
            return entries[:place]
    return entries[:_PAGE_ENTRIES]


def _listed(tags: tuple[str, ...]) -> tuple[str, ...] | None:
    few = len(tags) <= _LISTED_TAGS and sum(map(len, tags)) <= _LISTED_TEXT
    return tags if few else None


def _remove(keys: IndexKeys, before: Checkpoint) -> Steps[None]:
    """Delete the index of a deleted boundary."""
    for edition in (*before.former, before.edition):
        yield from _clean_edition(keys, edition)
    yield from _if_met(items.delete_checkpoint(keys, before))


def _clean(keys: IndexKeys, before: Checkpoint) -> Steps[None]:
    """Delete the items of earlier editions, then forget their ids."""
    for edition in before.former:
        yield from _clean_edition(keys, edition)
    yield from _if_met(items.put_checkpoint(keys, before._replace(former=()), before))


def _clean_edition(keys: IndexKeys, edition: str) -> Steps[None]:
    while True:
        reply = yield items.tags_listed(keys, edition, None)
        if not reply["Items"]:
            return
        for listed in reply["Items"]:
            yield from _clean_pages(keys, edition, items.read_tags(listed))
            yield items.delete_item(keys, listed)


def _clean_pages(keys: IndexKeys, edition: str, tags: Iterable[str]) -> Steps[None]:
    for tag in tags:
        while True:
            reply = yield items.pages_of(keys, edition, tag)
            if not reply["Items"]:
                break
            good((yield from together(items.delete_item(keys, item) for item in reply["Items"])))


def _if_met(request: Request) -> Steps[bool]:
    try:
        yield request
    except ConditionRefused:
        return False
    return True
