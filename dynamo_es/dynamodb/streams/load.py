"""Loads streams: reads from the newest item down, along the chain of live commits.

A load of any range begins at the newest item. If a deletion has just begun, its fence stands
there, and everything below is deleted.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dynamo_es.dynamodb.streams.items import (
    decode_events,
    generation_of,
    is_fence,
    is_snapshot,
    read_commit,
    snapshot_version,
    version_of,
)
from dynamo_es.dynamodb.streams.keys import SNAPSHOT_VERSION
from dynamo_es.dynamodb.streams.requests import get_item, query_down
from dynamo_es.dynamodb.wire.steps import Pause
from dynamo_es.exceptions import (
    InvalidStreamIdError,
    StoredItemError,
    StreamGapError,
    describe_stream,
)
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from collections.abc import Generator

    from dynamo_es.dynamodb.streams.items import Commit
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Item, Request, Response, Steps
    from dynamo_es.values import RawEvent

_log = logging.getLogger("dynamo_es")

FIRST_PAGE: Final = 32
"""Items of the first page: usually enough for a snapshot and the commits after it."""


def newest_commit(stream: Stream) -> Steps[Commit | None]:
    """Return the newest commit of a stream and remember its head; None if there is no stream."""
    commit: Commit | None = None
    tries = 1
    while True:
        try:
            commit = yield from _newest(_Walk(stream, with_snapshot=False, first_page=1))
            break
        except StreamGapError:  # an append of several items came in between: read again
            if tries > 1:  # the first time at once; the pauses end it on a damaged stream
                yield Pause(tries)
            tries += 1
    if commit is None:
        stream.heads.forget(stream.key)
    else:
        stream.heads.remember(stream.key, commit.head)
    return commit


def load(stream: Stream, start: int | None, stop: int | None) -> Steps[list[RawEvent]]:
    """Return the events of a range, or the newest snapshot and the events after it.

    See `StorageStrategy.fetch_events`. A gap between commits, as a deletion during the load makes,
    is read again once; the second time it is an error.
    """
    try:
        return (yield from _load(stream, start, stop))
    except StreamGapError:
        return (yield from _load(stream, start, stop))


def _load(stream: Stream, start: int | None, stop: int | None) -> Steps[list[RawEvent]]:
    walk = _Walk(stream, with_snapshot=start is None, first_page=_first_page(stream, start, stop))
    newest = yield from _newest(walk)
    if newest is None:
        stream.heads.forget(stream.key)
        return []
    stream.heads.remember(stream.key, newest.head)
    snapshot = _readable_snapshot(stream, walk, newest, stop)
    floor = start or 1
    if snapshot is not None and snapshot.version is not None:
        floor = snapshot.version + 1
    if stop is not None and floor >= stop:
        return _decode(stream, newest, [], snapshot, floor, stop)
    chain = yield from _chain(stream, walk, newest, floor, stop)
    return _decode(stream, newest, chain, snapshot, floor, stop)


def _readable_snapshot(
    stream: Stream, walk: _Walk, newest: Commit, stop: int | None
) -> RawEvent | None:
    """Return the snapshot to begin with; None without one, or if it cannot be read."""
    try:
        item = walk.snapshot_for(newest, stop)
        if item is None:
            return None
        found = decode_events(item, stream.id, snapshot_version(item), stream.most_bytes)
    except StoredItemError as error:
        # All events are stored: a snapshot only saves time.
        _log.warning("Skipped the snapshot of stream %s: %s", describe_stream(stream.id), error)
        return None
    if len(found) == 1:
        return found[0]
    _log.warning("Skipped the snapshot of stream %s: it has no state.", describe_stream(stream.id))
    return None


def _newest(walk: _Walk) -> Steps[Commit | None]:
    """Return the newest commit of the live stream.

    Raises:
        StreamGapError: the commit is only the lower part of an append of several items. The load
            found it below a first page of fences, which the append has overwritten since.
    """
    newest = yield from walk.next_commit()
    if newest is not None and walk.pages > 1:
        stream = walk.stream
        above = yield get_item(stream.table, stream.key, newest.last + 1)
        if "Item" in above and generation_of(above["Item"]) >= newest.generation:
            raise StreamGapError(stream.id, newest.last + 1)
    return newest


def _chain(
    stream: Stream, walk: _Walk, newest: Commit, floor: int, stop: int | None
) -> Steps[list[Commit]]:
    """Return the live commits with versions from ``floor`` to before ``stop``, newest first."""
    chain: list[Commit] = []
    commit: Commit | None = newest
    wanted = newest.last  # the version that the next commit must end with
    while True:
        if commit is None or commit.last < wanted:
            raise StreamGapError(stream.id, wanted)
        if stop is None or commit.version < stop:
            if commit.last > wanted and chain:
                raise StreamGapError(stream.id, wanted)
            if commit.last >= floor:
                chain.append(commit)
        if commit.version <= floor:
            return chain
        wanted = commit.version - 1
        if stop is not None and wanted >= stop:
            walk.skip_to(stop)
            wanted = stop - 1
        if floor > 1:
            walk.at_most(wanted - floor + 1)  # a commit holds one event or more
        commit = yield from walk.next_commit(newest.generation)


def _decode(
    stream: Stream,
    newest: Commit,
    chain: list[Commit],
    snapshot: RawEvent | None,
    floor: int,
    stop: int | None,
) -> list[RawEvent]:
    stream_id = _named(stream.id, [newest, *chain])
    events: list[RawEvent] = []
    if snapshot is not None:
        events.append(replace(snapshot, stream_id=stream_id))
    for commit in reversed(chain):
        decoded = decode_events(
            commit.item,
            stream_id,
            None if commit.versionless else commit.version,
            stream.most_bytes,
        )
        if len(decoded) != commit.last - commit.version + 1:
            raise StreamGapError(stream.id, commit.version + len(decoded))
        low = max(floor - commit.version, 0)
        high = None if stop is None else stop - commit.version
        events += decoded if low == 0 and high is None else decoded[low:high]
    return events


def _first_page(stream: Stream, start: int | None, stop: int | None) -> int:
    if start is None or stop is None:
        return FIRST_PAGE
    head = stream.heads.get(stream.key)
    # Far below the head, the first page only shows whether the stream still exists.
    return 1 if head is not None and head.version - stop > FIRST_PAGE else FIRST_PAGE


def _named(stream_id: StreamId, commits: list[Commit]) -> StreamId:
    if stream_id.name is not None:
        return stream_id
    for commit in commits:
        if name := commit.item.get("stream_name"):
            try:
                return StreamId(stream_id, name["S"], category=stream_id.category)
            except (KeyError, InvalidStreamIdError):
                key, version = commit.item["stream_key"]["S"], commit.version
                raise StoredItemError(key, version, "its name is not the stream's.") from None
    return stream_id


class _Walk:
    """A walk down a stream, page by page, past fences and commits of closed generations.

    Attributes:
        stream: the stream.
        pages: number of pages read.
    """

    def __init__(self, stream: Stream, *, with_snapshot: bool, first_page: int) -> None:
        self.stream = stream
        self.pages = 0
        self._limit: int | None = first_page
        self._below = None if with_snapshot else SNAPSHOT_VERSION
        self._after: Item | None = None
        self._more = True
        self._items: list[Item] = []
        self._closed = 0
        self._snapshot: Item | None = None

    def next_commit(self, generation: int | None = None) -> Steps[Commit | None]:
        """Return the next commit down; None at the end, or where a closed generation begins.

        Args:
            generation: only commits of this generation; None: of any that is not closed.
        """
        while True:
            while self._items:
                item = self._items.pop()
                if is_fence(item):
                    self._closed = max(self._closed, generation_of(item))
                elif is_snapshot(item):
                    self._snapshot = item
                else:
                    commit = read_commit(item)
                    if generation is None:
                        return None if commit.generation <= self._closed else commit
                    if commit.generation == generation:
                        return commit
            if not self._more:
                return None
            yield from self._next_page()

    def snapshot_for(self, newest: Commit, stop: int | None) -> Item | None:
        """Return the snapshot, if it is of the same generation and below ``stop``."""
        snapshot = self._snapshot
        if (
            snapshot is None
            or generation_of(snapshot) != newest.generation
            or (stop is not None and snapshot_version(snapshot) >= stop)
        ):
            return None
        return snapshot

    def skip_to(self, version: int) -> None:
        """Continue below a version, without reading the commits in between."""
        while self._items and version_of(self._items[-1]) >= version:
            self._items.pop()
        if not self._items:
            self._below, self._after = version, None

    def at_most(self, commits: int) -> None:
        """Ask for no more commits than these in the next page."""
        self._limit = commits

    def _next_page(self) -> Generator[Request | Pause, Response, None]:
        response = yield query_down(
            self.stream.table,
            self.stream.key,
            below=self._below,
            limit=self._limit,
            after=self._after,
        )
        self.pages += 1
        self._items = response.get("Items", [])[::-1]
        self._after = response.get("LastEvaluatedKey")
        self._more = self._after is not None
        self._limit = None
