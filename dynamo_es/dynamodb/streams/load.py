"""Loads streams: reads from the newest item down, along the chain of live commits.

A load of any range begins at the newest item. If a deletion has just begun, its fence stands
there, and everything below is deleted. What this process remembers about the stream decides how
much the first page asks for, never what the load returns (ADR 13).
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dynamo_es.dynamodb.streams.items import decode_events, generation_of, snapshot_version
from dynamo_es.dynamodb.streams.requests import get_item
from dynamo_es.dynamodb.streams.walk import FEW, Page, Walk
from dynamo_es.dynamodb.wire.steps import Pause
from dynamo_es.exceptions import (
    InvalidStreamIdError,
    StoredItemError,
    StreamGapError,
    describe_stream,
)
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from dynamo_es.dynamodb.streams.items import Commit
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Steps
    from dynamo_es.values import RawEvent

_log = logging.getLogger("dynamo_es")

COLD_PAGE: Final = 8
"""Items of the first page, in a process that never saw the stream: 2 read units for most streams.

It holds a snapshot and what policies usually leave after it.
"""

SNAPSHOT_PAGE: Final = 32
"""Items of the first page if a snapshot is remembered: a newer one may stand there by now."""

SEEN_PAGE: Final = 128
"""Items of the first page of a stream that the process saw, and no snapshot: all are wanted."""


def newest_commit(stream: Stream) -> Steps[Commit | None]:
    """Return the newest commit of a stream and remember its head; None if there is no stream."""
    commit: Commit | None = None
    tries = 1
    while True:
        try:
            commit = yield from _newest(Walk(stream, Page(1), with_snapshot=False))
            break
        except StreamGapError:  # an append of several items came in between: read again
            if tries > 1:  # the first time at once; the pauses end it on a damaged stream
                yield Pause(tries)
            tries += 1
    if commit is None:
        stream.heads.forget(stream.key)
    else:
        stream.heads.remember(stream.key, commit.head, commit.version)
    return commit


def load(stream: Stream, start: int | None, stop: int | None) -> Steps[list[RawEvent]]:
    """Return the events of a range, or the newest snapshot and the events after it.

    See `StorageStrategy.fetch_events`. A gap between commits, as a deletion during the load makes,
    is read again once; the second time it is an error.
    """
    return (yield from load_with_newest(stream, start, stop))[1]


def load_with_newest(
    stream: Stream, start: int | None, stop: int | None
) -> Steps[tuple[Commit | None, list[RawEvent]]]:
    """Return the newest commit, or None if there is no stream, and the events as `load` does.

    Both are of one moment: the events are live events of the newest commit's generation.
    """
    try:
        return (yield from _load(stream, start, stop))
    except StreamGapError:
        stream.heads.forget_snapshot(stream.key)
        return (yield from _load(stream, start, stop))


def _load(
    stream: Stream, start: int | None, stop: int | None
) -> Steps[tuple[Commit | None, list[RawEvent]]]:
    walk = Walk(stream, _first_page(stream, start, stop), with_snapshot=start is None)
    newest = yield from _newest(walk)
    if newest is None:
        stream.heads.forget(stream.key)
        stream.heads.forget_snapshot(stream.key)
        return None, []
    stream.heads.remember(stream.key, newest.head, newest.version)
    snapshot = _readable_snapshot(stream, walk, newest, stop) if start is None else None
    floor = start or 1
    if snapshot is not None and snapshot.version is not None:
        floor = snapshot.version + 1
    chain: list[Commit] = []
    if stop is None or floor < stop:
        chain = yield from _chain(stream, walk, newest, floor, stop)
    if start is None and stop is None:
        _remember_snapshot(stream, snapshot, [newest, *chain])
    return newest, _decode(stream, newest, chain, snapshot, floor, stop)


def _remember_snapshot(stream: Stream, snapshot: RawEvent | None, needed: list[Commit]) -> None:
    """Remember from which sort key the next load from the snapshot has to read.

    The newest commit is always needed: it proves that the stream exists, even if the snapshot holds
    all of its events.
    """
    if snapshot is None:
        stream.heads.forget_snapshot(stream.key)
    else:
        stream.heads.remember_snapshot(stream.key, min(commit.version for commit in needed))


def _readable_snapshot(
    stream: Stream, walk: Walk, newest: Commit, stop: int | None
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


def _newest(walk: Walk) -> Steps[Commit | None]:
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
    stream: Stream, walk: Walk, newest: Commit, floor: int, stop: int | None
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
        walk.want(floor, wanted)
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


def _first_page(stream: Stream, start: int | None, stop: int | None) -> Page:
    """Return what to ask for first, by what this process remembers: the newest item at least."""
    seen = stream.heads.recall(stream.key)
    if start is None:
        lowest = stream.heads.snapshot_from(stream.key)
        if stop is None and lowest is not None:
            return Page(SNAPSHOT_PAGE, lowest)
        return Page(COLD_PAGE if stop is not None or seen is None else SEEN_PAGE)
    if seen is None:
        return Page(None) if start == 1 and stop is None else Page(FEW)
    head = seen.head.version
    if stop is not None and head - stop > COLD_PAGE:
        return Page(1)  # Far below the head, it only shows whether the stream still exists.
    wanted = head - start + 1
    if wanted <= FEW:
        return Page(FEW)
    # The newest commit may have begun below: without it, nothing shows that the stream exists.
    lowest = start if seen.begins is None else min(start, seen.begins)
    return Page(None if stop is None else wanted + FEW, lowest)


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
